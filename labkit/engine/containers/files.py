"""The three files that the engine lends a container: /etc/hostname, /etc/hosts, /etc/resolv.conf.

They are mounted over the image's own, since only the engine knows what belongs in them. A mount holds the file and
not its name, so they are written in place: what is written later is seen inside too. Formats: hosts(5),
resolv.conf(5).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]

NAMES = ("hostname", "hosts", "resolv.conf")
PLACES = {f"/etc/{name}": name for name in NAMES}

LOCALHOST = (
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    "fe00::0\tip6-localnet",
    "ff00::0\tip6-mcastprefix",
    "ff02::1\tip6-allnodes",
    "ff02::2\tip6-allrouters",
)
FALLBACK_DNS = ("8.8.8.8", "8.8.4.4")
"""What Docker takes where the host only knows a resolver of its own, which no container can reach."""


def hosts(names: str, ips: Sequence[str], extra: Sequence[str], gateway: str, links: Sequence[str] = ()) -> str:
    """/etc/hosts: this machine's names, the extra ones (`name:address`), links, then the container's own addresses."""
    lines = list(LOCALHOST)
    for entry in extra:
        name, _, address = entry.partition(":")
        ip = gateway if address == "host-gateway" else address
        lines += [f"{ip}\t{name}"] if ip else []  # where there is no way out, there is no gateway either
    lines += links
    lines += [f"{ip}\t{names}" for ip in ips]
    return "\n".join(lines) + "\n"


OWN_DNS = "127.0.0.11"
"""The resolver that networks have which somebody made: networks/resolver.py."""

AS_IT_IS = "ndots:0"
"""With it a name without a dot, such as a container's, is asked as it is before anything is appended to it."""


def resolv_conf(of_host: str, host: Json, *, own: bool = False) -> str:
    """/etc/resolv.conf: the host's, without resolvers on its loopback; what HostConfig says instead of each part.

    With `own`, the only resolver is ours, which asks those on.
    """
    lines = [line.split() for line in of_host.splitlines() if line.strip() and line.strip()[0] not in "#;"]
    servers = host.get("Dns") or [row[1] for row in lines if row[0] == "nameserver" and _reachable(row[1:])]
    search = host.get("DnsSearch") or [word for row in lines if row[0] == "search" for word in row[1:]]
    options = host.get("DnsOptions") or [word for row in lines if row[0] == "options" for word in row[1:]]
    if own:
        servers = [OWN_DNS]
        options = options if any(word.startswith("ndots:") for word in options) else [*options, AS_IT_IS]
    made = [f"nameserver {server}" for server in servers or FALLBACK_DNS]
    if search and search != ["."]:
        made.append(f"search {' '.join(search)}")
    if options:
        made.append(f"options {' '.join(options)}")
    return "\n".join(made) + "\n"


def _reachable(address: Sequence[str]) -> bool:
    return bool(address) and not address[0].startswith("127.") and address[0] != "::1"


def read(path: str) -> str:
    """A small file of the host's; empty where there is none."""
    with contextlib.suppress(OSError), open(path, errors="replace") as file:
        return file.read(1 << 16)
    return ""


def write(folder: str, name: str, text: str) -> None:
    """Write one of the files in place, readable for all users of the container. Raises OSError."""
    fd = os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        os.fchmod(fd, 0o644)  # whatever the umask
        os.write(fd, text.encode())
    finally:
        os.close(fd)
