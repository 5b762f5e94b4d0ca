"""The teaching image as plain data: which files it holds, and the archive that `docker load` reads.

Everything here is a value computed from values: the same tools give the same bytes, so the same image id, on every
engine. Where the tools come from is labkit/images.py. Left out: compression, and more than one layer.
"""

import hashlib
import io
import json
import posixpath
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

RECIPE = 1  # raised when the files below change, so that an older image is made anew
TAG = "labkit/base:latest"
LABELS = {"labkit": "course"}  # Docker hands it on to containers and to images committed from them
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CREATED = "2025-01-01T00:00:00Z"  # fixed: the moment of making must not change the image's id

# The commands that the image offers, whatever they are made of: those that the lessons need, and those that a learner
# who looks around may want.
NEEDED = """
    sh echo cat ls sleep touch rm mkdir ps id hostname env head wc date mv cp kill test sha256sum ln tail grep sed
""".split()
WELCOME = """
    [ awk base64 basename chgrp chmod chown clear cmp cut dd df diff dirname dmesg du expr false find free groups
    gunzip gzip hexdump ifconfig ip less mktemp more mount nc netstat nice nohup nproc nslookup od pgrep pidof ping
    pkill printenv printf pwd readlink realpath rmdir route seq sha1sum sort stat stty sync tar tee time timeout top
    tr true tty umount uname uniq uptime vi watch wget which whoami xargs yes
""".split()


@dataclass(frozen=True)
class Node:
    """One entry of a file tree: a file with data, a symbolic link with a target, or a directory with neither."""

    mode: int
    data: bytes | None = None
    link: str = ""


Tree = dict[str, Node]  # path without the leading slash -> what is there


def directory(mode: int = 0o755) -> Node:
    return Node(mode)


def program(data: bytes) -> Node:
    return Node(0o755, data)


def link(target: str) -> Node:
    return Node(0o777, link=target)


def text(content: str) -> Node:
    return Node(0o644, content.encode())


# Everything belongs to root, learner's home too: an engine that has one user id only can't give files to another.
# So that home is open to all instead. /dev, /proc and /sys are where the engine mounts what the kernel makes up.
SKELETON: Tree = {
    **{path: directory() for path in ("bin", "dev", "etc", "home", "proc", "run", "sys", "usr", "var")},
    "root": directory(0o700),
    "tmp": directory(0o1777),
    "home/learner": directory(0o777),
    "etc/passwd": text(
        "root:x:0:0:root:/root:/bin/sh\n"
        "learner:x:1000:1000:learner:/home/learner:/bin/sh\n"
        "nobody:x:65534:65534:nobody:/:/bin/false\n"
    ),
    "etc/group": text("root:x:0:\nlearner:x:1000:\nnobody:x:65534:\n"),
    "etc/motd": text("Welcome! You are inside a container made from labkit/base.\n"),
}


def complete(tools: Tree) -> Tree:
    """The image's whole file tree: the skeleton, the tools, and every directory that the tools' paths need."""
    parents = {parent: directory() for path in tools for parent in _parents(path)}
    return {**parents, **SKELETON, **tools}


def _parents(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[: end + 1]) for end in range(len(parts))]


def layer(tree: Tree) -> bytes:
    """The tree as an uncompressed tar: sorted, owned by root, dated 1970, so equal trees give equal bytes."""
    files = {name: (_header(name, node), node.data or b"") for name, node in sorted(tree.items())}
    return _tar(files.values())


def _header(name: str, node: Node) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.mode = node.mode
    if node.link:
        header.type, header.linkname = tarfile.SYMTYPE, node.link
    elif node.data is None:
        header.type = tarfile.DIRTYPE
    else:
        header.size = len(node.data)
    return header  # a new TarInfo has uid 0, gid 0 and mtime 0 already


def config(layer_tar: bytes, architecture: str, made_of: str) -> bytes:
    """The image's configuration in OCI image-spec form (config.md): how to run it, and the digest of its layer."""
    comment = f"{_mark()}{made_of}"
    document = {
        "architecture": architecture,
        "os": "linux",
        "created": CREATED,
        "comment": comment,
        "config": {"Cmd": ["sh"], "Env": [f"PATH={PATH}"], "WorkingDir": "/", "Labels": LABELS},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{_digest(layer_tar)}"]},
        "history": [{"created": CREATED, "created_by": "labkit.base_image", "comment": comment}],
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def archive(tools: Tree, architecture: str, made_of: str) -> bytes:
    """The image in the form that `docker save` writes and `docker load` reads: config, layer, manifest.json."""
    layer_tar = layer(complete(tools))
    settings = config(layer_tar, architecture, made_of)
    config_name, layer_name = f"{_digest(settings)}.json", f"{_digest(layer_tar)}/layer.tar"
    manifest = [{"Config": config_name, "RepoTags": [TAG], "Layers": [layer_name]}]
    members = {
        posixpath.dirname(layer_name): directory(),
        layer_name: Node(0o644, layer_tar),
        config_name: Node(0o644, settings),
        "manifest.json": Node(0o644, json.dumps(manifest).encode()),
    }
    return _tar((_header(name, node), node.data or b"") for name, node in members.items())


def made_of(attrs: Mapping[str, object]) -> str | None:
    """What an image says it is made of (read from `GET /images/…/json`); None when it is not ours, or is older."""
    settings = attrs.get("Config")
    labels = settings.get("Labels") if isinstance(settings, Mapping) else None
    comment = str(attrs.get("Comment") or "")
    ours = isinstance(labels, Mapping) and LABELS.items() <= labels.items() and comment.startswith(_mark())
    return comment.removeprefix(_mark()) if ours else None


def _mark() -> str:
    return f"labkit/base, recipe {RECIPE}, made of "


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _tar(members: Iterable[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for header, data in members:
            tar.addfile(header, io.BytesIO(data))
    return buffer.getvalue()
