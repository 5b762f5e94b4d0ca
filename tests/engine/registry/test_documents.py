"""What can be judged without a network: names, documents, platforms, challenges, credentials."""

import base64
import json

import pytest

from labkit.engine.errors import BadParameter
from labkit.engine.images.save import INDEX, MANIFEST
from labkit.engine.registry import auth, endpoint, manifests, platforms, progress
from labkit.engine.registry.failures import RegistryError, said
from labkit.engine.registry.manifests import DOCKER_CONFIG, DOCKER_INDEX, DOCKER_LAYER, DOCKER_MANIFEST, Descriptor
from labkit.engine.registry.platforms import Platform

DIGEST = "sha256:" + "0" * 64
CONFIG = {"mediaType": DOCKER_CONFIG, "size": 7, "digest": DIGEST}
LAYER = {"mediaType": DOCKER_LAYER, "size": 9, "digest": DIGEST}
IMAGE = {"schemaVersion": 2, "mediaType": DOCKER_MANIFEST, "config": CONFIG, "layers": [LAYER]}
LIST = {
    "schemaVersion": 2,
    "mediaType": DOCKER_INDEX,
    "manifests": [
        {
            "mediaType": DOCKER_MANIFEST,
            "size": 5,
            "digest": DIGEST,
            "platform": {"os": "linux", "architecture": "arm64"},
        }
    ],
}


# --- where ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("registry", "url"),
    [
        ("docker.io", "https://registry-1.docker.io/v2/"),
        ("ghcr.io", "https://ghcr.io/v2/"),
        ("localhost", "http://localhost/v2/"),
        ("localhost:5000", "http://localhost:5000/v2/"),
        ("127.0.0.1:5000", "http://127.0.0.1:5000/v2/"),
        ("127.9.9.9:5000", "http://127.9.9.9:5000/v2/"),
        ("127.0.0.1.evil.org", "https://127.0.0.1.evil.org/v2/"),
        ("10.0.0.1:5000", "https://10.0.0.1:5000/v2/"),
    ],
)
def test_a_registry_of_this_machine_is_spoken_to_without_tls(registry: str, url: str) -> None:
    assert endpoint.find(registry).url == url


@pytest.mark.parametrize("address", ["", "https://index.docker.io/v1/", "docker.io", "index.docker.io"])
def test_a_login_without_an_address_means_docker_hub(address: str) -> None:
    assert endpoint.from_address(address).host == "registry-1.docker.io"


def test_a_login_takes_a_url() -> None:
    assert endpoint.from_address("http://127.0.0.1:5000/v2/").url == "http://127.0.0.1:5000/v2/"


def test_no_proxy_to_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    assert endpoint.find("ghcr.io").proxy == "http://proxy:3128"
    assert endpoint.find("127.0.0.1:5000").proxy is None


# --- documents -----------------------------------------------------------------------------------------------------


def parse(fields: object, announced: str = "") -> object:
    return manifests.parse(json.dumps(fields).encode(), announced)


def test_a_manifest() -> None:
    config, layer = Descriptor(DOCKER_CONFIG, DIGEST, 7), Descriptor(DOCKER_LAYER, DIGEST, 9)
    assert parse(IMAGE, DOCKER_MANIFEST) == manifests.Manifest(config, (layer,))


def test_ocis_manifest_needs_no_media_type_of_its_own() -> None:
    bare = {name: value for name, value in IMAGE.items() if name != "mediaType"}
    assert parse(bare, MANIFEST + "; charset=utf-8") == parse(IMAGE)


def test_an_index() -> None:
    index = parse(LIST, DOCKER_INDEX)
    assert isinstance(index, manifests.Index)
    assert index.manifests == ((Descriptor(DOCKER_MANIFEST, DIGEST, 5), Platform("linux", "arm64")),)


def test_what_is_built_is_what_is_parsed() -> None:
    config, layer = Descriptor(DOCKER_CONFIG, DIGEST, 7), Descriptor(DOCKER_LAYER, DIGEST, 9)
    assert manifests.parse(manifests.build(config, [layer]), DOCKER_MANIFEST) == manifests.Manifest(config, (layer,))


@pytest.mark.parametrize(
    ("fields", "announced", "words"),
    [
        ({**IMAGE, "manifests": []}, DOCKER_MANIFEST, "both"),
        ({**LIST, "layers": []}, DOCKER_INDEX, "both"),
        (IMAGE, DOCKER_INDEX, "sent it as"),
        (IMAGE, MANIFEST, "sent it as"),
        ({**IMAGE, "mediaType": INDEX}, "", "list of at most"),
        ({**IMAGE, "schemaVersion": 1}, "", "unsupported manifest"),
        ({**IMAGE, "mediaType": "text/html"}, "", "unsupported manifest"),
        ({**IMAGE, "config": None}, "", "no sha256 digest"),
        ({**IMAGE, "config": {**CONFIG, "mediaType": "application/vnd.cncf.helm.config.v1+json"}}, "", "no image"),
        ({**IMAGE, "layers": {}}, "", "list of at most"),
        ({**IMAGE, "layers": [LAYER] * 1000}, "", "list of at most 125"),
        ({**IMAGE, "layers": [{**LAYER, "size": -1}]}, "", "the size -1"),
        ({**IMAGE, "layers": [{**LAYER, "size": True}]}, "", "the size True"),
        ({**IMAGE, "layers": [{**LAYER, "digest": "sha256:../../x"}]}, "", "no sha256 digest"),
        ({**IMAGE, "layers": [{**LAYER, "mediaType": manifests.OCI_LAYER + "+zstd"}]}, "", "zstd"),
        ([], "", "not a JSON object"),
    ],
)
def test_refused(fields: object, announced: str, words: str) -> None:
    with pytest.raises(RegistryError, match=words):
        parse(fields, announced)


