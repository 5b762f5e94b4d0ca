"""commit, tag, rmi: a container becomes an image, an image gets a name, an image goes."""

from collections.abc import Callable, Iterable
from typing import Any

from docker import DockerClient

from labkit.docker_command.life import each
from labkit.docker_command.words import Given, Misused

Say = Callable[[str], None]


def repository_and_tag(reference: str) -> tuple[str, str | None]:
    """`host:5000/name:v1` as its name and its tag; no tag when none was written."""
    name, colon, tag = reference.rpartition(":")
    return (name, tag) if colon and "/" not in tag else (reference, None)


def commit(client: DockerClient, given: Given, say: Say) -> int:
    """Make an image of a container's layer; say the image's id."""
    repository, tag = repository_and_tag(given.words[1]) if len(given.words) > 1 else (None, None)
    made: dict[str, str] = client.api.commit(
        *(given.words[0], repository, tag),
        message=given.one("message") or None,
        author=given.one("author") or None,
        pause=given.one("pause", "true") != "false",
        changes=given.all("change") or None,
    )
    say(f"{made['Id']}\n")
    return 0


def tag(client: DockerClient, given: Given, say: Say) -> int:
    """Give an image one more name."""
    source, target = given.words
    name, mark = repository_and_tag(target)
    client.api.tag(source, name, mark or "latest")
    return 0


def rmi(client: DockerClient, given: Given, say: Say) -> int:
    """Remove images, or the names that were given of them."""

    def remove(name: str) -> str:
        steps: Iterable[dict[str, Any]] = client.api.remove_image(
            name, force=given.on("force"), noprune=given.on("no-prune")
        )
        return "\n".join(f"{word}: {identifier}" for step in steps for word, identifier in step.items())

    if not given.words:
        raise Misused("'docker rmi' requires at least 1 argument")
    return each(given, say, remove)
