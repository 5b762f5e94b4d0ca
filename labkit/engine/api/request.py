"""A request as a handler sees it: path, query and body, read the way dockerd reads them.

What makes no sense is answered with 400 from here, so a handler only meets values of the type that it asked for.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar, cast

from aiohttp import web

from labkit.engine.api.shapes import Shape, check
from labkit.engine.errors import BadParameter

N = TypeVar("N", int, float)

FALSE = frozenset({"", "0", "no", "false", "none"})
"""What Docker takes for false in a query; all else is true."""


class _Connection(Protocol):
    gone: asyncio.Event


class Request:
    """One request of a client."""

    def __init__(self, http: web.BaseRequest, api_version: tuple[int, int], path: Mapping[str, str]) -> None:
        self.http = http
        self.api_version = api_version
        self.path = path
        self.answering: web.StreamResponse | None = None
        """The answer that has begun to go out, if it has: from then on an error cannot become a status."""

    def __repr__(self) -> str:
        return f"<Request {self.http.method} {self.http.rel_url}>"

    @property
    def gone(self) -> asyncio.Event:
        """Set when the client has left."""
        return cast(_Connection, self.http.protocol).gone

    # the query

    def text(self, name: str, default: str = "") -> str:
        """A word of the query."""
        return self.http.rel_url.query.get(name, default)

    def texts(self, name: str) -> list[str]:
        """All values of a word that may come more than once."""
        return self.http.rel_url.query.getall(name, [])

    def flag(self, name: str, default: bool = False) -> bool:
        """A yes or no of the query, read as Docker does: any other word than 0, no, false, none is a yes."""
        value = self.http.rel_url.query.get(name)
        return default if value is None else value.strip().lower() not in FALSE

    def number(self, name: str, default: int | None = None) -> int | None:
        """A whole number of the query; `default` where it is missing or empty."""
        value = self._parsed(name, int)
        return default if value is None else value

    def time(self, name: str) -> float | None:
        """A time of the query, in seconds since 1970 with a fraction; None where it is missing or empty."""
        return self._parsed(name, float)

    def _parsed(self, name: str, kind: Callable[[str], N]) -> N | None:
        value = self.http.rel_url.query.get(name, "")
        if not value:
            return None
        try:
            return kind(value)
        except ValueError:
            raise BadParameter(f"invalid value {value!r} for {name}: not a number") from None

    def filters(self) -> dict[str, list[str]]:
        """The query's filters, by name. Raises BadParameter.

        The SDK sends `{"label": ["a=b"]}`, the docker command `{"label": {"a=b": true}}`.
        """
        text = self.text("filters")
        if not text:
            return {}
        given = parse_json(text, "filters")
        if not isinstance(given, dict):
            raise BadParameter("invalid filters: not a JSON object")
        return {name: _values(name, values) for name, values in given.items()}

    # the body

    async def json(self, shape: Shape | None = None) -> dict[str, Any]:
        """The body, a JSON object, checked against a shape; {} where there is none.

        A body of another media type is refused: a web page may post plain text anywhere, JSON only where it is let.
        """
        data = await self.http.read()
        if not data:
            return {}
        if self.http.content_type != "application/json":
            given = self.http.headers.get("Content-Type", "")
            raise BadParameter(f"unsupported Content-Type header ({given}): must be 'application/json'")
        body = parse_json(data, "JSON")
        if body is None:
            return {}
        if not isinstance(body, dict):
            raise BadParameter(f"invalid JSON: an object is needed, this is {type(body).__name__}")
        if shape is not None:
            check(body, shape)
        return body


def parse_json(text: str | bytes, what: str) -> Any:
    """Parse JSON that a client sent. Raises BadParameter."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadParameter(f"invalid {what}: {error}") from error


def _values(name: str, values: Any) -> list[str]:
    if isinstance(values, dict):
        values = [value for value, on in values.items() if on]
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise BadParameter(f"invalid filter '{name}': a list of strings is needed")
    return values
