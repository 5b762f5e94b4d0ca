"""Two worlds on each engine, empty before a test and after it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

import labkit
from tests.backends import docker_command
from tests.docker_command.worlds import World, ours, stock
from tests.engines import Engine

PREFIXES = ("lkcmd-stock", "lkcmd-ours")


@pytest.fixture
def worlds(engine: Engine, client: docker.DockerClient, tmp_path: Path) -> Iterator[tuple[World, World]]:
    docker_command()
    labkit.base_image(client)
    remove_all(client)
    yield World(stock(engine.address, tmp_path), PREFIXES[0]), World(ours(client), PREFIXES[1])
    remove_all(client)


def remove_all(client: docker.DockerClient) -> None:
    for container in client.containers.list(all=True, filters={"name": "lkcmd-"}, ignore_removed=True):
        with contextlib.suppress(docker.errors.APIError):
            container.remove(force=True)
    for image in client.images.list(filters={"reference": "lkcmd-*"}):
        for tag in image.tags:
            client.images.remove(tag)
