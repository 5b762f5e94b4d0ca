"""The query of a build, as the SDK and the docker command write it."""

import json
from urllib.parse import urlencode

import pytest
from aiohttp.test_utils import make_mocked_request

from labkit.engine.api.build import credentials
from labkit.engine.api.request import Request
from labkit.engine.build.options import Options, read
from labkit.engine.errors import ApiError


def options(*pairs: tuple[str, str], **words: str) -> Options:
    query = urlencode([*pairs, *words.items()])
    return read(Request(make_mocked_request("POST", f"/build?{query}"), (1, 45), {}))


def test_nothing_asked():
    assert options() == Options()


def test_names_are_normal_and_single():
    assert options(("t", "a"), ("t", "a:latest"), ("t", "docker.io/library/b:1")).names == ("a:latest", "b:1")


@pytest.mark.parametrize(
    ("words", "remove", "force"),
    [
        ({}, True, False),
        ({"rm": "1"}, True, False),
        ({"rm": "0"}, False, False),
        ({"rm": "false"}, False, False),
        ({"rm": "0", "forcerm": "1"}, True, True),
    ],
)
def test_which_containers_go(words, remove, force):
    found = options(**words)
    assert (found.remove, found.force_remove) == (remove, force)


def test_json():
    found = options(buildargs='{"a": "1", "b": null}', labels='{"x": "y"}', cachefrom='["i"]')
    assert found.arguments == {"a": "1", "b": None} and found.labels == {"x": "y"} and found.cache_from == ("i",)
    assert options(cachefrom="[]").cache_from is None


def test_host_config():
    found = options(
        ("extrahosts", "a:1.2.3.4"), ("extrahosts", "b:1.2.3.5"), ("shmsize", "1024"), ("networkmode", "none"),
        ("memory", "0"), ("ulimits", json.dumps([{"Name": "nofile", "Soft": 1, "Hard": 2}])),
    )  # fmt: skip
    assert found.host == {
        "NetworkMode": "none",
        "ShmSize": 1024,
        "Ulimits": [{"Name": "nofile", "Soft": 1, "Hard": 2}],
        "ExtraHosts": ["a:1.2.3.4", "b:1.2.3.5"],
    }
    assert options(extrahosts='["a:1.2.3.4"]').host == {"ExtraHosts": ["a:1.2.3.4"]}


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ({"version": "2"}, 501, "DOCKER_BUILDKIT=0"),
        ({"version": "3"}, 400, "invalid version 3"),
        ({"remote": "http://x/y"}, 501, "send the folder as a tar"),
        ({"squash": "1"}, 400, "squash is only supported with experimental mode"),
        ({"isolation": "hyperv"}, 400, 'Unsupported isolation: "hyperv"'),
        ({"outputs": "[]"}, 501, "outputs"),
        ({"buildargs": "{"}, 400, "error reading build args"),
        ({"buildargs": '{"a": 1}'}, 400, "buildargs.a"),
        ({"labels": "[]"}, 400, "labels"),
        ({"t": "UPPER"}, 400, "must be lowercase"),
        ({"t": "a@sha256:" + "0" * 64}, 400, "digest"),
        ({"shmsize": "x"}, 400, "shmsize"),
    ],
)
def test_refused(words, status, said):
    with pytest.raises(ApiError) as caught:
        options(**words)
    assert caught.value.status == status and said in caught.value.message


def test_version_1_and_no_isolation_are_fine():
    assert options(version="1", isolation="default", squash="0") == Options()


def test_credentials_of_registries():
    header = "eyJodHRwczovL2luZGV4LmRvY2tlci5pby92MS8iOiB7InVzZXJuYW1lIjogIm1lIn0sICJsb2NhbGhvc3Q6NTAwMCI6IHt9fQ=="
    found = credentials(header)
    assert set(found) == {"docker.io", "localhost:5000"} and found["docker.io"].username == "me"
    assert credentials("") == {} and credentials("nonsense") == {} and credentials("W10=") == {}
