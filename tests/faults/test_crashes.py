"""The engine dies at a named step (labkit/engine/crash.py). The next one must find a state that makes sense.

For each step: the same work is begun, the engine dies in the middle of it, and is started twice more. Both starts
must give the same answer, everything that is there must be usable and removable, and then nothing is left.
"""

import contextlib
import io
from collections.abc import Callable

import docker
import pytest
import requests
import urllib3

from labkit.engine import crash
from tests import engines
from tests.backends import not_for_this_engine
from tests.contract.helpers import eventually, tar_of
from tests.engines import Engine, remove_all
from tests.faults import traces
from tests.faults.conftest import IMAGE, SOAK, kill_api
from tests.faults.registries import registry

FOREVER = ["sleep", "600"]
CUT_OFF = (requests.exceptions.RequestException, urllib3.exceptions.ProtocolError, docker.errors.APIError)
"""What a client sees of an engine that dies under its request: no answer, or half of one."""


def create(client: docker.DockerClient) -> None:
    client.containers.create(IMAGE, FOREVER, name="victim", volumes=["/data"])


def start(client: docker.DockerClient) -> None:
    client.containers.get("victim").start()


def kill(client: docker.DockerClient) -> None:
    client.containers.get("victim").kill()


def stop(client: docker.DockerClient) -> None:
    """The victim is deaf to SIGTERM, so that both signals are sent."""
    client.containers.get("victim").stop(timeout=0)


def remove(client: docker.DockerClient) -> None:
    client.containers.get("victim").remove(v=True)


def load(client: docker.DockerClient) -> None:
    client.api.import_image_from_data(tar_of({"a": b"1"}), repository="victim")


def pull(client: docker.DockerClient) -> None:
    with (
        registry() as host,
        contextlib.closing(client.api.pull(f"{host}/victim", tag="v1", stream=True)) as told,
    ):
        assert not [line for line in told if b"error" in line]


def build(client: docker.DockerClient) -> None:
    lines = ["FROM " + IMAGE, "COPY a /a", "RUN echo 1 > /b && sleep 0.1", "VOLUME /data", "CMD echo"]
    context = tar_of({"Dockerfile": "\n".join(lines).encode(), "a": b"1"})
    options = {"fileobj": io.BytesIO(context), "custom_context": True, "tag": "victim", "nocache": True, "rm": True}
    assert b"Successfully tagged" in b"".join(client.api.build(**options))


def connect(client: docker.DockerClient) -> None:
    client.networks.create("victim")


VERBS: dict[str, tuple[list[Callable], Callable]] = {  # what is done in peace, and what the engine dies of
    "create": ([], create),
    "start": ([create], start),
    "exit": ([create, start], kill),
    "stop": ([create, start], stop),
    "remove": ([create], remove),
    "image": ([], load),
    "pull": ([], pull),
    "build": ([], build),
    "network": ([], connect),
}
POSSIBLE = {  # the states that the victim may be found in; None: it is not there
    "create: saved": {"created"},
    "create": {None},
    "start: saved": {"running"},
    "start: program runs": {"running"},
    "start": {"created"},
    "exit": {"exited"},
    "stop": {"running", "exited"},
    "remove": {None},
    "build": {None},
}


def steps(account: object) -> tuple[str, ...]:
    """Every step as root; as another user each sixth, unless there is time for all."""
    return crash.STEPS if SOAK or account is None else crash.STEPS[::6]


@pytest.fixture
def dying(engine: Engine, account, monkeypatch: pytest.MonkeyPatch):
    """Restart the module's engine so that it dies at a step."""

    def restart_to_die(step: str) -> None:
        kill_api(engine)
        monkeypatch.setenv("LABKIT_CRASH_AT", step)
        engines.start(engine, account)
        monkeypatch.delenv("LABKIT_CRASH_AT")

    yield restart_to_die
    if engine.process.poll() is not None:
        engines.start(engine, account)
    remove_all(engine)


@pytest.fixture(scope="module", autouse=True)
def settled(engine: Engine, account) -> None:
    """Begin with an API process that is not the first: so are all that follow."""
    kill_api(engine)
    engines.start(engine, account)


@pytest.mark.parametrize("step", crash.STEPS)
def test_a_crash_at(step, engine, account, dying):
    if step not in steps(account):
        not_for_this_engine("rootless takes every sixth step, as the code is the same; `make soak` takes all")
    before = traces.settled(engine)
    prepare, last = VERBS[step.split(":")[0]]
    with contextlib.closing(engine.client()) as client:
        for verb in prepare:
            verb(client)
    dying(step)
    with contextlib.closing(engine.client()) as client, contextlib.suppress(*CUT_OFF):
        last(client)
    assert engine.process.wait(10) == 9, f"the control: it must die at {step!r}"

    engines.start(engine, account)
    first = answer(engine)
    kill_api(engine)
    engines.start(engine, account)
    assert answer(engine) == first, "a second start must change nothing"
    possible = POSSIBLE.get(step) or POSSIBLE.get(step.split(":")[0])
    assert possible is None or first["containers"].get("victim") in possible
    assert set(first["containers"]) <= {"victim"}, "a step of a build goes with its build"
    assert first["volumes"] == len(first["containers"]), "the victim has one, and it goes with it"
    everything_works(engine)
    tidy(engine)
    nothing_left(engine, before)


def answer(engine: Engine) -> dict[str, object]:
    """What the engine says that there is."""
    with contextlib.closing(engine.client()) as client:
        return {
            "containers": {c.name: c.status for c in client.containers.list(all=True)},
            "images": sorted(tag for image in client.images.list() for tag in image.tags),
            "networks": sorted(network.name for network in client.networks.list()),
            "volumes": len(client.volumes.list()),
        }


def everything_works(engine: Engine) -> None:
    """The half-done work can be done again from its beginning, to its end."""
    with contextlib.closing(engine.client()) as client:
        with contextlib.suppress(docker.errors.NotFound):
            client.containers.get("victim").remove(force=True, v=True)
        create(client)
        start(client)
        assert client.containers.get("victim").exec_run("echo well").output == b"well\n"
        kill(client)
        eventually(lambda: client.containers.get("victim").status == "exited")
        remove(client)
        load(client)


def tidy(engine: Engine) -> None:
    with contextlib.closing(engine.client()) as client:
        for tag in [tag for image in client.images.list() for tag in image.tags if "victim" in tag]:
            client.images.remove(tag, force=True)
        client.images.prune()  # an image that was never acknowledged may be there without its name
        for network in client.networks.list(names=["victim"]):
            network.remove()
        assert client.containers.run(IMAGE, ["echo", "still here"], remove=True) == b"still here\n"


def nothing_left(engine: Engine, before: traces.Picture) -> None:
    """But for the API process itself, which is another one now, everything is as it was."""
    traces.watch(engine)
    traces.same_again(engine, {key: before[key] for key in LASTING})


LASTING = ("mounts", "links", "processes", "files")
