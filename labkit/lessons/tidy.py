"""Remove what a lesson made: containers and images that are named like the lesson's and bear the course's label.

Both are asked for, so nothing of yours is touched, even where it happens to have such a name.
"""

from contextlib import suppress

import docker
from docker.errors import APIError

from labkit.clean import FILTERS


def tidy(client: docker.DockerClient, prefix: str) -> list[str]:
    """Remove the lesson's containers, then its images; return the names like the lesson's that are still there.

    What remains is either not the course's or in use by something that is not.
    """
    for container in client.containers.list(all=True, filters=FILTERS, ignore_removed=True):
        if (container.name or "").startswith(prefix):
            with suppress(APIError):  # gone already (404), or being removed (409)
                container.remove(force=True, v=True)
    for tag in _tags(client, prefix, FILTERS):
        with suppress(APIError):
            client.images.remove(tag)
    return sorted([*_names(client, prefix), *_tags(client, prefix)])


def _names(client: docker.DockerClient, prefix: str) -> list[str]:
    containers = client.containers.list(all=True, ignore_removed=True)
    return [name for container in containers if (name := container.name or "").startswith(prefix)]


def _tags(
    client: docker.DockerClient, prefix: str, filters: dict[str, str | list[str] | bool] | None = None
) -> list[str]:
    """The names of images that begin like the lesson's. From the list alone: to ask for each may come too late."""
    listed = client.api.images(filters=filters)
    return [tag for entry in listed for tag in entry["RepoTags"] or () if tag.startswith(prefix)]
