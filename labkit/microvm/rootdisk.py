"""The root disk of an emulated guest: the Python that runs this, with what the engine needs, and a busybox.

A guest of user-mode Linux sees the host's files. QEMU has to bring some: an ext4 image, filled without root by
`mke2fs -d`. The interpreter and its libraries keep their paths, so that they find each other; labkit and the packages
that the engine imports go to one folder. All is compiled beforehand: an emulated processor would take a minute.
"""

import compileall
import hashlib
import importlib.metadata
import os
import py_compile
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import labkit
from labkit.microvm.packages import GuestNotBuilt

LIBRARY = "/labkit"  # labkit and the packages that it needs, in the guest
ENGINE_NEEDS = ("aiohttp", "dnspython")  # what the engine imports that is neither Python's nor ours
FOLDERS = ("proc", "sys", "dev", "run", "tmp", "root", "etc", "var")
USELESS = (
    "test", "tests", "idlelib", "tkinter", "turtledemo", "lib2to3", "ensurepip", "distutils", "pydoc_data",
    "site-packages", "dist-packages", "__pycache__", ".*", "config-*", "*.a", "lessons", "views",
    "_tkinter*", "_sqlite3*", "_test*", "_ctypes_test*",
)  # fmt: skip
LIBC_FOLDER = f"/lib/{sysconfig.get_config_var('MULTIARCH') or ''}".rstrip("/")  # where the loader looks by itself


def interpreter() -> str:
    """The path of the real interpreter, not a virtual environment's link to it."""
    return os.path.realpath(getattr(sys, "_base_executable", sys.executable))


def fingerprint() -> str:
    """What a disk depends on: labkit's sources and the interpreter. Another fingerprint needs another disk."""
    digest = hashlib.sha256(f"{interpreter()} {sys.version}".encode())
    source = Path(labkit.__file__).parent
    for path in sorted(source.rglob("*.py")):
        digest.update(str(path.relative_to(source)).encode() + path.read_bytes())
    return digest.hexdigest()


def build(target: Path, busybox: bytes) -> None:
    """Write the image. Takes some ten seconds. Raises GuestNotBuilt."""
    with tempfile.TemporaryDirectory(prefix="labkit-disk-") as folder:
        tree = Path(folder)
        fill(tree)
        add_tools(tree, busybox)
        megabytes = sum(path.lstat().st_size // 4096 + 1 for path in tree.rglob("*")) * 4096 * 1.1 // (1 << 20) + 4
        command = ["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-b", "4096", "-E", "root_owner=0:0"]
        _run([*command, "-d", str(tree), str(target), f"{megabytes:.0f}M"])


def fill(tree: Path) -> None:
    """Lay the guest's files out below `tree`."""
    from labkit.engine.containers.hostdevices import init_program  # only here: others import us for a path

    for name in FOLDERS:
        (tree / name).mkdir()
    (tree / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    stdlib = Path(sysconfig.get_path("stdlib"))
    library = tree / LIBRARY.lstrip("/")
    ignore = shutil.ignore_patterns(*USELESS)
    shutil.copytree(stdlib, _below(tree, stdlib), symlinks=True, ignore=ignore)
    _copy(Path(interpreter()), _below(tree, Path(interpreter())))
    shutil.copytree(Path(labkit.__file__).parent, library / "labkit", ignore=ignore)
    for source, name in needed_packages(*ENGINE_NEEDS):
        _copy(source, library / name)
    if init := init_program():  # for containers that ask for one: `docker run --init`
        _copy(Path(init), _below(tree, Path(init)))
    for path in libraries([path for path in tree.rglob("*") if _is_elf(path)], tree):
        _copy(Path(path), _below(tree, Path(path)))
        _link(tree / LIBC_FOLDER.lstrip("/") / Path(path).name, path)
    compile_all(tree)


def add_tools(tree: Path, busybox: bytes) -> None:
    """A shell and its tools, for lessons that look at the engine's machine: one program with many names."""
    program = tree / "bin" / "busybox"
    program.parent.mkdir(exist_ok=True)
    program.write_bytes(busybox)
    program.chmod(0o755)
    for name in _run([str(program), "--list"]).split():
        _link(program.with_name(name), program.name)


def compile_all(tree: Path) -> None:
    """Compile every module, and let Python trust that without a look at the source's time."""
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(tree, quiet=2, stripdir=str(tree), prependdir="/", invalidation_mode=mode, workers=0)


def needed_packages(*names: str, seen: set[str] | None = None) -> Iterator[tuple[Path, str]]:
    """The files of installed distributions and of all they need here: (where it is, its path below site-packages)."""
    seen = set() if seen is None else seen
    for name in names:
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # needed on another platform, or by another Python
        if found.metadata["Name"].lower() in seen:
            continue
        seen.add(found.metadata["Name"].lower())
        for file in found.files or ():
            if file.suffix in (".py", ".so") and ".." not in file.parts:
                yield Path(str(found.locate_file(file))), str(file)
        wanted = [requirement for requirement in found.requires or () if "extra ==" not in requirement]
        yield from needed_packages(*(word[0] for each in wanted if (word := re.match(r"[\w.-]+", each))), seen=seen)


def libraries(programs: list[Path], tree: Path) -> list[str]:
    """The shared libraries of programs, as ldd(1) finds them, that are not in the tree themselves."""
    said = _run(["ldd", *map(str, programs)], check=False)
    found = set(re.findall(r"(?:=> |^\s+)(/\S+) \(0x", said, re.MULTILINE))
    return sorted(path for path in found if not path.startswith(str(tree)))


def _is_elf(path: Path) -> bool:
    if not path.is_file() or path.is_symlink():
        return False
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def _below(tree: Path, path: Path) -> Path:
    return tree / str(path).lstrip("/")


def _copy(source: Path, target: Path) -> None:
    """The file itself where the source is a link."""
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def _link(place: Path, path: str) -> None:
    """Put a library where the loader looks by itself; the cache that it would ask is not in the guest."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.exists() and not place.is_symlink():
        place.symlink_to(path)


def _run(command: list[str], *, check: bool = True) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GuestNotBuilt(f"We ran `{command[0]}`", str(error), "sudo apt install e2fsprogs libc-bin") from error
    if check and done.returncode:
        raise GuestNotBuilt(f"We ran `{' '.join(command)}`", done.stderr.strip()[-400:])
    return done.stdout
