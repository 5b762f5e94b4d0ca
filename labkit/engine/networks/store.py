"""The networks of one engine: made, found, listed, removed, and where each is kept.

    STATE/networks/<id>.json      one file a network; the default bridge's keeps its address range over restarts

Bridges stand while the engine may need them. When it ends and no container runs, they are taken down, with the rules
of the firewall: a machine is left as it was found.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from labkit.engine import crash
from labkit.engine.containers import timestamps
from labkit.engine.containers.record import Container
from labkit.engine.errors import ApiError, BadParameter, Conflict, Forbidden, NotFound, ServerError, StateError
from labkit.engine.networks import bridge, create, filters, ipam, pools, record
from labkit.engine.networks.addresses import Addresses
from labkit.engine.networks.bridge import Bridge
from labkit.engine.networks.endpoint import new_id
from labkit.engine.networks.firewall import Firewall
from labkit.engine.networks.ports import Publisher
from labkit.engine.networks.record import BRIDGE, PREDEFINED, Network
from labkit.engine.networks.resolver import Resolver
from labkit.engine.rtnetlink import Rtnetlink
from labkit.engine.state import State, read_json, write_json

log = logging.getLogger(__name__)

Json = dict[str, Any]
MakeSocket = Callable[[int, int], socket.socket]
"""(family, type) -> a socket that belongs where published ports and the host's resolvers are."""

LONELY = "containers have loopback only"


