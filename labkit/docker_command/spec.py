"""The options of `run`, `create` and `exec`, and what the SDK calls them. Pure."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from labkit.docker_command.words import Given, Misused, Option, switch, value, values

OPTIONS: tuple[Option, ...] = (
    *(switch("-d", "--detach"), switch("--rm"), switch("-i", "--interactive"), switch("-t", "--tty")),
    *(value("--name"), values("-e", "--env"), values("-v", "--volume"), values("-p", "--publish")),
    *(value("-w", "--workdir"), value("-u", "--user"), value("-h", "--hostname"), value("--entrypoint")),
    *(values("-l", "--label"), value("--network", "--net"), value("--restart"), value("--stop-signal")),
    *(value("-m", "--memory"), value("--memory-swap"), value("--cpus"), value("--pids-limit")),
    *(switch("--read-only"), switch("--init"), values("--tmpfs"), switch("--privileged")),
    *(values("--cap-add"), values("--cap-drop"), values("--security-opt"), value("--pull"), switch("-q", "--quiet")),
)
EXEC_OPTIONS: tuple[Option, ...] = (
    *(switch("-d", "--detach"), switch("-i", "--interactive"), switch("-t", "--tty"), switch("--privileged")),
    *(values("-e", "--env"), value("-w", "--workdir"), value("-u", "--user")),
)

Arguments = dict[str, Any]
# option -> the SDK's word, for those whose value is passed on as it is. The container's own, then its host config's.
CONTAINER = {
    "name": "name",
    "workdir": "working_dir",
    "user": "user",
    "hostname": "hostname",
    "stop-signal": "stop_signal",
}
HOST = {"network": "network_mode", "memory": "mem_limit", "memory-swap": "memswap_limit"}
HOST_LISTS = {"cap-add": "cap_add", "cap-drop": "cap_drop", "security-opt": "security_opt"}
HOST_SWITCHES = {"read-only": "read_only", "init": "init", "privileged": "privileged", "rm": "auto_remove"}
NAMED = ("always", "unless-stopped", "on-failure", "no")


def container(given: Given) -> Arguments:
    """What to pass to the SDK's `create_container`, beside the image, the command and the host config."""
    found: Arguments = {word: given.one(key) for key, word in CONTAINER.items() if key in given.options}
    readers: dict[str, tuple[str, Callable[[list[str]], Any]]] = {
        "env": ("environment", environment),
        "label": ("labels", labels),
        "volume": ("volumes", lambda texts: [text for text in texts if ":" not in text]),
        "publish": ("ports", lambda texts: [tuple(port.split("/")) for port in ports(texts)]),
        "entrypoint": ("entrypoint", lambda texts: [texts[-1]]),
    }
    return found | _read(given, readers) | {"tty": given.on("tty")}


def host(given: Given) -> Arguments:
    """What to pass to the SDK's `create_host_config`."""
    found: Arguments = {word: given.one(key) for key, word in HOST.items() if key in given.options}
    found |= {word: given.all(key) for key, word in HOST_LISTS.items() if key in given.options}
    found |= {word: True for key, word in HOST_SWITCHES.items() if given.on(key)}
    readers: dict[str, tuple[str, Callable[[list[str]], Any]]] = {
        "volume": ("binds", binds),
        "publish": ("port_bindings", ports),
        "tmpfs": ("tmpfs", tmpfs),
        "restart": ("restart_policy", lambda texts: restart_policy(texts[-1])),
        "cpus": ("nano_cpus", lambda texts: round(float(texts[-1]) * 1e9)),
        "pids-limit": ("pids_limit", lambda texts: int(texts[-1])),
    }
    return found | _read(given, readers)


def _read(given: Given, readers: Mapping[str, tuple[str, Callable[[list[str]], Any]]]) -> Arguments:
    return {word: read(given.all(key)) for key, (word, read) in readers.items() if key in given.options}


def environment(texts: Sequence[str]) -> list[str]:
    """KEY=value as it is; a KEY alone takes its value from here, and is left out where it has none."""
    return [
        text if "=" in text else f"{text}={os.environ[text]}" for text in texts if "=" in text or text in os.environ
    ]


def labels(texts: Sequence[str]) -> dict[str, str]:
    """key=value pairs; a key alone has an empty value."""
    return {key: text for key, _, text in (one.partition("=") for one in texts)}


def binds(texts: Sequence[str]) -> list[str]:
    """What to mount where; a source that begins with a dot is a folder beside this notebook."""
    pairs = [text.partition(":") for text in texts if ":" in text]
    return [f"{os.path.abspath(source) if source.startswith('.') else source}:{rest}" for source, _, rest in pairs]


def ports(texts: Sequence[str]) -> dict[str, Any]:
    """[address:][host port:]port[/protocol], as the SDK's dictionary from the port inside to those outside."""
    found: dict[str, list[Any]] = {}
    for text in texts:
        match = re.fullmatch(r"(?:(?:(.+):)?(\d*):)?(\d+)(/(?:tcp|udp|sctp))?", text)
        if not match:
            raise Misused(f"invalid publish opts format (should be [ip:][host port:]port): {text}")
        address, outside, inside, protocol = match.groups()
        number = int(outside) if outside else None
        found.setdefault(f"{inside}{protocol or '/tcp'}", []).append((address, number) if address else number)
    return {inside: outside[0] if len(outside) == 1 else outside for inside, outside in found.items()}


def tmpfs(texts: Sequence[str]) -> dict[str, str]:
    """path[:options]"""
    return {path: options for path, _, options in (text.partition(":") for text in texts)}


def restart_policy(text: str) -> dict[str, Any]:
    """no, always, unless-stopped, or on-failure[:times]"""
    name, _, times = text.partition(":")
    if name not in NAMED:
        raise Misused(f"invalid restart policy: unknown policy '{name}'; use one of {', '.join(NAMED)}")
    return {"Name": name, "MaximumRetryCount": int(times or 0)}
