"""Build arguments: what `--build-arg` gives, `ARG` declares, and who sees which. Pure.

    ARG VERSION=1          before the first FROM: seen by FROM lines alone
    FROM base:$VERSION
    ARG VERSION            in a stage: seen from here to the end of the stage, with the value from above

A value from outside counts only where an ARG declares it, but for the proxies that every build may be told of. Those
leave no trace in the image's history unless an ARG names them: a proxy's address often has a password in it.

Source: the Dockerfile reference, "ARG".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
PREDEFINED = frozenset((*PROXIES, *map(str.lower, PROXIES)))


class Arguments:
    """The arguments of one build, stage after stage. `given` holds those from outside; None is "no value"."""

    def __init__(self, given: Mapping[str, str | None]) -> None:
        self.given = dict(given)
        self._global: dict[str, str | None] = {}
        self._declared: dict[str, str | None] = {}
        self._used: set[str] = set()

    def declare_globally(self, name: str, default: str | None) -> None:
        """An ARG before the first FROM."""
        self._used.add(name)
        self._global[name] = default

    def new_stage(self) -> None:
        """What the last stage declared is forgotten."""
        self._declared = {}

    def declare(self, name: str, default: str | None) -> None:
        """An ARG in a stage; without a default it takes the one of before the first FROM."""
        self._used.add(name)
        self._declared[name] = self._global.get(name) if default is None else default

    def in_from(self) -> dict[str, str]:
        """What a FROM line sees."""
        return self._values(self._global)

    def in_stage(self, environment: Iterable[str]) -> dict[str, str]:
        """What an instruction sees besides the stage's environment, which wins where both have a name."""
        taken = {entry.partition("=")[0] for entry in environment}
        seen = {**dict.fromkeys(PREDEFINED & self.given.keys()), **self._declared}
        return {name: value for name, value in self._values(seen).items() if name not in taken}

    def recorded(self, seen: Mapping[str, str]) -> list[str]:
        """Those of `seen` that the history shows, as `name=value`."""
        return sorted(f"{name}={value}" for name, value in seen.items() if name in self._used or not _proxy(name))

    def unused(self) -> list[str]:
        """What was given and no ARG asked for."""
        return sorted(name for name in self.given if name not in self._used and not _proxy(name))

    def _values(self, defaults: Mapping[str, str | None]) -> dict[str, str]:
        values = {
            name: default if self.given.get(name) is None else self.given[name] for name, default in defaults.items()
        }
        return {name: value for name, value in values.items() if value is not None}


def _proxy(name: str) -> bool:
    return name in PREDEFINED
