"""What holds the answers of an engine against Docker's description of its API finds what is wrong with them.

No engine is asked here: the answers are made up, right ones and broken ones.
"""

import json
import re

import docker
import pytest
import requests

from tests.contract import described
from tests.contract.conftest import passing_only_as_described
from tests.contract.differences import OUR_STATUSES, UNDESCRIBED_FIELDS, UNDESCRIBED_STATUSES

OURS = {"Server": "labkit/0 (linux)", "Content-Type": "application/json"}
DOCKERD = {"Server": "Docker/20.10 (linux)", "Api-Version": "1.41", "Content-Type": "application/json"}
NEWER = DOCKERD | {"Api-Version": "1.45"}

ENDPOINT = {"IPAddress": "", "Aliases": None}
RIGHT = [
    ("GET", "/containers/json", 200, [{"Id": "b", "Names": ["/web"], "Ports": None, "State": "running"}]),
    ("GET", "/v1.41/containers/web/json", 200, {"State": {"Pid": 1}, "NetworkSettings": {"Networks": {"a": ENDPOINT}}}),
    ("GET", "/images/a/b:1/json", 200, {"Id": "sha256:1", "Created": "2026-01-02T03:04:05.6Z"}),
    ("GET", "/images/a/b:1/json", 404, {"message": "No such image: a/b:1"}),
    ("GET", "/swarm", 501, {"message": "not served"}),
    ("GET", "/nonsense", 404, {"message": "page not found"}),
    ("POST", "/containers/web/start", 204, None),
    ("POST", "/images/web/tag", 201, None),
    ("POST", "/build", 200, {"stream": "Step 1/1"}),
    ("HEAD", "/_ping", 200, None),
    ("GET", "/containers/web/export", 200, "bytes of a tar"),
]

UNKNOWN = "no field of the description: "
BROKEN = {  # (method, path, status, body): what is said of it
    ("GET", "/containers/json", 200, json.dumps({"Id": "b"})): "is not of type 'array'",
    ("GET", "/containers/json", 200, '[{"Ports": [{"PrivatePort": "80", "Type": "tcp"}]}]'): "0.Ports.0.PrivatePort",
    ("GET", "/containers/json", 200, '[{"Names": "/web"}]'): "0.Names",
    ("GET", "/containers/web/json", 200, '{"State": {"Pidd": 1}}'): UNKNOWN + "State.Pidd",
    ("GET", "/containers/web/json", 200, '{"HostConfig": {"Memry": 1}}'): UNKNOWN + "HostConfig.Memr",
    ("GET", "/containers/web/json", 200, '{"Mounts": [{"Sorce": ""}]}'): UNKNOWN + "Mounts[].Sorce",
    ("GET", "/containers/web/json", 200, '{"NetworkSettings": {"Networks": {"a": {"IP": ""}}}}'): UNKNOWN
    + "NetworkSettings.Networks.*.IP",
    ("GET", "/containers/web/json", 200, '{"State": {"Status": "asleep"}}'): "'asleep' is not one of",
    ("GET", "/volumes/v", 200, '{"Name": "v"}'): "'Driver' is a required property",
    ("GET", "/networks/n", 200, '{"Created": "yesterday"}'): "'yesterday' is not a 'dateTime'",
    ("GET", "/containers/web/json", 404, '{"error": "no"}'): "'message' is a required property",
    ("GET", "/containers/web/json", 404, "no such container"): "no JSON",
    ("GET", "/containers/web/json", 200, ""): "no JSON",
    ("GET", "/swarm", 501, "not served"): "no JSON",
    ("GET", "/containers/json", 202, "[]"): "the description has no such status",
    ("POST", "/containers/web/rename", 200, ""): "the description has no such status",
    ("POST", "/images/web/tag", 201, "{}"): "a body where none is described",
    ("POST", "/build", 200, '{"stream": "a"}\n{"stream": 1}'): "1 is not of type 'string'",
    ("POST", "/build", 200, '{"straem": "a"}'): UNKNOWN + "straem",
    ("GET", "/events", 200, '{"Type": "door"}'): "'door' is not one of",
    ("POST", "/images/load", 200, '{"stream": "a"'): "no JSON",
}


@pytest.fixture(autouse=True)
def tidy():
    """Nothing to tidy."""


@pytest.fixture(scope="module", autouse=True)
def no_leak():
    """Nor can anything be left."""


