"""The teaching image, `labkit/base`, made on any engine, with no network where that can be.

It needs a handful of commands. `SOURCES` says where they may come from, best first: a busybox (one program that
is ls, sh, ps and three hundred others) from the machine, from its package manager, from a registry; last, the
machine's own programs with the libraries that they link to. What else the image holds is in labkit/rootfs.py.

Some lessons start a program that only a busybox has, such as its web server: `NEEDS`. They say so to base_image().
"""

import io
import os
import platform
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.errors import DockerException, ImageNotFound

from labkit import rootfs
from labkit.connect import OneLine, reason
from labkit.errors import NoBaseImage

SYSTEM_PATH = "/bin:/usr/bin:/sbin:/usr/sbin"  # not $PATH: a conda environment's tools belong to its libraries
REGISTRY_IMAGE = "busybox:musl"  # the variant whose program links to nothing
# Go's names for processors, which Docker uses, by the kernel's names
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "ppc64le": "ppc64le", "s390x": "s390x"}


class Unavailable(Exception):
    """This source has nothing for us; the next one is asked."""


@dataclass(frozen=True)
class Tools:
    """Programs for the image's tree, and what they are, as a learner reads it."""

    tree: rootfs.Tree
    made_of: str


# What a lesson may need of the image -> how `made_of` begins in an image that has it
NEEDS = {"": "", "busybox": "busybox", "static busybox": "busybox, "}


def base_image(client: docker.DockerClient, needs: str = "") -> str:
    """Make sure that the engine has the teaching image; print one line that says its source; return its tag.

    `needs` is a key of NEEDS: "busybox", or "static busybox", which links to no library and so runs alone. An image
    that lacks it is made anew. Raises NoBaseImage, with the answer of every source, when none has what is needed.
    """
    with OneLine("Image: ") as line:
        present = already_there(client)
        if present is None or not present.startswith(NEEDS[needs]):
            line.say(f"{rootfs.TAG}, made of {make(client, progress=line.say, needs=needs)}.")
        else:
            line.say(f"{rootfs.TAG}, already here, made of {present}.")
    return rootfs.TAG


def already_there(client: docker.DockerClient) -> str | None:
    """What the image on the engine is made of; None when it is missing, not ours, or of an older recipe."""
    try:
        return rootfs.made_of(client.images.get(rootfs.TAG).attrs)
    except ImageNotFound:
        return None


def make(
    client: docker.DockerClient,
    sources: "Sequence[Source] | None" = None,
    progress: Callable[[str], None] = lambda text: None,
    needs: str = "",
) -> str:
    """Load the image, made from the first source that has something; return what it is made of."""
    architecture = client.version()["Arch"]
    same = platform.system() == "Linux" and architecture == ARCHITECTURES.get(platform.machine())
    refusals = []
    for source in SOURCES if sources is None else sources:
        if source.local and not same:
            refusals.append(
                f"{source.name}: the engine runs Linux programs for {architecture}, and this machine's differ"
            )
            continue
        if source.slow:
            progress(f"{source.slow}… ")
        try:
            tools = source.find(client)
        except Unavailable as error:
            refusals.append(f"{source.name}: {error}")
            continue
        if not tools.made_of.startswith(NEEDS[needs]):
            refusals.append(f"{source.name}: what it has is no {needs}")
            continue
        client.images.load(rootfs.archive(tools.tree, architecture, tools.made_of))
        return tools.made_of
    raise NoBaseImage(
        f"We looked for the programs of {rootfs.TAG}" + (f", and a {needs} among them" if needs else ""),
        "; ".join(refusals),
        "install busybox (Debian, Ubuntu: `sudo apt install busybox-static`), or connect the engine to the network",
    )


def from_machine(client: docker.DockerClient) -> Tools:
    """A busybox that is installed here."""
    found = shutil.which("busybox", path=SYSTEM_PATH) or shutil.which("busybox.static", path=SYSTEM_PATH)
    if not found:
        raise Unavailable("none is installed")
    linked_to = " with its libraries" if libraries(found) else ""
    return Tools(busybox_tree(Path(found)), f"busybox{linked_to}, found on this machine ({found})")