def test_no_json() -> None:
    for raw in (b"<html>", b"[" * 100_000):
        with pytest.raises(RegistryError, match="not JSON"):
            manifests.parse(raw, DOCKER_MANIFEST)


# --- platforms -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "offered", "taken"),
    [
        ("linux/amd64", ["linux/arm64", "linux/amd64"], 1),
        ("linux/amd64", ["linux/amd64/v3", "linux/amd64"], 1),
        ("linux/amd64/v3", ["linux/amd64", "linux/amd64/v2"], 1),
        ("linux/arm64", ["linux/arm64", "linux/arm64/v8"], 1),
        ("linux/arm64/v8", ["linux/arm64"], 0),
        ("linux/arm/v6", ["linux/arm/v7", "linux/arm/v5"], 1),
        ("linux/arm/v7", ["linux/arm/v5", "linux/arm/v7", "linux/arm/v6"], 1),
        ("linux/amd64", ["windows/amd64", "unknown/unknown"], None),
        ("linux/amd64", ["linux/amd64", "linux/amd64"], 0),
    ],
)
def test_the_platform_that_is_taken(wanted: str, offered: list[str], taken: int | None) -> None:
    platforms_offered = [None, *(Platform(*text.split("/")) for text in offered)]
    number = platforms.best(platforms_offered, platforms.parse(wanted))
    assert number == (None if taken is None else taken + 1)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("linux/aarch64", "linux/arm64"),
        ("arm64", "linux/arm64"),
        ("linux/arm/v7", "linux/arm/v7"),
        ("armel", "linux/arm/v6"),
    ],
)
def test_a_platform_is_spelled_in_several_ways(text: str, shown: str) -> None:
    assert str(platforms.parse(text)) == shown


def test_no_platform_is_this_machines() -> None:
    assert platforms.parse("") == platforms.here()
    with pytest.raises(BadParameter):
        platforms.parse("linux/amd64/v2/more")


# --- who -----------------------------------------------------------------------------------------------------------


def header(fields: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(fields).encode()).decode()


def test_credentials_come_in_a_header() -> None:
    fields = {"username": "learner", "password": "sécret", "serveraddress": "x"}
    who = auth.from_header(header(fields))
    assert (who.username, who.password, who.server) == ("learner", "sécret", "x")
    assert auth.from_header(header(fields).rstrip("=")) == who, "some clients leave the padding out"
    assert "sécret" not in repr(who)


@pytest.mark.parametrize("text", ["", "!!!", "e30=", header([]), header(None), "é"])
def test_no_credentials(text: str) -> None:
    assert auth.from_header(text) == auth.NOBODY


def test_a_challenge() -> None:
    found = auth.challenge(['Bearer realm="https://a/token",service="r",scope="repository:x:pull,push"'])
    assert found and (found.scheme, found.realm) == ("bearer", "https://a/token")
    assert found.parameters["scope"] == "repository:x:pull,push"
    assert auth.challenge(["Negotiate"]) is None
    both = auth.challenge(['Basic realm="x"', 'Bearer realm="y"'])
    assert both and both.scheme == "bearer"


def test_a_request_for_a_token() -> None:
    asked = auth.Challenge("bearer", {"realm": "https://a/token", "service": "the registry"})
    anybody = auth.token_request(asked, "repository:x:pull", auth.NOBODY)
    assert (anybody.method, anybody.headers) == ("GET", {})
    assert anybody.url == "https://a/token?service=the+registry&scope=repository%3Ax%3Apull"
    with_password = auth.token_request(asked, "s", auth.Credentials("learner", "secret"))
    assert with_password.headers == {"Authorization": "Basic bGVhcm5lcjpzZWNyZXQ="}
    with_token = auth.token_request(asked, "s", auth.Credentials(identity_token="i"))
    assert with_token.form and (with_token.method, with_token.form["refresh_token"]) == ("POST", "i")


def test_no_password_in_the_clear() -> None:
    assert auth.may_see_password("https://r/v2/", "https://a/token")
    assert auth.may_see_password("http://127.0.0.1:5000/v2/", "http://127.0.0.1:5001/token")
    assert not auth.may_see_password("https://r/v2/", "http://a/token")


# --- words ---------------------------------------------------------------------------------------------------------


def test_the_words_of_a_registry() -> None:
    body = b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}'
    assert said(body) == ("manifest unknown: manifest unknown", "MANIFEST_UNKNOWN")
    for other in (b"", b"<html>", b"[]", b'{"errors":[]}', b'{"errors":{}}', b'{"errors":[1]}'):
        assert said(other) is None


def test_progress_in_dockers_words() -> None:
    assert progress.bar(36_445, 3_001_123) == "[>" + " " * 49 + "]  36.45kB/3.001MB"
    assert progress.bar(5, 5) == "[" + "=" * 50 + ">]  5B/5B"
    assert progress.step("Pull complete", DIGEST) == {
        "status": "Pull complete",
        "progressDetail": {},
        "id": "000000000000",
    }
