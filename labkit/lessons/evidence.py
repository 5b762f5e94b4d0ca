"""What a check may look at: the containers, images, files and events of an engine, through the Docker SDK.

Everything is asked anew at each look, so a check sees the engine as it is. What is gone can't be looked at: for that
there are the events, and `seen`, a set in which a check notes what it has met (a latch: it is never unset). A Docker
engine keeps only its latest 256 events, so the set may remember more than the engine does.
"""

import io
import re
import tarfile
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from difflib import get_close_matches
from typing import Any, cast

import docker
from docker.errors import APIError, NotFound
from docker.models.containers import Container
from docker.models.images import Image

from labkit.clean import FILTERS

CHANGED, ADDED, DELETED = "C", "A", "D"  # as `docker diff` writes them
MADE_UP = re.compile(r"/[a-z]+_[a-z]+[0-9]*")  # Docker joins an adjective and a surname
Word = str | int  # what may be drawn for a learner
KINDS = (CHANGED, ADDED, DELETED)  # in the order of the API's 0, 1, 2


class Evidence:
    """The engine seen through the eyes of one lesson and one learner, whose drawn `words` are part of the tasks."""

    def __init__(
        self,
        client: docker.DockerClient,
        prefix: str,
        cast: Iterable[str],
        since: float,
        seen: set[str],
        words: Mapping[str, Word],
    ) -> None:
        self.client, self.prefix, self.cast = client, prefix, frozenset(cast)
        self.since, self.seen, self.words = since, seen, words

    def container(self, name: str) -> Container | None:
        """The container of that name, running or not; it may come from any image."""
        try:
            return self.client.containers.get(name)
        except NotFound:
            return None

    def image(self, name: str) -> Image | None:
        """The image of that name."""
        try:
            return self.client.images.get(name)
        except NotFound:  # ImageNotFound is one
            return None

    def own_tags(self) -> list[str]:
        """The names of images that begin like the lesson's, without the tag `:latest`."""
        tags = (tag for entry in self.client.api.images() for tag in entry["RepoTags"] or ())
        return sorted(tag.removesuffix(":latest") for tag in tags if tag.startswith(self.prefix))

    def stranger(self, wanted: Iterable[str]) -> str | None:
        """A container that the lesson does not know, named like the lesson's own or nearly like one of the wanted.

        What was there before the lesson began is not this learner's slip.
        """
        wanted = list(wanted)
        targets = wanted + [name.removeprefix(self.prefix) for name in wanted]
        for entry in self._since_the_beginning():
            name: str = entry["Names"][0].removeprefix("/")
            similar = name.startswith(self.prefix) or get_close_matches(name.lower(), targets, n=1, cutoff=0.8)
            if similar and name not in self.cast:
                return name
        return None

    def unnamed(self) -> list[Container]:
        """The course's containers that nobody named since the lesson began: Docker makes up names like quirky_bell."""
        listed = self._since_the_beginning(FILTERS)
        made_up = [entry["Id"] for entry in listed if any(MADE_UP.fullmatch(name) for name in entry["Names"])]
        return [container for each in made_up if (container := self.container(each))]

    def _since_the_beginning(self, filters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """The list's entries of containers, running or not, that were made since the lesson began."""
        entries = self.client.api.containers(all=True, filters=filters)
        return [entry for entry in entries if entry["Created"] >= int(self.since) and entry["Names"]]

    def file(self, container: Container, path: str) -> str | None:
        """The text of a file as the container sees it, or None. Works on a stopped container too (`docker cp`)."""
        try:
            chunks, _ = container.get_archive(path)
        except NotFound:
            return None
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
            member = archive.next()
            content = archive.extractfile(member) if member and member.isfile() else None
            return content.read().decode(errors="replace") if content else None

    def changes(self, container: Container) -> dict[str, str]:
        """What `docker diff` says of it: path -> C (changed), A (added) or D (deleted)."""
        entries: list[dict[str, Any]] = container.diff() or []  # the SDK's None: nothing changed
        return {entry["Path"]: KINDS[entry["Kind"]] for entry in entries}

    def endpoint(self, container: Container, network: str) -> dict[str, Any] | None:
        """The container's place on the network of that name: its aliases and address. None where it has none."""
        container.reload()
        place: dict[str, Any] | None = container.attrs["NetworkSettings"]["Networks"].get(network)
        return place

    def says(self, container: Container, *command: str) -> str | None:
        """What a command prints in a running container; None where it fails, or nothing runs.

        It is an exec, and so an event of its own: a check that is watched would call itself again and again.
        """
        try:
            done = container.exec_run(list(command))
        except APIError:  # not running (409), or gone
            return None
        said = cast(bytes, done.output)  # neither a stream nor a socket was asked for
        return said.decode(errors="replace") if done.exit_code == 0 else None

    def happened(self, name: str, action: str) -> bool:
        """Whether a container of that name had this event since the lesson began, and the engine still knows."""
        return any(
            event.get("Action") == action and event["Actor"]["Attributes"].get("name") == name
            for event in self._events()
        )

    def signals(self, name: str) -> list[int]:
        """The signals that the engine has sent to a container of that name since the lesson began, in order."""
        attributes = (event["Actor"]["Attributes"] for event in self._events() if event.get("Action") == "kill")
        return [int(told["signal"]) for told in attributes if told.get("name") == name]

    def written_at(self, container: Container, path: str) -> float | None:
        """When a file was last written: seconds since 1970, by the engine's clock. Works on a stopped container too."""
        try:
            chunks, about = container.get_archive(path)
        except NotFound:
            return None
        for _ in chunks:
            pass  # read to the end, or the connection is lost
        return moment(about["mtime"]) if about else None

    def _events(self) -> Iterable[dict[str, Any]]:
        # The API takes seconds with a fraction, which the SDK passes on as text. `until` now ends the stream.
        window: Any = {"since": f"{self.since:.6f}", "until": f"{time.time():.6f}"}
        return self.client.events(filters={"type": "container"}, decode=True, **window)


def moment(text: str) -> float:
    """A time as the API writes it (RFC 3339, nanoseconds), in seconds since 1970; negative for "never", year 1."""
    return datetime.fromisoformat(text).timestamp()


def is_from(container: Container, image: Image) -> bool:
    """Whether the container was made from this image: the image's ID is what counts, a tag may have moved."""
    return bool(container.attrs["Image"] == image.id)


def exit_code(container: Container) -> int:
    """The exit status of its main process; 0 as well for one that has not ended."""
    return int(container.attrs["State"]["ExitCode"])
