"""Requests to one repository of a registry: a login where one is wanted, and errors with the registry's own words.

A password or a token goes to the registry and to the realm that it named, and to nobody else: neither to a server
that a redirect leads to (registries keep blobs elsewhere), nor to where an upload's `Location` points.

Left out: what the answers mean. Trying again is the caller's, too: failures.persist.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from typing import Any

import aiohttp
from yarl import URL

from labkit.engine.engine import VERSION
from labkit.engine.images.reference import Reference
from labkit.engine.registry import auth, endpoint, failures, reach
from labkit.engine.registry.auth import Challenge, Credentials
from labkit.engine.registry.endpoint import Endpoint
from labkit.engine.registry.failures import RegistryError

UNAUTHORIZED = 401
CONNECT_SECONDS, SILENCE_SECONDS = 15, 60
LARGEST_DOCUMENT = 4 << 20  # bytes; manifests, configs and tokens are read into memory

Body = Callable[[], Any]
"""Makes a request's body, anew for each attempt."""


class Client:
    """A conversation with a registry about one repository. `actions` is what we'll do there: `pull`, `pull,push`."""

    def __init__(self, http: aiohttp.ClientSession, where: Endpoint, path: str, actions: str, who: Credentials) -> None:
        self.http, self.where, self.path, self.actions, self.who = http, where, path, actions, who
        self._authorization = f"Bearer {who.registry_token}" if who.registry_token else ""

    def url(self, *parts: str) -> str:
        """The URL of something in the repository, such as `manifests/latest`."""
        return self.where.url + "/".join((self.path, *parts))

    # --- login ---------------------------------------------------------------------------------------------------
    async def log_in(self, *, keep: bool = False) -> str:
        """Ask whether a registry is there and what it wants to see of us, then get that.

        With `keep`, gives the identity token to log in with next time, where the realm has such. Raises RegistryError.
        """
        answer = await self._request("GET", self.where.url, {}, None)
        async with answer:
            if answer.status != UNAUTHORIZED:
                await failures.check(answer, (200,))
                return ""
            asked = auth.challenge(answer.headers.getall("WWW-Authenticate", []))
        if asked is None:
            raise RegistryError(f"{self.where.url} wants a login of a kind that is neither Basic nor Bearer")
        if asked.scheme == "bearer":
            return await self._get_token(asked, keep=keep)
        if not self.who.username:
            raise RegistryError(f'Get "{self.where.url}": no basic auth credentials', "UNAUTHORIZED")
        self._authorization = self.who.basic
        return ""

    async def _get_token(self, asked: Challenge, *, keep: bool) -> str:
        if (self.who.username or self.who.identity_token) and not auth.may_see_password(self.where.url, asked.realm):
            raise RegistryError(f"{self.where.host} wants the password sent in the clear to {asked.realm}: not done")
        scope = f"repository:{self.path}:{self.actions}" if self.path else ""
        how = auth.token_request(asked, scope, self.who, keep=keep)
        form = dict(how.form or {})
        self._authorization = ""  # the old token, if there was one, did not help

        async def ask() -> dict[str, Any]:
            async with self.send(how.method, how.url, (200,), how.headers, (lambda: form) if form else None) as answer:
                return _object(await self._whole(answer), how.url)

        found = await failures.persist(ask)
        token = found.get("token") or found.get("access_token")
        if not isinstance(token, str) or not token:
            raise RegistryError(f"authorization server {asked.realm} did not include a token in the response")
        self._authorization = f"Bearer {token}"
        return str(found.get("refresh_token") or "")

    # --- requests ------------------------------------------------------------------------------------------------
    @contextlib.asynccontextmanager
    async def send(
        self,
        method: str,
        url: str,
        good: Collection[int] = (200,),
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A request and its answer, whose status is one of `good`. Raises RegistryError, also for a broken answer."""
        answer = await self._request(method, url, self._signed(url, headers), body)
        if answer.status == UNAUTHORIZED and self._authorization.startswith("Bearer"):  # tokens live for minutes
            answer.close()
            await self.log_in()
            answer = await self._request(method, url, self._signed(url, headers), body)
        async with answer:
            await failures.check(answer, good)
            try:
                yield answer
            except failures.BROKEN as error:
                raise failures.broken(method, url, error) from error

    async def document(self, url: str, headers: Mapping[str, str] | None = None) -> tuple[bytes, Mapping[str, str]]:
        """A small answer as a whole, with its headers. Tried again where it makes sense."""

        async def get() -> tuple[bytes, Mapping[str, str]]:
            async with self.send("GET", url, headers=headers) as answer:
                return await self._whole(answer), answer.headers

        return await failures.persist(get)

    async def tags(self) -> list[str]:
        """All tags of the repository. Source: OCI distribution spec, "listing tags"."""
        raw, _ = await self.document(self.url("tags/list"))
        found = _object(raw, self.url("tags/list")).get("tags") or []
        return [tag for tag in found if isinstance(tag, str)]

    def _signed(self, url: str, headers: Mapping[str, str] | None) -> dict[str, str]:
        ours = self.where.owns(url) and self._authorization
        return {**(headers or {}), **({"Authorization": self._authorization} if ours else {})}

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: Body | None
    ) -> aiohttp.ClientResponse:
        try:
            return await self.http.request(
                method,
                URL(url, encoded=True),  # a signed URL is only right byte by byte
                headers=headers,
                data=body() if body else None,
                allow_redirects=method in ("GET", "HEAD"),
                proxy=self.where.proxy,
            )
        except (*failures.BROKEN, ValueError) as error:  # ValueError: a realm or a redirect that is no URL
            raise failures.broken(method, url, error) from error

    async def _whole(self, answer: aiohttp.ClientResponse) -> bytes:
        whole = bytearray()
        async for piece in answer.content.iter_any():
            whole += piece
            if len(whole) > LARGEST_DOCUMENT:
                raise RegistryError(
                    f"{answer.url} answers with more than {LARGEST_DOCUMENT} bytes: no document is that long"
                )
        return bytes(whole)


def _object(raw: bytes, url: str) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise RegistryError(f"{url} did not answer with JSON: {error}") from error
    if not isinstance(found, dict):
        raise RegistryError(f"{url} answered with JSON that is no object")
    return found


@contextlib.asynccontextmanager
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """A client of HTTP that changes no byte, keeps no cookie and waits for no one forever."""
    async with aiohttp.ClientSession(
        connector=reach.connector(),
        auto_decompress=False,  # a layer must come as it is: its digest is that of the packed bytes
        requote_redirect_url=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS),
        headers={"User-Agent": f"labkit/{VERSION}", "Accept-Encoding": "identity"},
    ) as http:
        yield http


@contextlib.asynccontextmanager
async def connected(ref: Reference, who: Credentials, actions: str = "pull") -> AsyncIterator[Client]:
    """A client for the repository of an image's name, logged in."""
    async with session() as http:
        client = Client(http, endpoint.find(ref.registry), ref.path, actions, who)
        await client.log_in()
        yield client


async def check_login(who: Credentials) -> str:
    """Try name and password at their registry: `docker login`. Gives an identity token, or "" where there is none."""
    async with session() as http:
        client = Client(http, endpoint.from_address(who.server), "", "", who)
        token = await client.log_in(keep=True)
        try:
            async with client.send("GET", client.where.url):
                return token
        except failures.PassingError:
            raise
        except RegistryError as error:
            raise RegistryError(
                f"login attempt to {client.where.url} failed with status: 401 Unauthorized", error.code
            ) from error
