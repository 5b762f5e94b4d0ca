"""The cloud workspace of .devcontainer: its Docker starts, and runs a container."""

import json
import re
import tarfile
import tempfile
from collections.abc import Iterator

import pytest

from tests.binder import build, sandbox

FOLDER = build.ROOT / ".devcontainer"
IMAGE = "labkit-test/workspace:latest"
CONTAINER = """
tar --create --directory / bin/busybox | docker import - tiny >/dev/null
docker run --rm tiny /bin/busybox echo works
"""


@pytest.fixture(scope="module")
def workspace(docker_client) -> Iterator[object]:
    """A container of the workspace's image, as its settings say; nothing else is allowed to it here."""
    build.base(docker_client)
    with tempfile.TemporaryFile() as context:
        with tarfile.open(fileobj=context, mode="w") as archive:
            archive.add(FOLDER, ".")
        context.seek(0)
        docker_client.images.build(
            fileobj=context, custom_context=True, dockerfile=settings()["build"]["dockerfile"], tag=IMAGE,
            buildargs={"BASE": build.BASE}, network_mode="host", rm=True, forcerm=True,
        )  # fmt: skip
    container = docker_client.containers.run(
        IMAGE, ["sleep", "1000"], detach=True, privileged=settings()["privileged"], labels={sandbox.LABEL: ""},
        volumes={"labkit-test-workspace": {"bind": "/var/lib/docker"}},
    )  # fmt: skip
    yield container
    container.remove(force=True)
    docker_client.volumes.get("labkit-test-workspace").remove()


def settings() -> dict:
    """devcontainer.json, whose lines may be comments."""
    lines = (FOLDER / "devcontainer.json").read_text().splitlines()
    return json.loads("\n".join(line for line in lines if not line.strip().startswith("//")))


def test_its_docker_starts_and_runs_a_container(workspace):
    for _ in range(2):  # a second start finds it running
        sandbox.execute(workspace, *settings()["postStartCommand"].split())
    assert sandbox.execute(workspace, "sh", "-c", CONTAINER) == "works\n"


def test_its_user_is_an_ordinary_one_who_may_use_docker(workspace):
    assert settings()["remoteUser"] == "learner"
    assert re.fullmatch(r"learner .*\bdocker\b.*\n", sandbox.execute(workspace, "id", "-nG"))


def test_what_its_settings_name_is_there():
    (opened,) = settings()["customizations"]["codespaces"]["openFiles"]
    assert (build.ROOT / opened).is_file()
    target = settings()["postCreateCommand"].split("/")[-1]
    assert f"$(VENV)/{target}:" in (build.ROOT / "Makefile").read_text()
