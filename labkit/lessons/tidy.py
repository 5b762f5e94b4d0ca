"""Remove what a lesson made: containers and images that are named like the lesson's and bear the course's label.

Both are asked for, so nothing of yours is touched, even where it happens to have such a name; nor is what another
learner has signed, where several share an engine. No image hands its label
on to a network or a volume, and a learner makes them without one: there the name must be one that the lesson gives out
(its cast), letter by letter, or the label must be there.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress

import docker
from docker.errors import APIError
from docker.models.networks import Network
from docker.models.volumes import Volume

from labkit.clean import FILTERS, foreign, ours, whose


def tidy(client: docker.DockerClient, prefix: str, cast: Iterable[str] = ()) -> list[str]:
    """Remove the lesson's containers, networks, volumes, then its images; return the names that are still there.

    What remains is either not the course's or in use by something that is not.
    """
    me = whose(client)
    for container in client.containers.list(all=True, filters=FILTERS, ignore_removed=True):
        if (container.name or "").startswith(prefix) and not foreign(me, container.labels):
            with suppress(APIError):  # gone already (404), or being removed (409)
                container.remove(force=True, v=True)
    cast = frozenset(cast)
    for belonging in _belongings(client, prefix):
        labels = belonging.attrs.get("Labels")
        if (belonging.name in cast or ours(labels)) and not foreign(me, labels):
            with suppress(APIError):
                belonging.remove()
    for tag in _tags(client, prefix, FILTERS, me):
        with suppress(APIError):
            client.images.remove(tag)
    kept = (belonging.name or "" for belonging in _belongings(client, prefix))
    return sorted([*_names(client, prefix), *kept, *_tags(client, prefix)])


def _names(client: docker.DockerClient, prefix: str) -> list[str]:
    containers = client.containers.list(all=True, ignore_removed=True)
    return [name for container in containers if (name := container.name or "").startswith(prefix)]


def _belongings(client: docker.DockerClient, prefix: str) -> Iterator[Network | Volume]:
    """The networks and volumes that are named like the lesson's."""
    for collection in (client.networks, client.volumes):
        yield from (one for one in collection.list() if (one.name or "").startswith(prefix))


def _tags(
    client: docker.DockerClient, prefix: str, filters: dict[str, str | list[str] | bool] | None = None, me: str = ""
) -> list[str]:
    """The names of images that begin like the lesson's, without those that others signed where `me` is given. From
    the list alone: to ask for each may come too late."""
    listed = [entry for entry in client.api.images(filters=filters) if not foreign(me, entry["Labels"])]
    return [tag for entry in listed for tag in entry["RepoTags"] or () if tag.startswith(prefix)]