def answer(method: str, path: str, status: int, body: str, headers: dict[str, str] = OURS) -> requests.Response:
    """What a client of the SDK is given, without an engine behind it."""
    response = requests.Response()
    response.request = requests.Request(method, f"http://engine{path}").prepare()
    response.status_code, response._content = status, body.encode()
    response.headers.update(headers)
    return response


def said(*asked, headers: dict[str, str] = OURS) -> list[str]:
    response = answer(*asked, headers)
    described.note(response, response.content)
    return described.complaints()


@pytest.mark.parametrize("headers", [OURS, DOCKERD], ids=["ours", "dockerd"])
@pytest.mark.parametrize("asked", RIGHT, ids=lambda asked: " ".join(map(str, asked[:3])))
def test_nothing_is_said_of_a_right_answer(asked, headers):
    body = asked[3] if isinstance(asked[3], str) else json.dumps(asked[3]) if asked[3] else ""
    assert said(*asked[:3], body, headers=headers) == []


@pytest.mark.parametrize(("asked", "words"), BROKEN.items(), ids=lambda x: " ".join(map(str, x[:4])))
def test_a_broken_answer_is_found(asked, words):
    assert any(words in told for told in said(*asked)), words


def test_of_dockerd_too_but_for_fields_of_its_own():
    for asked, words in BROKEN.items():
        assert any(words in told for told in said(*asked, headers=DOCKERD)) != words.startswith(UNKNOWN), words


def test_a_newer_dockerd_has_another_description():
    assert all(said(*asked, headers=NEWER) == [] for asked in BROKEN)


def test_the_media_type():
    for media_type, right in {"application/json; charset=utf-8": True, "text/plain": False}.items():
        assert (said("GET", "/containers/json", 200, "[]", headers=OURS | {"Content-Type": media_type}) == []) is right


# --- how an answer is heard ----------------------------------------------------------------------------------------


class Canned(requests.adapters.BaseAdapter):
    """An engine with one answer."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__()
        self.status, self.body = status, body

    def send(self, request, **options):
        given = answer(request.method, "", self.status, self.body)
        given.request = request
        given.url = request.url
        return given

    def close(self):
        """Nothing is open."""


def client_of(status: int, body: str) -> docker.APIClient:
    client = docker.APIClient("tcp://127.0.0.1:1", version="1.41")
    client.mount("http://", Canned(status, body))
    return client


def test_a_broken_answer_fails_the_test_in_which_it_came():
    part = passing_only_as_described()
    next(part)
    client_of(200, '[{"Names": "/web"}]').get("http://127.0.0.1:1/v1.41/containers/json")
    with pytest.raises(pytest.fail.Exception, match=re.escape("GET /containers/json 200: 0.Names: ")):
        next(part)


def test_a_right_one_does_not():
    part = passing_only_as_described()
    next(part)
    client_of(200, "[]").get("http://127.0.0.1:1/v1.41/containers/json")
    assert next(part, "passed") == "passed"


def test_a_refusal_is_judged_where_a_stream_was_asked_for():
    client_of(400, '{"message": 1}').get("http://127.0.0.1:1/v1.41/events", stream=True)
    assert "1 is not of type 'string'" in "".join(described.complaints())


def test_a_stream_is_judged_line_by_line():
    """A follower of events leaves when it has seen enough: nothing may wait for the end."""
    parts = [b'{"Type": "conta', b'iner"}\n{"Type": 1}\n{"Ty', b'pe": 2}\n{"Type": ', b"3}"]
    stream = described.overhearing(lambda *asked: iter(parts))(None, answer("GET", "/events", 200, ""))
    seen = []
    for part, found in zip(stream, ("", "1", "2", ""), strict=False):
        seen.append(part)
        assert "".join(re.findall(r"(\d) is not of type", "".join(described.complaints()))) == found
    assert seen == parts and next(stream, None) is None
    assert "3 is not of type" in "".join(described.complaints())


# --- the exceptions ------------------------------------------------------------------------------------------------


def test_what_is_excepted_is_not_described():
    for known in (*UNDESCRIBED_STATUSES, *OUR_STATUSES):
        plain = known.replace("\\", "")
        assert plain not in described.SHAPES["answers"]
    assert all(": " in known for known in UNDESCRIBED_FIELDS)
