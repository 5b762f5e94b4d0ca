"""What a build is asked for: the query of `POST /build`, read and checked. Pure.

Source: Docker API ImageBuild.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from labkit.engine.api.shapes import Each, Shape, check
from labkit.engine.errors import BadParameter, NotImplemented_
from labkit.engine.images import reference

Json = dict[str, Any]

DOCKERFILE = "Dockerfile"
CLASSIC, BUILDKIT = "1", "2"

NO_BUILDKIT = (
    "BuildKit (version=2) is not served by this engine; build with the classic builder: "
    "set DOCKER_BUILDKIT=0 for the docker command, or leave `version` out"
)
NO_REMOTE = (
    "a build context from elsewhere (remote={remote}) is not fetched by this engine; "
    "fetch it yourself and send the folder as a tar"
)


class Query(Protocol):
    """What is needed of a request."""

    def text(self, name: str, default: str = "") -> str: ...
    def texts(self, name: str) -> list[str]: ...
    def flag(self, name: str, default: bool = False) -> bool: ...
    def number(self, name: str, default: int | None = None) -> int | None: ...


@dataclass(frozen=True)
class Options:
    """One build's options, with the API's names in brackets where they differ."""

    dockerfile: str = DOCKERFILE
    names: tuple[str, ...] = ()
    """[t] in the form that the store knows."""
    target: str = ""
    arguments: Mapping[str, str | None] = field(default_factory=dict)
    """[buildargs]"""
    labels: Mapping[str, str] = field(default_factory=dict)
    quiet: bool = False
    """[q] only the id is told."""
    no_cache: bool = False
    cache_from: tuple[str, ...] | None = None
    """Only these images may serve as a cache; None: any image here."""
    pull: bool = False
    remove: bool = True
    """[rm] remove the container of a step that went well."""
    force_remove: bool = False
    """[forcerm] and of one that failed."""
    platform: str = ""
    host: Json = field(default_factory=dict)
    """HostConfig of the containers that RUN makes."""


def read(query: Query) -> Options:
    """The options of a request. Raises BadParameter, NotImplemented_."""
    _refuse(query)
    cache_from = _json(query, "cachefrom", [str], "cachefrom")
    force = query.flag("forcerm")
    return Options(
        dockerfile=query.text("dockerfile") or DOCKERFILE,
        names=tuple(dict.fromkeys(_name(name) for name in query.texts("t") if name)),
        target=query.text("target"),
        arguments=_json(query, "buildargs", Each(str), "build args") or {},
        labels=_json(query, "labels", Each(str), "labels") or {},
        quiet=query.flag("q"),
        no_cache=query.flag("nocache"),
        cache_from=tuple(cache_from) if cache_from else None,
        pull=query.flag("pull"),
        remove=force or (query.flag("rm") if query.text("rm") else True),
        force_remove=force,
        platform=query.text("platform"),
        host=host_config(query),
    )


def _refuse(query: Query) -> None:
    version = query.text("version") or CLASSIC
    if version == BUILDKIT:
        raise NotImplemented_(NO_BUILDKIT)
    if version != CLASSIC:
        raise BadParameter(f"invalid version {version}")
    if query.text("remote"):
        raise NotImplemented_(NO_REMOTE.format(remote=query.text("remote")))
    if query.flag("squash"):
        raise BadParameter("squash is only supported with experimental mode, which this engine does not have")
    if query.text("isolation", "default") not in ("", "default"):
        raise BadParameter(f'Unsupported isolation: "{query.text("isolation")}"')
    if query.text("outputs"):
        raise NotImplemented_("outputs of a build other than an image are BuildKit's; leave `outputs` out")


def _name(text: str) -> str:
    parsed = reference.parse(text)
    if parsed.digest:
        raise BadParameter("invalid reference format: a build cannot be named by a digest")
    return str(parsed.tagged())


def _json(query: Query, name: str, shape: Shape, what: str) -> Any:
    """A word of the query that is JSON; None where it is missing or null."""
    text = query.text(name)
    if not text:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadParameter(f"error reading {what}: {error}") from error
    check(value, shape, name)
    return value


_HOST_WORDS = {
    "cgroupparent": "CgroupParent",
    "cpusetcpus": "CpusetCpus",
    "cpusetmems": "CpusetMems",
    "networkmode": "NetworkMode",
}
_HOST_NUMBERS = {
    "cpuperiod": "CpuPeriod",
    "cpuquota": "CpuQuota",
    "cpushares": "CpuShares",
    "memory": "Memory",
    "memswap": "MemorySwap",
    "shmsize": "ShmSize",
}
_ULIMITS: Shape = [{"Name": str, "Soft": int, "Hard": int}]


def host_config(query: Query) -> Json:
    """The part of the query that is about containers, in the words of `POST /containers/create`."""
    found: Json = {}
    getters: tuple[tuple[Mapping[str, str], Callable[[str], Any]], ...] = (
        (_HOST_WORDS, query.text),
        (_HOST_NUMBERS, query.number),
    )
    for names, get in getters:
        found |= {field_: value for name, field_ in names.items() if (value := get(name))}
    if ulimits := _json(query, "ulimits", _ULIMITS, "ulimits"):
        found["Ulimits"] = ulimits
    if hosts := _several(query, "extrahosts"):
        found["ExtraHosts"] = hosts
    if options := _several(query, "securityopt"):
        found["SecurityOpt"] = options
    return found


def _several(query: Query, name: str) -> list[str]:
    """The values of a word: given several times, separated by commas, or a JSON list (the SDK, the docker command)."""
    text = query.text(name)
    if text.startswith("["):
        return list(_json(query, name, [str], name) or ())
    return [one for value in query.texts(name) for one in value.split(",") if one]
