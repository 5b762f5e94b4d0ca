"""`python -m labkit.microvm`: see launcher.py."""

from labkit.microvm.launcher import main

raise SystemExit(main())