class Networks:
    """All networks, by id. `outside` makes sockets in the network namespace of this machine."""

    def __init__(self, state: State, firewall: Firewall, outside: MakeSocket = socket.socket) -> None:
        self.firewall, self.outside = firewall, outside
        self.error = ""
        """Why there are no bridges, if there are none."""
        self.members: dict[str, dict[str, Container]] = {}
        """network id -> container id -> who is connected now."""
        self._root, self._folder = str(state.root), state.root / "networks"
        self._by_id: dict[str, Network] = {}
        self._bridges: dict[str, Bridge] = {}
        self._rules = asyncio.Lock()
        self.publisher = Publisher(outside)
        self.resolvers: dict[str, Resolver] = {}
        """container id -> its resolver, for those on a network that somebody made."""
        self._addresses: dict[str, Addresses] = {}
        self.link = Rtnetlink()

    # --- at the engine's start and end ---------------------------------------------------------------------------
    @classmethod
    async def load(cls, state: State, firewall: Firewall, outside: MakeSocket = socket.socket) -> Networks:
        """Read the records and let all bridges stand. Whatever is refused is told in `warnings`."""
        made = cls(state, firewall, outside)
        made._folder.mkdir(mode=0o700, exist_ok=True)
        for network in made._kept():
            made._add(network)
        for name in PREDEFINED:
            if made.id_of(name) not in made._by_id:
                made._add(made._predefined(name))
        for network in made:
            made._stand_up(made._moved(network))
        await made._write_rules()
        return made

    def _kept(self) -> Iterator[Network]:
        for path in sorted(self._folder.glob("*.json")):
            try:
                yield record.from_json(read_json(path))
            except (StateError, TypeError, KeyError, OSError) as broken:
                log.error("the record of a network, %s, cannot be used and is left alone: %s", path, broken)

    def id_of(self, name: str) -> str:
        """The id of a predefined network: derived, so that it is the same in every run."""
        return hashlib.sha256(f"{self._root}/{name}".encode()).hexdigest()

    def _predefined(self, name: str) -> Network:
        network_id, driver = self.id_of(name), PREDEFINED[name]
        network = Network(network_id, name, timestamps.now(), driver)
        if name == BRIDGE:
            network = self._default_bridge(network)
        if name != BRIDGE or network.plan:
            write_json(self._path(network), record.to_json(network))
        return network

    def _default_bridge(self, network: Network) -> Network:
        # named after the state folder, so that two engines can stand side by side
        device = "lk" + hashlib.sha256(self._root.encode()).hexdigest()[:10]
        options = {f"{record.OPTION}bridge.default_bridge": "true", record.BRIDGE_NAME: device}
        try:
            plan = ipam.automatic(self._taken())
        except ServerError as full:
            self.error = f"no bridge network: {full.message}; {LONELY}"
            plan = None
        return replace(network, device=device, plan=plan, options=options)

    def _add(self, network: Network) -> None:
        self._by_id[network.id] = network
        self.members[network.id] = {}
        if network.plan:
            self._addresses[network.id] = network.plan.addresses()

    def _moved(self, network: Network) -> Network:
        """The network in another range, where somebody took its own while its bridge was down, and nobody chose it."""
        plan = network.plan
        if plan is None or network.device in _devices():
            return network
        taken = pools.destinations(pools.host_routes())
        if not any(IPv4Network(plan.subnet).overlaps(other) for other in taken):
            return network
        if plan.by_hand:
            log.warning("the subnet of the network %s, %s, is in use elsewhere", network.name, plan.subnet)
            return network
        network = replace(network, plan=ipam.automatic(self._taken()))
        log.info("%s of the network %s is in use elsewhere: it moves", plan.subnet, network.name)
        write_json(self._path(network), record.to_json(network))
        self._add(network)
        return network

    def _stand_up(self, network: Network) -> None:
        plan = network.plan
        if plan is None:
            return
        try:
            stands = bridge.stand_up(self.link, network.device, plan.gateway, plan.prefix, network.mtu)
            self._bridges[network.id] = stands
        except OSError as refusal:
            self.error = f"no bridge network: {refusal.strerror}; {LONELY}"

    async def _write_rules(self) -> None:
        async with self._rules:  # the last to write must be the last to have looked
            await asyncio.to_thread(self.firewall.apply, [n for n in self if n.id in self._bridges])

    async def take_down(self) -> None:
        """Remove the bridges and the rules, when no container needs them. The records stay."""
        for network in self:
            if self._bridges.pop(network.id, None):
                bridge.take_down(self.link, network.device)
        await asyncio.to_thread(self.firewall.remove)

    def close(self) -> None:
        self.link.close()

    def warnings(self) -> list[str]:
        """What `docker info` should warn about."""
        return [f"WARNING: {words}" for words in (self.error, *self.firewall.warnings) if words]

    # --- find ----------------------------------------------------------------------------------------------------
    def __iter__(self) -> Iterator[Network]:
        return iter(list(self._by_id.values()))

    def get(self, ref: str) -> Network:
        """The network of an id, a name or the beginning of an id. Raises NotFound, BadParameter."""
        if found := self._by_id.get(ref) or self.named(ref):
            return found
        matching = [network for network in self if ref and network.id.startswith(ref)]
        if len(matching) > 1:
            raise BadParameter(f"network {ref} is ambiguous ({len(matching)} matches found based on ID prefix)")
        if not matching:
            raise NotFound(f"network {ref} not found")
        return matching[0]

    def find(self, ref: str) -> Network | None:
        """As `get`, but None where there is none."""
        try:
            return self.get(ref)
        except ApiError:
            return None

    def named(self, name: str) -> Network | None:
        """The network of exactly this name; names are given once."""
        return next((network for network in self._by_id.values() if network.name == name), None)

    def name_of(self, ref: str) -> str:
        """The name for a name or an id; an unknown one as it is."""
        found = self.find(ref)
        return found.name if found else ref

    def ids(self) -> dict[str, str]:
        """The id of each name."""
        return {network.name: network.id for network in self._by_id.values()}

    def listed(self, wanted: filters.Filters) -> list[Network]:
        """Those that pass the filters of `GET /networks`. Raises BadParameter."""
        filters.check(wanted)
        return [network for network in self if filters.passes(network, wanted, bool(self.members[network.id]))]

    def bridge_of(self, network: Network) -> Bridge | None:
        """The network's bridge, where it stands."""
        return self._bridges.get(network.id)

    def addresses_of(self, network_id: str) -> Addresses | None:
        """The addresses of a network that has some."""
        return self._addresses.get(network_id)

    # --- create, remove, prune -----------------------------------------------------------------------------------
    async def create(self, body: Mapping[str, Any]) -> Network:
        """Make a network as `POST /networks/create` asks. Raises ApiError; then nothing of it is left."""
        name = str(body.get("Name") or "")
        # as Docker since version 25, whether CheckDuplicate asks for it or not: a name means one network
        if name not in PREDEFINED and self.named(name):
            raise Conflict(f"network with name {name} already exists")
        network = create.network(body, new_id(), self._taken())
        try:
            # the record first: after a crash in between, the next engine knows whose bridge stands there
            write_json(self._path(network), record.to_json(network))
            crash.at("network: saved")
            self._build(network)
            crash.at("network: bridge made")
        except OSError as refused:
            self._path(network).unlink(missing_ok=True)
            self._demolish(network)
            raise ServerError(f"cannot make the network {name}: {refused}; is this engine allowed to?") from refused
        self._add(network)
        await self._write_rules()
        return network

    def _taken(self) -> list[IPv4Network]:
        """Where this machine has routes, and what our own networks hold."""
        ours = [IPv4Network(network.plan.subnet) for network in self if network.plan]
        return [*pools.destinations(pools.host_routes()), *ours]

    def _build(self, network: Network) -> None:
        if network.plan is None:
            return
        if network.device in _devices():
            raise FileExistsError(f"a device {network.device} is there already, and is not ours to take")
        self._bridges[network.id] = bridge.stand_up(
            self.link, network.device, network.plan.gateway, network.plan.prefix, network.mtu
        )

    def _demolish(self, network: Network) -> None:
        if self._bridges.pop(network.id, None):
            bridge.take_down(self.link, network.device)

    def _path(self, network: Network) -> Path:
        return self._folder / f"{network.id}.json"

    async def remove(self, network: Network) -> None:
        """Remove a network. Raises Forbidden while a container is connected, and for the predefined ones."""
        if network.predefined:
            raise Forbidden(f"{network.name} is a pre-defined network and cannot be removed")
        if self.members[network.id]:
            raise Forbidden(
                f"error while removing network: network {network.name} id {network.id} has active endpoints"
            )
        with contextlib.suppress(FileNotFoundError):
            self._path(network).unlink()
        self._demolish(network)
        del self._by_id[network.id], self.members[network.id]
        self._addresses.pop(network.id, None)
        await self._write_rules()

    async def prune(self, wanted: filters.Filters) -> list[Network]:
        """Remove those that somebody made and nobody uses. Raises BadParameter."""
        filters.check(wanted, filters.PRUNE)
        removed = []
        for network in self:
            used = bool(self.members.get(network.id))
            if network.user_defined and not used and filters.passes(network, wanted, used, filters.PRUNE):
                with contextlib.suppress(ApiError, KeyError):  # used or removed just now
                    await self.remove(network)
                    removed.append(network)
        return removed


def _devices() -> set[str]:
    """The names of this machine's network devices."""
    return {name for _, name in socket.if_nameindex()}
