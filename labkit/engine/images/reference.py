"""Names of images: `name[:tag][@digest]`, as a person types them and as an engine compares them.

A short name stands for a longer one: `busybox` is `docker.io/library/busybox:latest`. People see the short form, so
that is also how the engine stores it. Left out: asking a registry what a name means.

Source: the grammar in the package distribution/reference, which Docker and Podman both use.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from labkit.engine.errors import BadParameter

DEFAULT_REGISTRY, DEFAULT_USER, DEFAULT_TAG = "docker.io", "library", "latest"
ALIASES = {"index.docker.io": DEFAULT_REGISTRY}  # the name of Docker's registry in 2013

_REGISTRY = re.compile(r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?:\.[a-zA-Z0-9-]+)*(?::[0-9]+)?")
_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_BARE_ID = re.compile(r"[0-9a-f]{64}")
_LONGEST_NAME = 255


class InvalidReference(BadParameter):
    """400: this is not the name of an image."""

    def __init__(self, reason: str = "") -> None:
        super().__init__("invalid reference format" + (f": {reason}" if reason else ""))


@dataclass(frozen=True)
class Reference:
    """An image's name in full: registry, path, and a tag or a digest where one was given."""

    registry: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        """The repository in its short, familiar form: without docker.io/library/."""
        path = self.path
        if self.registry != DEFAULT_REGISTRY:
            return f"{self.registry}/{path}"
        user, _, rest = path.partition("/")
        return rest if user == DEFAULT_USER and "/" not in rest else path

    def __str__(self) -> str:
        return self.name + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    def full(self) -> str:
        """The form that no short cut was taken in, as registries and OCI annotations want it."""
        return f"{self.registry}/{self.path}" + str(self)[len(self.name) :]

    def tagged(self) -> Reference:
        """The same name with `latest` where neither tag nor digest was given."""
        return self if self.tag or self.digest else replace(self, tag=DEFAULT_TAG)


def parse(text: str) -> Reference:
    """Take a name apart. Raises InvalidReference, with Docker's words, for what is none."""
    rest, at, digest = text.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise InvalidReference()
    colon = rest.rfind(":")
    name, tag = (rest[:colon], rest[colon + 1 :]) if colon > rest.rfind("/") else (rest, "")
    if colon > rest.rfind("/") and not _TAG.fullmatch(tag):
        raise InvalidReference()
    registry, path = _split_registry(name)
    _check_name(name, registry, path)
    return Reference(registry, path, tag, digest)


@lru_cache(1024)  # a list of containers asks for the same few names again and again
def normalize(text: str) -> str:
    """The one form under which the engine knows a name: short, with its tag or digest."""
    return str(parse(text).tagged())


def _split_registry(name: str) -> tuple[str, str]:
    """A first part that looks like a host (a dot, a port, `localhost`, capitals) is the registry."""
    first, slash, path = name.partition("/")
    if not slash or not (set(".:") & set(first) or first == "localhost" or first != first.lower()):
        registry, path = DEFAULT_REGISTRY, name
    else:
        registry = ALIASES.get(first, first)
    if registry == DEFAULT_REGISTRY and "/" not in path:
        path = f"{DEFAULT_USER}/{path}"
    return registry, path


def _check_name(name: str, registry: str, path: str) -> None:
    if _BARE_ID.fullmatch(name):
        raise BadParameter(f"invalid repository name ({name}), cannot specify 64-byte hexadecimal strings")
    if path != path.lower() and all(map(_COMPONENT.fullmatch, path.lower().split("/"))):
        raise InvalidReference(f"repository name ({path}) must be lowercase")
    if not _REGISTRY.fullmatch(registry) or not all(map(_COMPONENT.fullmatch, path.split("/"))):
        raise InvalidReference()
    if len(registry) + 1 + len(path) > _LONGEST_NAME:
        raise InvalidReference(f"repository name must not be more than {_LONGEST_NAME} characters")
