"""What may go wrong between us and a registry, in Docker's words, and what is worth another try.

Docker's words are Go's: `dial tcp HOST: connect: connection refused` is what people search the web for.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Awaitable, Callable, Collection
from typing import TypeVar

import aiohttp

from labkit.engine.errors import ServerError

T = TypeVar("T")

DELAYS = (0.2, 0.5, 1.0, 2.0)
"""Seconds before the second, third, ... attempt; after the last one it is over."""

LONGEST_DELAY = 10.0  # a registry may ask for more in Retry-After; a person at a prompt would not wait

PASSING = {429, *range(500, 600)} - {501}
"""Statuses that may be another one in a second."""

WORDLESS = {
    401: ("unauthorized: authentication required", "UNAUTHORIZED"),
    403: ("denied: requested access to the resource is denied", "DENIED"),
}
"""What a status means that comes without a body, as in the answer to a HEAD."""

_LONGEST_BODY = 1 << 16

BROKEN = (aiohttp.ClientError, TimeoutError, ConnectionError)
"""What aiohttp raises when a connection is refused, broken or too slow."""


class RegistryError(ServerError):
    """500: what a registry said or did. `code` is its own word for it, such as MANIFEST_UNKNOWN."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class PassingError(RegistryError):
    """An error that may be gone in a moment; `after` is how many seconds the registry asked us to wait."""

    def __init__(self, message: str, code: str = "", after: float = 0) -> None:
        super().__init__(message, code)
        self.after = after


async def persist(attempt: Callable[[], Awaitable[T]]) -> T:
    """Do something again while it fails with a PassingError, a bounded number of times, with growing pauses."""
    for delay in DELAYS:
        try:
            return await attempt()
        except PassingError as error:
            await asyncio.sleep(min(max(delay, error.after), LONGEST_DELAY))
    return await attempt()


async def check(answer: aiohttp.ClientResponse, good: Collection[int]) -> None:
    """Raise the error that an answer stands for, unless its status is a good one."""
    if answer.status in good:
        return
    body = b""
    with contextlib.suppress(*BROKEN):
        body = await answer.content.read(_LONGEST_BODY)
    unexpected = f"received unexpected HTTP status: {answer.status} {answer.reason}", ""
    message, code = said(body) or WORDLESS.get(answer.status, unexpected)
    if any('error="insufficient_scope"' in line for line in answer.headers.getall("WWW-Authenticate", [])):
        message, code = WORDLESS[403]  # a token was given and does not reach: Docker Hub's way to say "not for you"
    if answer.status in PASSING:
        raise PassingError(message, code, _seconds(answer.headers.get("Retry-After", "")))
    raise RegistryError(message, code)


def said(body: bytes) -> tuple[str, str] | None:
    """A registry's own words and its code for them, out of the JSON that it sends with an error; None for others.

    Source: OCI distribution spec, "error codes".
    """
    try:
        first = json.loads(body)["errors"][0]
        code, message = str(first["code"]), str(first.get("message") or "unknown error")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    return f"{code.lower().replace('_', ' ')}: {message}", code


def _seconds(text: str) -> float:
    return float(text) if text.isdecimal() else 0.0


def broken(method: str, url: str, error: Exception) -> PassingError:
    """The error of a request that got no answer, or half of one: Go's `Get "URL": dial tcp ...`."""
    return PassingError(f'{method.capitalize()} "{url}": {_words(error)}')


def _words(error: Exception) -> str:
    for kind, words in _WORDS:
        if isinstance(error, kind):
            return words(error)
    return str(error) or type(error).__name__


def _refused(error: aiohttp.ClientConnectorError) -> str:
    reason = os.strerror(error.os_error.errno).lower() if error.os_error.errno else str(error.os_error)
    return f"dial tcp {error.host}:{error.port}: connect: {reason}"


# the special before the general: they are subclasses of each other
_WORDS: tuple[tuple[type[Exception], Callable[..., str]], ...] = (
    (aiohttp.ClientConnectorDNSError, lambda error: f"dial tcp: lookup {error.host}: no such host"),
    (aiohttp.ClientConnectorCertificateError, lambda error: f"tls: failed to verify certificate: {error}"),
    (aiohttp.ClientSSLError, lambda error: f"tls: handshake failure: {error}"),
    (aiohttp.ClientConnectorError, _refused),
    (TimeoutError, lambda error: "i/o timeout"),
    (aiohttp.ServerDisconnectedError, lambda error: "EOF"),
    (aiohttp.ClientPayloadError, lambda error: "unexpected EOF"),
)
