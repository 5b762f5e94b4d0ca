"""Who made a thing on an engine: two labels that the client of `connect()` gives to each container, network, volume.

    labkit.owner=ana             who: $LABKIT_OWNER, else the JupyterHub user, else the login name
    labkit.session=5f0c9a31      in which run of Python: `docker ps --filter label=labkit.session=5f0c9a31`

They are for a Docker Engine that several learners share: `labkit clean` of one then leaves the things of the others
alone. They keep things tidy and are no wall, as whoever may open an engine's socket may do anything on it.

Docker hands a container's labels on to an image that is committed from it. Left out: images that are built or loaded,
as the same content is the same image for everybody; and what the docker command makes, which is not told of us.
"""

import os
import platform
import pwd
import secrets
from collections.abc import Mapping
from typing import Any

import docker

OWNER, SESSION = "labkit.owner", "labkit.session"
SAME_MACHINE = "http+docker://localhost"  # how the SDK writes the address of a unix socket
MAKES = ("/containers/create", "/networks/create", "/volumes/create")
"""The requests that make something with labels: Docker Engine API."""

_session = secrets.token_hex(4)


def owner(base_url: str, environ: Mapping[str, str] = os.environ) -> str:
    """The name of whoever runs this, for the engine at this address of the SDK's (`client.api.base_url`).

    Who comes from another machine has its name behind: on two machines one login name may be two people.
    """
    named = environ.get("LABKIT_OWNER") or environ.get("JUPYTERHUB_USER")
    if named:
        return named
    return _login() if base_url == SAME_MACHINE else f"{_login()}@{platform.node()}"


def _login() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a user without an entry, as in many containers
        return str(os.getuid())


class Api(docker.APIClient):
    """The SDK's low-level client, which signs what it makes. Labels that the caller gives win."""

    def _post_json(self, url: str, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        if data is not None and url.endswith(MAKES):
            data = {**data, "Labels": {**signature(self.base_url), **(data.get("Labels") or {})}}
        return super()._post_json(url, data, **kwargs)  # type: ignore[misc]


class Client(docker.DockerClient):
    """An ordinary client of the SDK in all else."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.api = Api(*args, **kwargs)


def signature(base_url: str) -> dict[str, str]:
    """The two labels."""
    return {OWNER: owner(base_url), SESSION: _session}
