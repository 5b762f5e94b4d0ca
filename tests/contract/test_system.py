"""The engine about itself, and how it answers nonsense: ping, version, info, negotiation, unknown and bad requests."""

import docker
import pytest

from tests.contract.differences import expected


def get(client: docker.DockerClient, path: str, **options):
    """A request that the SDK has no method for: the SDK's client is also a session of `requests`."""
    return client.api.get(client.api.base_url + path, timeout=30, **options)


def post(client: docker.DockerClient, path: str, **options):
    return client.api.post(client.api.base_url + path, timeout=30, **options)


# --- who is there ------------------------------------------------------------------------------------------------


def ping(client):
    return get(client, "/_ping")


def ping_without_the_word(client):
    return client.api.head(client.api.base_url + "/_ping", timeout=30)


@pytest.mark.parametrize(("ask", "word"), [(ping, "OK"), (ping_without_the_word, "")])
def test_ping_says_ok_and_which_api(client, ask, word):
    answer = ask(client)
    assert (answer.status_code, answer.text) == (200, word)
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Api-Version"] == client.version()["ApiVersion"]
    assert answer.headers["Ostype"] == "linux"
    assert "no-cache" in answer.headers["Cache-Control"]


def test_version_names_the_engine_and_the_range_of_apis(client):
    version = client.version()
    assert tuple(map(int, version["ApiVersion"].split("."))) >= (1, 41)
    assert version["Os"] == "linux"
    assert {"Version", "MinAPIVersion", "Arch", "KernelVersion", "Components"} <= version.keys()


def test_info_counts_containers_and_images(client, image):
    before = client.info()
    client.containers.create(image, ["true"])
    after = client.info()
    assert after["OSType"] == "linux"
    assert after["Containers"] >= 1
    assert after["Images"] >= 1
    assert after["Containers"] == after["ContainersRunning"] + after["ContainersPaused"] + after["ContainersStopped"]
    assert before["ID"] == after["ID"]


def test_info_says_that_seccomp_is_on(client):
    assert any("seccomp" in option for option in client.info()["SecurityOptions"])


@pytest.mark.parametrize("version", ["1.41", "newest"])
def test_every_version_in_the_range_is_served(client, version):
    number = client.version()["ApiVersion"] if version == "newest" else version
    assert get(client, f"/v{number}/info").json()["ID"] == client.info()["ID"]


def test_a_path_without_a_version_is_served_too(client):
    assert get(client, "/containers/json").status_code == 200


def test_a_version_from_the_future_is_refused(client):
    answer = get(client, "/v1.99/info")
    assert answer.status_code == 400
    newest = client.version()["ApiVersion"]
    assert f"too new. Maximum supported API version is {newest}" in answer.json()["message"]


# --- nonsense ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/no/such/thing", "/v1.41/nothing", "/containers/json/more/of/it"])
def test_an_unknown_path_is_404_with_a_message(client, path):
    answer = get(client, path)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.json()["message"]


