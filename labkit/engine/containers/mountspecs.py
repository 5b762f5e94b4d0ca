"""How a request asks for mounts: `-v` as a text, `--mount` as an object, `--volumes-from` as a name. Pure.

    /here:/there:ro        HostConfig.Binds: a bind, as its source is a path
    data:/there:nocopy     HostConfig.Binds: a volume, as its source is a name
    {"Type": "volume"}     HostConfig.Mounts
    web:ro                 HostConfig.VolumesFrom

A mount point made here may still lack what only the engine knows: the folder of its volume. What is wrong is said in
Docker's words. Source: Docker Engine API, HostConfig; moby volume/mounts.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from labkit.engine.containers.mounts import MountPoint, tmpfs_options
from labkit.engine.errors import BadParameter

Json = Mapping[str, Any]

PROPAGATIONS = ("private", "rprivate", "shared", "rshared", "slave", "rslave")

# the words of a mode; of each group one may be given
ACCESS = ("ro", "rw")
RELABEL = ("z", "Z")  # for SELinux
COPY = ("nocopy",)
CONSISTENCY = ("consistent", "cached", "delegated")  # for Docker Desktop
GROUPS = (ACCESS, RELABEL, COPY, CONSISTENCY, PROPAGATIONS)

_EXTRA = "field {0} must not be specified"
_MISSING = "field {0} must not be empty"


def bind(text: str) -> MountPoint:
    """One of HostConfig.Binds. A single path is an anonymous volume. Raises BadParameter."""
    first, *rest = text.split(":")
    if not first or len(rest) > 2 or (len(rest) == 1 and _is_mode(rest[0])):
        raise BadParameter(f"invalid volume specification: '{text}'")
    source, target, mode = (first, *rest, "")[:3] if rest else ("", first, "")
    if not _is_mode(mode):
        raise BadParameter(f"invalid mode: {mode}")
    try:
        return _from_mode(source, target, mode)
    except BadParameter as wrong:
        raise BadParameter(f"invalid volume specification: '{text}': {wrong.message}") from wrong


def _is_mode(text: str) -> bool:
    words = text.split(",") if text else []
    known = all(any(word in group for group in GROUPS) for word in words)
    return known and all(sum(word in group for word in words) <= 1 for group in GROUPS)


def _from_mode(source: str, target: str, mode: str) -> MountPoint:
    words = mode.split(",")
    propagation = next((word for word in words if word in PROPAGATIONS), "")
    asked = {
        "Type": "bind" if source.startswith("/") else "volume",
        "Source": source,
        "Target": target,
        "ReadOnly": "ro" in words,
        **({"BindOptions": {"Propagation": propagation}} if propagation else {}),
        **({"VolumeOptions": {"NoCopy": True}} if "nocopy" in words else {}),
    }
    made = mount(asked)
    return replace(made, mode=mode or made.mode, makes_source=made.type == "bind")


def mount(asked: Json) -> MountPoint:
    """One of HostConfig.Mounts. Raises BadParameter."""
    kind = asked.get("Type") or ""
    try:
        if kind not in _KINDS:
            raise BadParameter("mount type unknown")
        _check_target(asked.get("Target") or "")
        return _KINDS[kind](asked)
    except BadParameter as wrong:
        raise BadParameter(f'invalid mount config for type "{kind}": {wrong.message}') from wrong


def _check_target(target: str) -> None:
    if not target:
        raise BadParameter(_MISSING.format("Target"))
    _check_absolute(target)
    if os.path.normpath(target) == "/":
        raise BadParameter("invalid specification: destination can't be '/'")


def _check_absolute(path: str) -> None:
    if not path.startswith("/"):
        raise BadParameter(f"invalid mount path: '{path}' mount path must be absolute")


def _refuse(asked: Json, *fields: str) -> None:
    for field in fields:
        if asked.get(field) is not None and asked[field] != "":
            raise BadParameter(_EXTRA.format(field))


def clean(path: str) -> str:
    """A path without `.`, `..` and doubled slashes, as text."""
    return "/" + os.path.normpath(path).lstrip("/")


def _bind(asked: Json) -> MountPoint:
    source, options = asked.get("Source") or "", asked.get("BindOptions") or {}
    if not source:
        raise BadParameter(_MISSING.format("Source"))
    propagation = options.get("Propagation") or "rprivate"
    if propagation not in PROPAGATIONS:
        raise BadParameter(f"invalid propagation mode: {propagation}")
    _refuse(asked, "VolumeOptions")
    _check_absolute(source)
    return MountPoint(
        "bind",
        clean(asked["Target"]),
        clean(source),
        writable=not asked.get("ReadOnly"),
        propagation=propagation,
        recursive=not options.get("NonRecursive"),
        makes_source=bool(options.get("CreateMountpoint")),
    )


def _volume(asked: Json) -> MountPoint:
    name, options = asked.get("Source") or "", asked.get("VolumeOptions") or {}
    driver = options.get("DriverConfig") or {}
    _refuse(asked, "BindOptions")
    if not name and asked.get("ReadOnly"):
        raise BadParameter("must not set ReadOnly mode when using anonymous volumes")
    return MountPoint(
        "volume",
        clean(asked["Target"]),
        name=name,
        mode="z",  # what dockerd shows where nothing was given
        writable=not asked.get("ReadOnly"),
        named=bool(name),
        copies=not options.get("NoCopy") and not options.get("Subpath"),
        subpath=_subpath(name, options.get("Subpath") or ""),
        driver=driver.get("Name") or "",
        driver_options=driver.get("Options"),
        labels=options.get("Labels"),
    )


def _subpath(name: str, path: str) -> str:
    if path and not name:
        raise BadParameter("must not set Subpath when using anonymous volumes")
    if path.startswith("/") or ".." in path.split("/"):
        raise BadParameter("subpath must be a relative path within the volume")
    return path


def _tmpfs(asked: Json) -> MountPoint:
    _refuse(asked, "BindOptions", "VolumeOptions", "Source")
    writable = not asked.get("ReadOnly")
    options = tmpfs_options(asked.get("TmpfsOptions") or {}, writable=writable)
    return MountPoint("tmpfs", clean(asked["Target"]), writable=writable, options=options)


_KINDS = {"bind": _bind, "volume": _volume, "tmpfs": _tmpfs}


def check_source(point: MountPoint) -> None:
    """A bind of `--mount` shows something that is there. Raises BadParameter."""
    if point.type == "bind" and not point.makes_source and not os.path.lexists(point.source):
        raise BadParameter(f'invalid mount config for type "bind": bind source path does not exist: {point.source}')


def volumes_from(text: str) -> tuple[str, bool]:
    """One of HostConfig.VolumesFrom, `container[:mode]`: the container, and whether its mounts may be written to.

    Raises BadParameter.
    """
    if not text:
        raise BadParameter("volumes-from specification cannot be an empty string")
    name, _, mode = text.partition(":")
    if not _is_mode(mode):
        raise BadParameter(f"invalid mode: {mode}")
    if any(word in group for word in mode.split(",") for group in (PROPAGATIONS, COPY)):
        raise BadParameter(f"invalid mode: {mode}")
    return name, "ro" not in mode.split(",")


def tmpfs_place(path: str) -> str:
    """A place of HostConfig.Tmpfs. Raises BadParameter."""
    _check_absolute(path)
    if clean(path) == "/":
        raise BadParameter("invalid specification: destination can't be '/'")
    return clean(path)
