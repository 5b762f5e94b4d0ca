"""Who we are: what a registry asks (WWW-Authenticate) and what we answer (Authorization). Values only, no network.

There are two ways. *Basic*: name and password with every request. *Bearer*: the registry names another server, the
`realm`; we show name and password there, say for what (the `scope`), and get a token that is good for some minutes.
Without a name the token is for what everybody may do.

Source: RFC 9110 section 11; distribution's token authentication specification; Docker API, "Authentication".
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

CLIENT_ID = "labkit"

_PARAMETER = re.compile(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')


@dataclass(frozen=True)
class Credentials:
    """What a person gave to `docker login`. Never shown: not in a repr, not in an error."""

    username: str = ""
    password: str = ""
    identity_token: str = ""
    registry_token: str = ""
    server: str = ""

    def __repr__(self) -> str:
        return f"<Credentials {self.username!r} for {self.server!r}>"

    @property
    def basic(self) -> str:
        """The header of Basic (RFC 7617)."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


NOBODY = Credentials()


def from_fields(fields: Mapping[str, Any]) -> Credentials:
    """Credentials out of Docker's AuthConfig."""
    names = ("username", "password", "identitytoken", "registrytoken", "serveraddress")
    return Credentials(*(str(fields.get(name) or "") for name in names))


def from_header(header: str) -> Credentials:
    """Credentials out of X-Registry-Auth: base64 of JSON. What makes no sense counts as nobody, as in dockerd."""
    try:
        text = header.strip().translate(str.maketrans("+/", "-_")).rstrip("=")
        fields = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, RecursionError):
        return NOBODY
    return from_fields(fields) if isinstance(fields, dict) else NOBODY


@dataclass(frozen=True)
class Challenge:
    """What a registry wants to see: the scheme in small letters, and its parameters."""

    scheme: str
    parameters: Mapping[str, str]

    @property
    def realm(self) -> str:
        return self.parameters.get("realm", "")


def challenge(headers: Iterable[str]) -> Challenge | None:
    """The challenge to answer out of the WWW-Authenticate headers, a token rather than a password; None if none."""
    found: dict[str, Challenge] = {}
    for header in headers:
        scheme, _, rest = header.strip().partition(" ")
        parameters = {name.lower(): quoted or bare for name, quoted, bare in _PARAMETER.findall(rest)}
        found.setdefault(scheme.lower(), Challenge(scheme.lower(), parameters))
    return found.get("bearer") or found.get("basic")


@dataclass(frozen=True)
class TokenRequest:
    """How to ask the realm for a token."""

    method: str
    url: str
    headers: Mapping[str, str]
    form: Mapping[str, str] | None = None


def token_request(asked: Challenge, scope: str, who: Credentials, *, keep: bool = False) -> TokenRequest:
    """The request for a token for `scope` (`repository:PATH:pull`). `keep`: ask for a token to log in with later."""
    what = {"service": asked.parameters.get("service", ""), "scope": scope}
    what = {name: value for name, value in what.items() if value}
    if who.identity_token:
        form = {"grant_type": "refresh_token", "refresh_token": who.identity_token, "client_id": CLIENT_ID, **what}
        return TokenRequest("POST", asked.realm, {}, form)
    if who.username:
        what = {"account": who.username, "client_id": CLIENT_ID, **({"offline_token": "true"} if keep else {}), **what}
    join = "&" if "?" in asked.realm else "?"
    return TokenRequest(
        "GET", asked.realm + join + urlencode(what), {"Authorization": who.basic} if who.username else {}
    )


def may_see_password(registry_url: str, realm: str) -> bool:
    """A registry behind TLS may not have a password sent in the clear: it would be somebody else who asks."""
    return urlsplit(realm).scheme == "https" or urlsplit(registry_url).scheme == "http"