# How each package manager hands out a package to somebody who is not root: into the current folder, unpacked.
PACKAGERS = {
    "apt-get": "apt-get -qq -o Acquire::Retries=0 -o Acquire::http::Timeout=10 download busybox-static\n"
    "dpkg-deb -x busybox-static_*.deb .",
    "dnf": "dnf -q download busybox\nrpm2cpio busybox-*.rpm | cpio -idm --quiet",
    "apk": "apk fetch --quiet busybox-static\ntar -xzf busybox-static-*.apk",
}


def from_packages(client: docker.DockerClient) -> Tools:
    """A busybox from the system's package manager, downloaded and unpacked, not installed."""
    packager = next((name for name in PACKAGERS if shutil.which(name)), None)
    if packager is None:
        raise Unavailable(f"none of {', '.join(PACKAGERS)} is here")
    with tempfile.TemporaryDirectory(prefix="labkit-") as folder:
        command = ["timeout", "60", "sh", "-ec", PACKAGERS[packager]]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise Unavailable(f"{packager} said: {_last_line(done.stderr) or f'exit status {done.returncode}'}")
        programs = [path for path in Path(folder).rglob("busybox*") if path.parent.name in ("bin", "sbin")]
        if not programs:
            raise Unavailable(f"{packager}'s package holds no busybox")
        return Tools(busybox_tree(programs[0]), f"busybox, from the package manager ({packager})")


def from_registry(client: docker.DockerClient) -> Tools:
    """A busybox out of the image of that name: pulled, opened, and removed again if it was not here before."""
    try:
        had_it = any(REGISTRY_IMAGE in image.tags for image in client.images.list(REGISTRY_IMAGE))
        image = client.images.get(REGISTRY_IMAGE) if had_it else client.images.pull(REGISTRY_IMAGE)
        container = client.containers.create(image, labels=rootfs.LABELS)
        try:
            program = _only_file(b"".join(container.get_archive("/bin/busybox")[0]))
        finally:
            container.remove()
            if not had_it:
                client.images.remove(REGISTRY_IMAGE)
    except (DockerException, OSError) as error:
        raise Unavailable(f"the engine said: {reason(error)}") from error
    with tempfile.TemporaryDirectory(prefix="labkit-") as folder:
        path = Path(folder, "busybox")
        path.write_bytes(program)
        return Tools(busybox_tree(path, runs_here=False), f"busybox, from the registry ({REGISTRY_IMAGE})")


def from_own_tools(client: docker.DockerClient) -> Tools:
    """The machine's own shell and commands, with every library that they link to."""
    tree, first_name = {"bin/ps": rootfs.program(PS_SCRIPT.encode())}, dict[str, str]()
    for name in (*rootfs.NEEDED, *rootfs.WELCOME):
        path = os.path.realpath(shutil.which(name, path=SYSTEM_PATH) or "/")
        if f"bin/{name}" in tree or not is_elf(path):
            continue
        same = first_name.setdefault(path, name)  # one program may carry many names, as busybox does
        tree[f"bin/{name}"] = rootfs.link(same) if same != name else rootfs.program(Path(path).read_bytes())
        tree |= libraries(path)
    if missing := [name for name in rootfs.NEEDED if f"bin/{name}" not in tree]:
        raise Unavailable(f"this machine has no {', '.join(missing)}")
    return Tools(tree, "this machine's own shell and tools")


@dataclass(frozen=True)
class Source:
    """A place where programs may come from."""

    name: str
    find: Callable[[docker.DockerClient], Tools]
    local: bool = True  # its programs are for this machine's processor and system
    slow: str = ""  # what a learner reads while it may take a while


