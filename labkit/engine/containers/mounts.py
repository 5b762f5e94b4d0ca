"""Binds and mounts of a create request as OCI has them. Pure, but for making the source of a bind.

`-v /here:/there:ro` comes as a text in HostConfig.Binds, `--mount` as an object in HostConfig.Mounts. Named volumes
are refused in checks.py before anything gets here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from labkit.engine.containers import spec
from labkit.engine.containers.checks import unserved
from labkit.engine.errors import BadParameter, NotImplemented_

Json = dict[str, Any]

PROPAGATIONS = ("private", "rprivate", "shared", "rshared", "slave", "rslave")
ACCESS = ("ro", "rw")
HINTS = ("z", "Z", "nocopy", "consistent", "cached", "delegated")
"""Words that mean something on other machines (SELinux, Docker Desktop) and are rightly without effect here."""


def mounts(host: Mapping[str, Any]) -> list[Json]:
    """All mounts that HostConfig asks for by Binds and Mounts. Raises BadParameter, NotImplemented_."""
    found = [_bind(text) for text in host.get("Binds") or ()]
    found += [_mount(one) for one in host.get("Mounts") or ()]
    _check_places(found)
    return found


def _bind(text: str) -> Json:
    parts = text.split(":")
    if not 2 <= len(parts) <= 3:
        raise BadParameter(f"invalid volume specification: '{text}'")
    words = [word for word in (parts[2].split(",") if len(parts) == 3 else []) if word]
    for word in words:
        if word not in (*ACCESS, *PROPAGATIONS, *HINTS):
            raise BadParameter(f"invalid mode: {parts[2]}")
    kept = ",".join(word for word in words if word not in HINTS)
    source = os.path.normpath(parts[0])
    try:
        return spec.bind(":".join([source, parts[1], kept] if kept else [source, parts[1]]))
    except ValueError as wrong:
        raise BadParameter(str(wrong)) from wrong


def _mount(one: Mapping[str, Any]) -> Json:
    kind, target, source = one.get("Type") or "", one.get("Target") or "", one.get("Source") or ""
    if kind == "tmpfs":
        return spec.tmpfs(target, _tmpfs_options(one))
    if kind != "bind":
        raise NotImplemented_(unserved(f"mounts of the type {kind or 'volume'} (HostConfig.Mounts)"))
    if not source.startswith("/"):
        raise BadParameter(f"invalid mount config for type \"bind\": invalid mount path: '{source}' must be absolute")
    if not os.path.lexists(source):
        raise BadParameter(f'invalid mount config for type "bind": bind source path does not exist: {source}')
    propagation = (one.get("BindOptions") or {}).get("Propagation") or "rprivate"
    return _bind(f"{source}:{target}:{'ro,' if one.get('ReadOnly') else ''}{propagation}")


def _tmpfs_options(one: Mapping[str, Any]) -> str:
    options = one.get("TmpfsOptions") or {}
    words = ["ro"] if one.get("ReadOnly") else []
    if options.get("SizeBytes"):
        words.append(f"size={options['SizeBytes']}")
    if options.get("Mode"):
        words.append(f"mode={options['Mode']:o}")
    return ",".join(words)


def _check_places(found: Sequence[Json]) -> None:
    seen = set()
    for one in found:
        place = os.path.normpath(one["destination"])
        if not place.startswith("/") or place == "/":
            raise BadParameter(f"invalid volume specification: destination can't be '{one['destination']}'")
        if place in seen:
            raise BadParameter(f"Duplicate mount point: {place}")
        seen.add(place)


def check_volumes(asked: Mapping[str, Any], found: Sequence[Json], tmpfs: Mapping[str, str]) -> None:
    """Refuse `Volumes` that no bind stands on: such a place would become a volume without a name."""
    places = {os.path.normpath(one["destination"]) for one in found} | set(tmpfs)
    for place in asked:
        if os.path.normpath(place) not in places:
            raise NotImplemented_(unserved(f"volumes ({place})"))


def make_sources(found: Sequence[Json]) -> None:
    """Make the folder that a bind shows, where it is missing, as Docker does. Raises OSError."""
    for one in found:
        if one["type"] == "bind" and not os.path.lexists(one["source"]):
            os.makedirs(one["source"], exist_ok=True)
