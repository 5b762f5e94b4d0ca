"""Find a container engine, or start our own, and hand back an ordinary `docker.DockerClient`.

The order is a table, `candidates`, that `labkit doctor` prints too. Whoever names an engine (an argument,
DOCKER_HOST) gets that one or an error, never another in its place. Left out: reading Docker's contexts
(`docker context use`); set DOCKER_HOST to the address that `docker context ls` shows.
"""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import docker
from docker.errors import DockerException
from docker.utils import kwargs_from_env

from labkit.errors import BadAddress, EngineNotStarted, EngineUnreachable, NoEngine
from labkit.owner import Client

if TYPE_CHECKING:
    from labkit.engine.control import Running

EMBEDDED = "embedded"  # stands where an address would: the engine that labkit starts itself
IN_VM = "vm"  # the same in a small virtual machine, which is taken anyway where namespaces are refused
SCHEMES = ("unix", "tcp", "http", "https", "ssh")  # what the Docker SDK can open
NO_NETWORK = "it has no network, so no image can be pulled; building, saving and loading work"
PROBE_SECONDS = 10  # a socket that systemd listens on first has to start its daemon
REQUEST_SECONDS = 60  # the SDK's own default


@dataclass(frozen=True)
class Candidate:
    """A place where an engine may be, and why we look there."""

    address: str
    why: str
    named: bool = False  # somebody asked for this one: nothing else will do


@dataclass(frozen=True)
class Connection:
    """A client that has been answered, and the sentence that says who answered and why it was chosen."""

    client: docker.DockerClient
    candidate: Candidate
    text: str


def connect(address: str | None = None) -> docker.DockerClient:
    """Find or start a container engine; print one line that says which and why; return the SDK's client.

    Raises a `labkit.errors.EngineError` that says what to do.
    """
    with OneLine("Engine: ") as line:
        found = find(address, os.environ, progress=line.say)
        line.say(found.text)
    if "IPython" in sys.modules:
        from labkit import magic  # only in a notebook: `%docker` then speaks to this engine

        magic.register(found.client)
    return found.client


def candidates(environ: Mapping[str, str], uid: int) -> list[Candidate]:
    """The places to look, in order. LABKIT_ENGINE=embedded, =vm or =docker narrows the choice."""
    forced = environ.get("LABKIT_ENGINE", "")
    if forced not in ("", "docker", EMBEDDED, IN_VM):
        raise BadAddress(
            f"LABKIT_ENGINE is {forced!r}, which names no kind of engine",
            do="set it to `docker`, `embedded` or `vm`, or unset it",
        )
    if forced in (EMBEDDED, IN_VM):
        return [Candidate(forced, "LABKIT_ENGINE asks for it", named=True)]
    if host := environ.get("DOCKER_HOST"):
        return [Candidate(host, "DOCKER_HOST names it", named=True)]
    sockets = [Candidate(f"unix://{path}", why) for path, why in _sockets(environ, uid)]
    return sockets if forced else [*sockets, Candidate(EMBEDDED, "no Docker or Podman socket answers")]


def _sockets(environ: Mapping[str, str], uid: int) -> list[tuple[str, str]]:
    """Where Docker and Podman put their sockets: the system's first, then the user's own."""
    run = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{uid}"
    home = environ.get("HOME", "")
    places = [
        ("/var/run/docker.sock", "Docker's usual socket"),
        (f"{run}/docker.sock", "rootless Docker's socket"),
        (f"{home}/.docker/run/docker.sock", "Docker Desktop's socket"),
        (f"{home}/.docker/desktop/docker.sock", "Docker Desktop's socket"),
        (f"{run}/podman/podman.sock", "Podman's socket"),
    ]
    return [*places, ("/run/podman/podman.sock", "Podman's system socket")] if uid == 0 else places


def find(
    address: str | None, environ: Mapping[str, str], progress: Callable[[str], None] = lambda text: None
) -> Connection:
    """The first candidate that answers. `progress` is told when the embedded engine takes a while to start."""
    if address is not None:
        return _open(Candidate(check_address(address), "the address that was given", named=True), environ)
    refused: list[str] = []
    for candidate in candidates(environ, os.getuid()):
        if candidate.address in (EMBEDDED, IN_VM):
            return _start_embedded(candidate, refused, environ, progress)
        if candidate.named:
            check_address(candidate.address)
        elif not os.path.exists(_path(candidate.address)):
            continue
        try:
            return _open(candidate, environ)
        except EngineUnreachable as error:
            if candidate.named:
                raise
            refused.append(f"{_path(candidate.address)}: {error.said}")
    raise NoEngine(
        "We looked for a Docker or Podman socket, because LABKIT_ENGINE=docker asks for one",
        "; ".join(refused) or "there is none",
        "start Docker, or unset LABKIT_ENGINE to let labkit start its own engine",
    )


def check_address(address: str) -> str:
    """The address itself when the SDK can open such a thing; otherwise BadAddress."""
    parts = urlsplit(address)
    if parts.scheme in SCHEMES and (parts.path if parts.scheme == "unix" else parts.netloc):
        return address
    raise BadAddress(
        f"{address!r} is not the address of an engine",
        do="write it as `unix:///path/to/docker.sock`, `tcp://host:port` or `ssh://user@host`",
    )


