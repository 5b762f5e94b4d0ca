"""The server that gives out tokens for the stand-in of Docker Hub (Distribution's "Token Authentication").

As at Docker Hub everybody gets a token, but one that opens only what is there: an unknown repository is refused, as a
private one would be, so nobody can find out which of the two it is.
"""

import base64
import contextlib
import http.server
import json
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

ISSUER, SERVICE = "stand-in", "registry.docker.io"
SECONDS = 600


@contextlib.contextmanager
def running(certificate: Path, key: Path, repositories: set[str]) -> Iterator[str]:
    """The address of the server, as long as the block."""

    class Realm(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            scopes = parse_qs(urlsplit(self.path).query).get("scope", [])
            body = json.dumps({"token": token(granted(scopes, repositories), certificate, key)}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: the tests' own output is enough."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Realm) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/token"
        finally:
            server.shutdown()


def granted(scopes: list[str], repositories: set[str]) -> list[dict[str, Any]]:
    """What a token lets do, of what was asked for: `repository:library/alpine:pull,push`."""
    asked = [scope.split(":") for scope in scopes]
    return [
        {"type": kind, "name": name, "actions": actions.split(",")}
        for kind, name, actions in asked
        if name in repositories
    ]


def token(access: list[dict[str, Any]], certificate: Path, key: Path) -> str:
    """A JSON web token (RFC 7519) that is signed with our key and has its certificate in the header."""
    der = base64.b64encode(ssl.PEM_cert_to_DER_cert(certificate.read_text())).decode()
    now = int(time.time())
    claims: dict[str, Any] = {"iss": ISSUER, "aud": SERVICE, "sub": "", "jti": str(now), "access": access}
    claims |= {"iat": now, "nbf": now - SECONDS, "exp": now + SECONDS}
    text = encoded({"typ": "JWT", "alg": "RS256", "x5c": [der]}) + b"." + encoded(claims)
    signed = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=text, capture_output=True, check=True)
    return (text + b"." + without_padding(signed.stdout)).decode()


def encoded(value: dict[str, Any]) -> bytes:
    return without_padding(json.dumps(value).encode())


def without_padding(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
