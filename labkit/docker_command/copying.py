"""cp: a file or a folder out of a container or into it, as a tar archive in one request.

Left out: `-` (a tar stream on a terminal's pipe), and following links with -L.
"""

import io
import os
import posixpath
import shutil
import tarfile
from collections.abc import Callable
from typing import Any

from docker import DockerClient
from docker.errors import NotFound

from labkit.docker_command.words import Given, Misused

Say = Callable[[str], None]
END_OF_ARCHIVE = b"\0" * 1024  # two empty blocks; Python's own close would fill up to 10240 bytes


def cp(client: DockerClient, given: Given, say: Say) -> int:
    """Copy files between a container and this machine."""
    source, target = given.words
    out_of, into = _container(source), _container(target)
    if out_of and into:
        raise Misused("copying between containers is not supported")
    if not out_of and not into:
        raise Misused("must specify at least one container source")
    try:
        if out_of:
            _copy_out(client, *out_of, target)
        elif into:
            _copy_in(client, source, *into)
    except (tarfile.TarError, PermissionError, FileNotFoundError) as error:
        raise Misused(str(error)) from error
    return 0


def _container(text: str) -> tuple[str, str] | None:
    """`name:path`, unless it is a path of this machine."""
    name, colon, path = text.partition(":")
    return (name, path) if colon and not text.startswith((".", "/")) else None


def _copy_out(client: DockerClient, name: str, path: str, target: str) -> None:
    chunks, about = client.api.get_archive(name, path)
    inside = str(about["name"])
    # into a folder that exists under its own name, else under the target's
    folder, top = (target, inside) if os.path.isdir(target) else os.path.split(os.path.abspath(target))
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
        for member in archive:
            place = os.path.join(folder, os.path.normpath(os.path.join(top, os.path.relpath(member.name, inside))))
            unpack(archive, member, folder, place)


def unpack(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: str, place: str) -> None:
    """Write one entry of an archive to its place, which must be in the folder: nothing is written through a link.

    (Python's own filter for this, tarfile.data_filter, is younger than Python 3.11.)
    """
    root = os.path.realpath(folder)
    if os.path.commonpath([root, os.path.realpath(os.path.dirname(place))]) != root:
        raise Misused(f"{member.name} would be written outside of {folder}")
    if os.path.islink(place):
        os.unlink(place)
    if member.isdir():
        os.makedirs(place, exist_ok=True)
    elif member.issym():
        os.symlink(member.linkname, place)
    elif content := archive.extractfile(member):  # a file, or a second name of one
        with open(place, "wb") as file:
            shutil.copyfileobj(content, file)
        os.chmod(place, member.mode & 0o777)
        os.utime(place, (member.mtime, member.mtime))
    else:
        raise Misused(f"{member.name} is a device or a pipe, and labkit's cp leaves those where they are")


def _copy_in(client: DockerClient, source: str, name: str, path: str) -> None:
    if not os.path.lexists(source):
        raise Misused(f"lstat {os.path.abspath(source)}: no such file or directory")
    folder, top = _place(client, name, path or "/", os.path.basename(os.path.abspath(source)))
    client.api.put_archive(name, folder, packed(source, top))


def _place(client: DockerClient, name: str, path: str, base: str) -> tuple[str, str]:
    """The folder in the container that receives the archive, and what the top of the archive is called."""
    try:
        about: dict[str, Any] = client.api.get_archive(name, path)[1]
    except NotFound as missing:
        if "No such container" in str(missing.explanation):
            raise
        return posixpath.dirname(path.rstrip("/")) or "/", posixpath.basename(path.rstrip("/"))
    is_folder = bool(about["mode"] >> 31 & 1)  # the bit of Go's os.ModeDir
    return (path, base) if is_folder else (posixpath.dirname(path) or "/", posixpath.basename(path))


def packed(source: str, top: str) -> bytes:
    """A file or a folder of this machine as a tar archive whose top is called `top`, owned by root."""
    buffer = io.BytesIO()
    archive = tarfile.open(fileobj=buffer, mode="w")  # noqa: SIM115 (never closed: see END_OF_ARCHIVE)
    archive.add(source, arcname=top, filter=_owned_by_root)
    return buffer.getvalue() + END_OF_ARCHIVE


def _owned_by_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member