def _open(candidate: Candidate, environ: Mapping[str, str]) -> Connection:
    address = candidate.address
    options = kwargs_from_env(environment={**environ, "DOCKER_HOST": address})  # DOCKER_TLS_VERIFY, DOCKER_CERT_PATH
    options["base_url"] = address
    try:
        client = Client(  # signs what it makes, for engines that several share
            timeout=PROBE_SECONDS, use_ssh_client=address.startswith("ssh:"), **options
        )  # asks for /version, to agree on the API's
        version = client.version()
    except (DockerException, OSError) as error:
        raise EngineUnreachable(
            f"We asked the engine at {address} ({candidate.why}) for its version",
            reason(error),
            advice(error, named_by_environment="DOCKER_HOST" in candidate.why),
        ) from error
    client.api.timeout = REQUEST_SECONDS
    return Connection(client, candidate, f"{engine_name(version)} at {address} ({candidate.why}).")


def _start_embedded(
    candidate: Candidate, refused: list[str], environ: Mapping[str, str], progress: Callable[[str], None]
) -> Connection:
    why = f"{candidate.why}; {'; '.join(refused)}" if refused else candidate.why
    engine, where = _embedded(candidate, progress)
    found = _open(Candidate(f"unix://{engine.socket}", why, named=True), environ)
    return Connection(found.client, candidate, f"labkit's embedded engine{where} at {found.candidate.address} ({why}).")


def _embedded(candidate: Candidate, progress: Callable[[str], None]) -> "tuple[Running, str]":
    """The engine of ours that runs, or one that is started: here, or where this machine forbids it in a virtual one."""
    from labkit.engine import control  # only now: most learners have Docker and never need this

    engine = control.find()
    forced = candidate.address == IN_VM
    refusal = "" if engine or forced else _refusal()
    if engine is None and not refusal and not forced:
        engine = control.start(on_slow=lambda: progress("starting labkit's embedded engine… "))
    if engine and not engine.machine:
        return engine, ""
    from labkit.microvm import control as machines

    if engine is None:
        engine = _in_machine(refusal, progress)
    machines.hold(engine)
    because = f"as namespaces are refused here: {refusal}; " if refusal else ""
    return engine, f" in a small virtual machine ({machines.title(engine)}; {because}{NO_NETWORK})"


def _in_machine(refusal: str, progress: Callable[[str], None]) -> "Running":
    """The engine in a virtual machine, which is the last resort: where that fails too, nothing is left but to read."""
    from labkit.microvm import control as machines

    try:
        return machines.start(on_slow=lambda: progress("starting a small virtual machine… "), held=True)
    except EngineNotStarted as error:
        here = f"namespaces are refused here: {refusal}; " if refusal else ""
        raise NoEngine(
            "We looked for a way to run containers",
            f"{here}{error.said}",
            "ask `labkit doctor` what is missing; until then you can read the lesson with its stored outputs",
        ) from error


def _refusal() -> str:
    from labkit.microvm import control as machines

    return machines.refusal()


def engine_name(version: Mapping[str, object]) -> str:
    """What answered, in two words, from the body of `GET /version`: 'Docker 27.1.1', 'Podman Engine 5.2.0'."""
    components = version.get("Components")
    first = components[0] if isinstance(components, list) and components else {}
    name = str(first.get("Name") or "an engine")
    number = first.get("Version") or version.get("Version") or "of unknown version"
    return f"{'Docker' if name == 'Engine' else name} {number}"


def reason(error: BaseException) -> str:
    """What the system said: the operating system's own words where an error wraps some."""
    system = _system_error(error, depth=8)
    return str(system.strerror) if system else str(error)


def _system_error(error: object, depth: int) -> OSError | None:
    """The OSError with an errno that lies deepest inside requests' and urllib3's wrappings."""
    if isinstance(error, OSError) and isinstance(error.errno, int) and isinstance(error.strerror, str):
        return error  # checked by type: requests' errors are OSErrors too, with whatever they like in these fields
    if not isinstance(error, BaseException) or depth == 0:
        return None
    inside = [*error.args, getattr(error, "reason", None), error.__cause__, error.__context__]
    return next((found for part in inside if (found := _system_error(part, depth - 1))), None)


def advice(error: BaseException, named_by_environment: bool) -> str:
    """What helps against an address that does not answer, told by the kind of refusal."""
    if isinstance(_system_error(error, depth=8), PermissionError):
        return (
            "join the group that owns the socket (`sudo usermod -aG docker $USER`, then log in again), "
            "or set LABKIT_ENGINE=embedded"
        )
    unset = ", or unset DOCKER_HOST" if named_by_environment else ""
    return f"start that engine, correct the address{unset}; `labkit doctor` shows what is there"


def _path(address: str) -> str:
    return address.removeprefix("unix://")


class OneLine:
    """Pieces of news printed one after the other on one line, so that a stored output keeps one shape."""

    def __init__(self, heading: str) -> None:
        self._heading, self._begun = heading, False

    def __enter__(self) -> "OneLine":
        return self

    def say(self, text: str) -> None:
        print(text if self._begun else self._heading + text, end="", flush=True)
        self._begun = True

    def __exit__(self, *exc: object) -> None:
        if self._begun:
            print(flush=True)


class _CallableModule(ModuleType):
    """Lets `labkit.connect` be called whichever it is: importing this module puts it in the function's place."""

    def __call__(self, address: str | None = None) -> docker.DockerClient:
        return connect(address)


sys.modules[__name__].__class__ = _CallableModule