BAD_BODIES = {
    "not JSON": b"{",
    "a list": b"[]",
    "a word": b'"create"',
    "Cmd is a number": b'{"Image": "x", "Cmd": 7}',
    "Env is a text": b'{"Image": "x", "Env": "A=1"}',
    "HostConfig is a list": b'{"Image": "x", "HostConfig": []}',
    "Memory is a text": b'{"Image": "x", "HostConfig": {"Memory": "lots"}}',
    "Tty is a number": b'{"Image": "x", "Tty": 1}',
    "Labels is a list": b'{"Image": "x", "Labels": ["a"]}',
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
def test_a_bad_body_is_refused_with_a_message(client, engine, body):
    answer = post(client, "/containers/create", data=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in expected("bad body", engine)
    assert answer.json()["message"]


def test_a_body_that_is_not_called_json_is_refused(client, engine):
    answer = post(client, "/containers/create", data=b"{}", headers={"Content-Type": "text/plain"})
    assert answer.status_code in expected("body of another type", engine)
    assert "Content-Type" in answer.json()["message"]


def test_a_create_without_an_image_is_refused(client, engine):
    answer = post(client, "/containers/create", json={"Cmd": ["true"]})
    assert answer.status_code in expected("no image", engine)
    if answer.ok:
        client.containers.get(answer.json()["Id"]).remove()
    else:
        assert answer.json()["message"]


def test_an_endless_body_is_refused(client, engine):
    """Far more than any configuration needs; whether the engine answers or hangs up, it must live on."""
    body = b'{"Image": "x", "Domainname": "' + b"a" * (32 << 20) + b'"}'
    try:
        answer = post(client, "/containers/create", data=body, headers={"Content-Type": "application/json"})
    except docker.errors.DockerException:
        raise
    except OSError as hung_up:  # requests raises its ConnectionError, a kind of OSError, when the engine hangs up
        assert "Broken pipe" in str(hung_up) or "reset" in str(hung_up)
    else:
        assert answer.status_code in expected("endless body", engine)
    assert client.ping()


@pytest.mark.parametrize(
    "filters",
    ["{", "[]", '{"status": 7}', '{"nonsense": ["x"]}'],
    ids=["not JSON", "a list", "a number", "unknown"],
)
def test_bad_filters_are_refused(client, engine, filters):
    answer = get(client, "/containers/json", params={"filters": filters})
    assert answer.status_code in expected("bad filters", engine)
    assert answer.json()["message"]


@pytest.mark.parametrize("name", ["..", "a%2fb", "%00", "-x", "a b"])
@pytest.mark.parametrize("verb", ["create"])
def test_a_name_may_not_look_like_a_path(client, image, verb, name):
    answer = post(client, f"/containers/create?name={name.replace(' ', '%20')}", json={"Image": image})
    assert answer.status_code == 400
    assert "name" in answer.json()["message"]


@pytest.mark.parametrize("name", ["..%2f..%2fetc%2fpasswd", "..", "no-such-container", "a" * 300])
def test_an_id_that_does_not_exist_is_404(client, name):
    assert get(client, f"/containers/{name}/json").status_code in (301, 404)


SDK_ERRORS = {
    "unknown container": lambda c: c.containers.get("labkit-no-such"),
    "unknown image": lambda c: c.images.get("labkit-no-such"),
    "create from an unknown image": lambda c: c.containers.create("labkit-no-such"),
    "remove an unknown container": lambda c: c.api.remove_container("labkit-no-such"),
    "remove an unknown image": lambda c: c.images.remove("labkit-no-such"),
    "start an unknown container": lambda c: c.api.start("labkit-no-such"),
    "inspect an unknown exec": lambda c: c.api.exec_inspect("labkit-no-such"),
}


@pytest.mark.parametrize("call", SDK_ERRORS.values(), ids=SDK_ERRORS)
def test_the_sdk_raises_not_found(client, call):
    with pytest.raises(docker.errors.NotFound, match=r"(?i)no such"):
        call(client)


def test_an_unknown_image_has_an_exception_of_its_own(client):
    with pytest.raises(docker.errors.ImageNotFound, match=r"No such image: labkit-no-such:latest"):
        client.containers.create("labkit-no-such")


# --- what this engine has not, and how it says so ----------------------------------------------------------------


def test_plugins(client):
    assert isinstance(client.api.plugins(), list)
    with pytest.raises(docker.errors.NotFound, match=r"(?i)plugin.*not found"):
        client.api.inspect_plugin("labkit-nosuch")


def test_there_is_no_swarm_to_leave(client):
    if client.info()["Swarm"]["LocalNodeState"] != "inactive":
        pytest.skip("this dockerd is in a swarm, and shall stay there")
    with pytest.raises(docker.errors.APIError, match="not part of a swarm") as refusal:
        client.api.leave_swarm()
    assert refusal.value.status_code == 503
