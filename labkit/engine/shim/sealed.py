"""Run from a copy of the interpreter that nobody can write to.

A container can come to execute the very program that makes it: an entrypoint that is a link to /proc/self/exe. Root
in it could then open that file for writing, and for a rootful engine it is the machine's own Python (CVE-2019-5736).
So the shim, and with it every child it clones, runs from a sealed copy in memory: memfd_create(2), F_ADD_SEALS in
fcntl(2).
"""

import fcntl
import os
import sys

NAME = "labkit-python"
MFD_EXEC = 0x10  # newer than Python 3.11; asks for what vm.memfd_noexec=1 takes away by default
SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


def is_sealed() -> bool:
    """Whether the running program is such a copy."""
    return os.readlink("/proc/self/exe").startswith(f"/memfd:{NAME}")


def run_sealed(arguments: list[str]) -> None:
    """Begin anew from a sealed copy, with the same interpreter arguments. Does nothing where that has been done.

    OSError where the kernel refuses it; the shim must not go on without.
    """
    if is_sealed():
        return
    copy = _memory_file()
    with open("/proc/self/exe", "rb") as program:
        size = os.fstat(program.fileno()).st_size
        while size > 0:
            size -= os.sendfile(copy, program.fileno(), None, size)
    fcntl.fcntl(copy, fcntl.F_ADD_SEALS, SEALS)
    # The first argument keeps the interpreter's path: from it Python finds its library
    os.execve(f"/proc/self/fd/{copy}", [sys.executable, *arguments], os.environ)


def _memory_file() -> int:
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    try:
        return os.memfd_create(NAME, flags | MFD_EXEC)
    except OSError:  # a kernel before 6.3 does not know the flag, and needs none
        return os.memfd_create(NAME, flags)
