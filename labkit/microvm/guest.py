import os
from pathlib import Path

from labkit.engine.state import default_state


def default_files() -> Path:
    return Path(os.environ.get("LABKIT_GUEST") or default_state() / "guest")
