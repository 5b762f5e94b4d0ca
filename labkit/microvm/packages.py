"""Files out of the distribution's packages, without root and without installing anything.

What is installed is used first. Otherwise apt-get(8) downloads the package, checks its signature chain as always, and
dpkg-deb(1) unpacks it into a folder of ours: none of its scripts run. Left out: distributions without apt.
"""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from labkit.errors import EngineError

SECONDS = 600


class GuestNotBuilt(EngineError):
    """The files of a guest could not be had."""


def root_of(path: str, package: str, cache: Path) -> Path:
    """The folder below which `path` is found: `/` where the package is installed, else an unpacked copy in `cache`."""
    for root in (Path("/"), cache / package):
        if any(root.glob(path)):
            return root
    unpack(package, cache)
    return cache / package


def unpack(package: str, cache: Path) -> None:
    """Download a package, and for a package without files the one that it stands for, into `cache`/`package`."""
    folder = cache / "downloads"
    folder.mkdir(parents=True, exist_ok=True)
    archive = _download(package, folder)
    depends = _run(["dpkg-deb", "-f", str(archive), "Depends"], folder)
    if standing_for := re.match(r"linux-image-[\d.]+-\d+\S*", depends):
        archive = _download(standing_for[0], folder)
    _run(["dpkg-deb", "-x", str(archive), str(cache / package)], folder)


def missing_with_dependencies(package: str, cache: Path) -> list[str]:
    """The names of all packages that installing this one would bring here."""
    said = _apt(["install", "--no-install-recommends", "--yes", "--dry-run", package], cache)
    return re.findall(r"^Inst (\S+)", said, re.MULTILINE)


def _download(package: str, folder: Path) -> Path:
    _apt(["download", package], folder)
    found = sorted(folder.glob(f"{package}_*.deb"))
    if not found:
        raise GuestNotBuilt(f"We downloaded {package} with apt-get", f"no file of it came into {folder}")
    return found[-1]


def _apt(arguments: Sequence[str], folder: Path) -> str:
    """apt-get; where it knows no package (many images have their lists removed), once more with lists of our own."""
    command = ["apt-get", "-qq", "-o", "APT::Sandbox::User="]
    try:
        return _run([*command, *arguments], folder)
    except GuestNotBuilt:
        lists = folder / "lists"
        (lists / "partial").mkdir(parents=True, exist_ok=True)
        own = [*command, "-o", f"Dir::State::Lists={lists}", "-o", f"Dir::Cache={folder}"]
        _run([*own, "update"], folder)
        return _run([*own, *arguments], folder)


def _run(command: Sequence[str], folder: Path) -> str:
    """What a command prints. Raises GuestNotBuilt with its words."""
    shown = " ".join(command)
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GuestNotBuilt(f"We ran `{shown}`", str(error), "install that program") from error
    if done.returncode:
        raise GuestNotBuilt(f"We ran `{shown}`", done.stderr.strip()[-400:] or f"exit status {done.returncode}")
    return done.stdout
