"""What the engine remembers of a network, how it is kept, and how clients see it (Docker Engine API, "Network")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from labkit.engine.networks.ipam import Plan

Json = dict[str, Any]

BRIDGE, HOST, NONE = "bridge", "host", "none"
PREDEFINED = {BRIDGE: "bridge", HOST: "host", NONE: "null"}
"""The networks that every engine has, and their drivers. Nobody may make, remove or rename them."""

OPTION = "com.docker.network."
BRIDGE_NAME = f"{OPTION}bridge.name"
MASQUERADE = f"{OPTION}bridge.enable_ip_masquerade"
BETWEEN_CONTAINERS = f"{OPTION}bridge.enable_icc"
HOST_ADDRESS = f"{OPTION}bridge.host_binding_ipv4"
MTU = f"{OPTION}driver.mtu"


@dataclass(frozen=True)
class Network:
    """One network. `plan` is None for host and none, which have no addresses of their own."""

    id: str
    name: str
    created: str
    driver: str = "bridge"
    device: str = ""
    """The name of its bridge among the machine's network devices."""
    plan: Plan | None = None
    internal: bool = False
    attachable: bool = False
    ipv6: bool = False
    ipam_options: Json | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def predefined(self) -> bool:
        return self.name in PREDEFINED

    @property
    def user_defined(self) -> bool:
        """One that somebody made: its containers find each other by name."""
        return not self.predefined

    @property
    def external(self) -> bool:
        """Whether a way leads out of it."""
        return self.plan is not None and not self.internal

    @property
    def masquerade(self) -> bool:
        return self.options.get(MASQUERADE, "true") != "false"

    @property
    def mtu(self) -> int:
        """The largest packet in bytes; 0 for the kernel's default, 1500."""
        return int(self.options.get(MTU) or 0)

    @property
    def event_attributes(self) -> dict[str, str]:
        return {"name": self.name, "type": self.driver}


def to_json(network: Network) -> Json:
    """What is written to the record."""
    return asdict(network)


def from_json(kept: Mapping[str, Any]) -> Network:
    """The network that a record tells of."""
    fields = dict(kept)
    if fields.get("plan"):
        fields["plan"] = Plan(**{**fields["plan"], "reserved": tuple(fields["plan"]["reserved"])})
    return Network(**fields)


def shown(network: Network, members: Mapping[str, Json] | None = None) -> Json:
    """`GET /networks/{id}`; the list leaves the members out."""
    return {
        "Name": network.name,
        "Id": network.id,
        "Created": network.created,
        "Scope": "local",
        "Driver": network.driver,
        "EnableIPv6": network.ipv6,
        "IPAM": {
            "Driver": "default",
            "Options": network.ipam_options,
            "Config": network.plan.shown if network.plan else [],
        },
        "Internal": network.internal,
        "Attachable": network.attachable,
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Containers": dict(members or {}),
        "Options": dict(network.options),
        "Labels": dict(network.labels),
    }
