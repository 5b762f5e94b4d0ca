"""Small archives for tests, written as a list: what is in it can be read off the test."""

import gzip
import io
import os
import tarfile
from collections.abc import Mapping
from typing import Any

Item = tuple[str, Mapping[str, Any]]


def file(name: str, content: bytes = b"", **fields: Any) -> Item:
    return name, {"content": content, "mode": 0o644, **fields}


def folder(name: str, **fields: Any) -> Item:
    return name, {"type": tarfile.DIRTYPE, "mode": 0o755, **fields}


def link(name: str, target: str, **fields: Any) -> Item:
    return name, {"type": tarfile.SYMTYPE, "linkname": target, "mode": 0o777, **fields}


def hard_link(name: str, target: str) -> Item:
    return name, {"type": tarfile.LNKTYPE, "linkname": target}


def device(name: str, major: int, minor: int, kind: bytes = tarfile.CHRTYPE) -> Item:
    return name, {"type": kind, "devmajor": major, "devminor": minor, "mode": 0o600}


def tar(*items: Item) -> bytes:
    """The items as an uncompressed archive, owned by whoever runs the test so that an ordinary user can unpack it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, fields in items:
            info, content = tarfile.TarInfo(name), fields.get("content", b"")
            info.uid, info.gid, info.size = os.geteuid(), os.getegid(), len(content)
            for field, value in fields.items():
                if field != "content":
                    setattr(info, field, value)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def packed(*items: Item) -> bytes:
    """The same, compressed."""
    return gzip.compress(tar(*items), mtime=0)


def names(archive: bytes) -> list[str]:
    """What an archive holds, in its order."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        return opened.getnames()
