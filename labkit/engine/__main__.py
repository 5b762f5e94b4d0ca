"""`python -m labkit.engine`: see serve.py."""

from labkit.engine.serve import main

raise SystemExit(main())
