"""Every answer is held against Docker's own description of its API (shapes.json, made by shapes.py).

    with listening():
        client.containers.list()      # the answer's status, type and fields are judged as it comes in
    complaints()                      # -> what was wrong with them, and forgotten

An answer is known by its method, path and status. Judged are: that the description has such an answer, its media type,
the JSON in it, each line of a stream of JSON, and that a body is empty where none is described. Of our own engines also
the names of fields: one that the description doesn't have is misspelt, or is one of UNDESCRIBED_FIELDS.

Not judged: bytes (tars, logs, hijacked connections), what another program than this one asked (the docker command), and
a dockerd of another API version, which has a description of its own.
"""

import contextlib
import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from urllib.parse import unquote, urlsplit

import docker
import jsonschema
import pytest
import requests

from tests.contract import shapes
from tests.contract.differences import (
    OUR_STATUSES,
    SENT_AS_NULL,
    UNDESCRIBED_FIELDS,
    UNDESCRIBED_STATUSES,
    UNNAMED_MEDIA_TYPE,
)

SHAPES = json.loads(shapes.FILE.read_text())
EMPTY = (204, 304)

_heard: list[str] = []


# --- listening -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def listening() -> Iterator[None]:
    """Judge each answer that a client of the Docker SDK gets from now on, whoever made the client."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(docker.APIClient, "send", hearing(docker.APIClient.send))
        patch.setattr(docker.APIClient, "_stream_helper", overhearing(docker.APIClient._stream_helper))
        yield


def hearing(send):
    """requests.Session.send, which every request goes through."""

    def heard(self, request, **options):
        response = send(self, request, **options)
        goes_on = options.get("stream") and response.status_code < 400
        note(response, None if goes_on else response.content)
        return response

    return heard


def overhearing(stream_helper):
    """What the SDK reads streams of JSON with; a line is judged when it is whole, as a stream may have no end."""

    def overheard(self, response, decode=False):
        rest = b""
        for part in stream_helper(self, response, decode):
            if not decode and isinstance(part, bytes):
                whole, end, rest = (rest + part).rpartition(b"\n")
                if end:
                    note(response, whole)
            yield part
        if rest.strip():
            note(response, rest)

    return overheard


def note(response: requests.Response, body: bytes | None) -> None:
    """Judge an answer, or, where its body is not there yet, the status."""
    request, head = response.request, response.headers
    ours = head.get("Server", "").startswith("labkit/")
    if ours or head.get("Api-Version") == SHAPES["version"]:
        _heard.extend(judged(request.method, request.url, response.status_code, head.get("Content-Type"), body, ours))


def complaints() -> list[str]:
    """What was wrong since this was asked last, each once."""
    told = list(dict.fromkeys(_heard))
    _heard.clear()
    return told


# --- judging -------------------------------------------------------------------------------------------------------


def judged(method: str, url: str, status: int, media_type: str | None, body: bytes | None, ours: bool) -> list[str]:
    """What is wrong with an answer, in sentences; what is known to be so (differences.py) is left out."""
    answer = named(method, url, status)
    return [f"{answer}: {fault}" for fault in faults(answer, media_type, body, ours)]


def named(method: str, url: str, status: int) -> str:
    """The answer's name in the description, such as `GET /containers/{id}/json 200`."""
    path = re.sub(r"^/v\d[\d.]*(?=/)", "", unquote(urlsplit(url).path))
    described = next((name for name, pattern in endpoints(method).items() if pattern.fullmatch(path)), path)
    return f"{method} {described} {status}"


@cache
def endpoints(method: str) -> dict[str, re.Pattern[str]]:
    """The paths that the description has for a method; those without a hole first, as `/images/json` is no name."""
    paths = {path for verb, path, _ in map(str.split, SHAPES["answers"]) if verb == method}
    holes = {"{id}": "[^/]+", "{name}": ".+"}
    return {
        path: re.compile("".join(holes.get(part, re.escape(part)) for part in re.split(r"(\{\w+\})", path)))
        for path in sorted(paths, key=lambda path: "{" in path)
    }


def faults(answer: str, media_type: str | None, body: bytes | None, ours: bool) -> Iterator[str]:
    method, path, status = answer.split()
    schema = SHAPES["answers"].get(answer, shapes.ERROR if int(status) >= 400 else None)
    if answer not in SHAPES["answers"] and path in endpoints(method) and not known_status(answer, ours):
        yield "the description has no such status"
    if body is None:
        return
    if method == "HEAD" or int(status) in EMPTY or schema is None:
        if body.strip():
            yield f"a body where none is described: {body[:80]!r}"
        return
    if schema.get("format") == "binary" or answer == "GET /_ping 200":
        return
    named_type = media_type or ("application/json" if answer in UNNAMED_MEDIA_TYPE and not ours else "")
    if not named_type.startswith("application/json"):
        yield f"its media type is {media_type}"
    try:
        found = values(body)
    except ValueError:
        found = []
    if not found:
        yield f"no JSON: {body[:80]!r}"
    for value in found:
        yield from misfits(answer, value)
        if ours:
            yield from misspelt(answer, schema, value)


def known_status(answer: str, ours: bool) -> bool:
    return any(re.fullmatch(known, answer) for known in (*UNDESCRIBED_STATUSES, *(OUR_STATUSES if ours else ())))


def values(body: bytes) -> list[object]:
    """The JSON of a body: one value, or one a line."""
    try:
        return [json.loads(body)]
    except ValueError:
        return [json.loads(line) for line in body.splitlines() if line.strip()]


def misspelt(answer: str, schema: dict, value: object) -> Iterator[str]:
    for path in sorted(shapes.unknown_fields(SHAPES, schema, value)):
        if not any(fnmatchcase(f"{answer}: {path}", known) for known in UNDESCRIBED_FIELDS):
            yield f"no field of the description: {path}"


# --- types ---------------------------------------------------------------------------------------------------------

FORMATS = jsonschema.FormatChecker(formats=())
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")


@FORMATS.checks("dateTime")
@FORMATS.checks("date-time")
def is_date_time(value: object) -> bool:
    return not isinstance(value, str) or bool(RFC_3339.fullmatch(value))


@cache
def validator(answer: str) -> jsonschema.Draft7Validator:
    schema = SHAPES["answers"].get(answer, shapes.ERROR) | {"definitions": SHAPES["definitions"]}
    return jsonschema.Draft7Validator(schema, format_checker=FORMATS)


def misfits(answer: str, value: object) -> Iterator[str]:
    for error in validator(answer).iter_errors(value):
        if not (error.instance is None and field_of(error) in SENT_AS_NULL):
            yield f"{'.'.join(map(str, error.absolute_path))}: {error.message[:200]}"


def field_of(error: jsonschema.ValidationError) -> str:
    """The last named field on the way to the error."""
    return next((step for step in reversed(error.absolute_path) if isinstance(step, str)), "")