SOURCES = (
    Source("busybox on this machine", from_machine),
    Source("busybox from the package manager", from_packages, slow="asking the package manager for a busybox"),
    Source("busybox from a registry", from_registry, local=False, slow="pulling busybox from its registry"),
    Source("this machine's own tools", from_own_tools),
)


def busybox_tree(program: Path, runs_here: bool = True) -> rootfs.Tree:
    """bin/busybox, a link to it for each of its commands that we offer, and the libraries it may need."""
    offered = [*rootfs.NEEDED, *rootfs.WELCOME]
    if runs_here:
        applets = _run([str(program), "--list"]).split()
        offered = [name for name in offered if name in applets]
    if missing := [name for name in rootfs.NEEDED if name not in offered]:
        raise Unavailable(f"{program} lacks {', '.join(missing)}")
    links = {f"bin/{name}": rootfs.link("busybox") for name in offered}
    needed = libraries(str(program)) if runs_here else {}
    return {**links, "bin/busybox": rootfs.program(program.read_bytes()), **needed}


def libraries(path: str) -> rootfs.Tree:
    """The shared libraries and the loader that a program needs, each under the path where the loader looks."""
    return {found.lstrip("/"): rootfs.program(Path(found).read_bytes()) for found in linked(_run(["ldd", path]))}


def linked(ldd_output: str) -> list[str]:
    """The files in the answer of ldd(1): `libc.so.6 => /lib/libc.so.6 (0x…)` or `/lib/ld.so (0x…)` a line."""
    return re.findall(r"(?:^\s*|=> )(/\S+) \(0x", ldd_output, re.MULTILINE)


def is_elf(path: str) -> bool:
    """Whether the file is a program for the kernel itself (ELF), and not a script."""
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"\x7fELF"
    except OSError:
        return False


def _run(command: Sequence[str]) -> str:
    """The output of a short command; empty where it fails (ldd fails on a program that links to nothing)."""
    environ = {"PATH": SYSTEM_PATH, "LC_ALL": "C"}  # no LD_LIBRARY_PATH: the container will have none
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _only_file(tar_bytes: bytes) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(tar_bytes)) as tar:
        file = tar.extractfile(tar.getmembers()[0])
        return file.read() if file else b""


def _last_line(output: str) -> str:
    return (output.strip().splitlines() or [""])[-1]


# The machine's ps(1) chooses and words its columns in its own way, and the lessons read busybox's. This one prints
# those, in plain sh, and takes `-o` with the columns below.
PS_SCRIPT = r"""#!/bin/sh
columns=pid,user,args
[ "$1" = -o ] && columns=$2
name_of() {
    while IFS=: read -r name x uid rest; do
        [ "$uid" = "$1" ] && echo "$name" && return
    done </etc/passwd
    echo "$1"
}
row() {
    line=
    for column in $(echo "$columns" | tr , ' '); do
        case $column in
            pid) cell=$(printf '%5s' "$pid") ;;
            ppid) cell=$(printf '%5s' "$ppid") ;;
            user) cell=$(printf '%-8s' "$user") ;;
            comm) cell=$(printf '%-16s' "$comm") ;;
            args) cell=$args ;;
            *) echo "ps: unknown column $column" >&2; exit 1 ;;
        esac
        line="$line${line:+ }$cell"
    done
    echo "$line"
}
pids=$(echo /proc/[0-9]* | tr ' ' '
' | sed 's|/proc/||' | sort -n)
pid='PID  ' ppid='PPID ' user=USER comm=COMMAND args=COMMAND
row
for pid in $pids; do
    [ -r "/proc/$pid/status" ] || continue
    while read -r key value rest; do
        case $key in Name:) comm=$value ;; PPid:) ppid=$value ;; Uid:) user=$(name_of "$value") ;; esac
    done 2>/dev/null <"/proc/$pid/status" || continue
    args=$(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline")
    args=${args% }
    [ "$pid" = $$ ] && comm=ps args="ps${*:+ $*}"
    row
done
"""
