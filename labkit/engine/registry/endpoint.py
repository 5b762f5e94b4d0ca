"""Where a registry is: from the first part of an image's name to a URL.

Everything goes over HTTPS, except to this machine itself: nobody can listen in on the loopback interface, and a
registry that was started for a test has no certificate. Docker draws the line at the same place, 127.0.0.0/8.
"""

from __future__ import annotations

import ipaddress
import urllib.request
from dataclasses import dataclass

from labkit.engine.images import reference

DOCKER_HUB = "registry-1.docker.io"  # where the registry lives that names call docker.io


@dataclass(frozen=True)
class Endpoint:
    """A registry's address: `host` with its port, and whether it is spoken to without TLS."""

    host: str
    plain: bool

    @property
    def url(self) -> str:
        """The root of its API (OCI distribution spec, "endpoints")."""
        return f"{'http' if self.plain else 'https'}://{self.host}/v2/"

    def owns(self, url: str) -> bool:
        """Does a URL lead to this same server, and in the same way?"""
        return url.startswith(self.url.removesuffix("v2/"))

    @property
    def proxy(self) -> str | None:
        """The HTTP proxy that the environment names for it; none to this machine."""
        if self.plain or urllib.request.proxy_bypass(self.host):
            return None
        return urllib.request.getproxies().get("https")


def find(registry: str) -> Endpoint:
    """The endpoint of a registry as image names have it, such as `docker.io` or `127.0.0.1:5000`."""
    host = DOCKER_HUB if registry == reference.DEFAULT_REGISTRY else registry
    return Endpoint(host, is_loopback(host))


def from_address(address: str) -> Endpoint:
    """The endpoint of what `docker login` was given: a host, or a URL; nothing is Docker Hub."""
    host = address.partition("://")[2] or address
    host = host.partition("/")[0]
    return find(reference.ALIASES.get(host, host) or reference.DEFAULT_REGISTRY)


def is_loopback(host: str) -> bool:
    """Is this host this machine, whatever the port?"""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False
