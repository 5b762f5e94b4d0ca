"""Answers that are whole when they are sent: JSON, an empty one, an error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import web

from labkit.engine.engine import VERSION

API_VERSION = "1.45"
MIN_API_VERSION = "1.24"

HEADERS = {
    "Api-Version": API_VERSION,
    "Docker-Experimental": "false",
    "Ostype": "linux",
    "Server": f"labkit/{VERSION} (linux)",
}
"""What every answer carries."""


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """An answer of JSON."""
    return json_text(json.dumps(value, separators=(",", ":")), status, headers)


def json_text(text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """An answer of JSON that is text already."""
    body = f"{text}\n".encode()
    response = web.Response(body=body, status=status, headers=headers, content_type="application/json")
    response.headers.update(HEADERS)
    return response


def no_content(status: int = 204) -> web.Response:
    """An answer that is only a status: 204 for most verbs, 200 for a resize, 201 for a tag."""
    return web.Response(status=status, headers=HEADERS)


def error_response(status: int, message: str) -> web.Response:
    """Docker's shape for what went wrong: `{"message": ...}`. 304 has no body."""
    if status == HTTPStatus.NOT_MODIFIED:
        return no_content(status)
    return json_response({"message": message}, status)
