"""Run the shim: `python -I -S labkit/engine/shim/__main__.py STATE`. Isolated, and without site: it stays small."""

import gc
import os
import sys

sys.path.insert(0, os.path.abspath(f"{__file__}/../../../.."))  # -I leaves out the folder that labkit is in

from labkit.engine.shim.sealed import run_sealed
from labkit.engine.shim.shim import Shim


def main() -> None:
    """Serve one state folder until no container and no engine is left."""
    run_sealed(["-I", "-S", *sys.argv])
    with open("/proc/self/comm", "w") as name:
        name.write("labkit-shim")  # what ps and top show; the copy's own name would be a number
    state = sys.argv[1]
    shim = Shim(state)
    with open(f"/proc/{os.getpid()}/stat") as file:
        started = file.read().rpartition(")")[2].split()[19]  # starttime: a pid alone may come to name another process
    with open(f"{state}/shim.pid", "w") as file:
        file.write(f"{os.getpid()} {started}\n")
    print("ready", flush=True)
    gc.freeze()  # what is here now is shared with every clone: the collector must not touch those pages
    shim.loop.run()


if __name__ == "__main__":
    main()
