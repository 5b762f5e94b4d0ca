"""The command `labkit`: the embedded engine, the doctor, and cleaning up.

Each command is a row of `COMMANDS`: its words, what it does, its options and the function that answers. An answer
is data; here it is printed, as sentences or, with --json, as one JSON document. Errors are one paragraph on stderr.

Exit status: 0 done, 1 an error, or the doctor found no engine, 2 a mistake on the command line, 3 `engine status`
found no engine.
"""

import argparse
import contextlib
import json
import os
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import docker
from docker.errors import DockerException

from labkit import __version__
from labkit import clean as cleaning
from labkit.connect import EMBEDDED, Connection, find
from labkit.engine import control
from labkit.engine.state import default_socket, default_state
from labkit.errors import LabkitError


@dataclass(frozen=True)
class Answer:
    """What a command found: a JSON document, the same in words, and the exit status."""

    data: Any
    text: str
    status: int = 0


@dataclass(frozen=True)
class Option:
    """One option of a command, as argparse wants it."""

    flag: str
    help: str
    kind: Callable[[str], Any] | None = None  # None: a switch without a value


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status."""
    options = parser().parse_args(arguments)
    try:
        answer: Answer = options.run(options)
    except KeyboardInterrupt:
        return 130
    except (LabkitError, DockerException, OSError) as error:
        print(paragraph(f"labkit: {error}"), file=sys.stderr)
        return 1
    return show(json.dumps(answer.data, indent=2) if getattr(options, "json", False) else answer.text, answer.status)


def show(text: str, status: int) -> int:
    """Print the answer. A reader who has seen enough (`| head`) is no error."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
    return status


def paragraph(text: str) -> str:
    """A message folded for a terminal; words that must be copied whole (paths, commands) are not broken."""
    return textwrap.fill(text, width=100, break_long_words=False, break_on_hyphens=False)


# --- engine ------------------------------------------------------------------------------------------------------


def engine_serve(options: argparse.Namespace) -> Answer:
    """This process becomes the engine, so whoever supervises us supervises it."""
    sys.stdout.flush()
    command = [sys.executable, "-m", "labkit.engine"]
    os.execv(sys.executable, [*command, "--socket", str(_socket(options)), "--state", str(_state(options))])


def engine_start(options: argparse.Namespace) -> Answer:
    def on_slow() -> None:
        print("starting labkit's embedded engine…", file=sys.stderr, flush=True)

    running = control.start(_state(options), _socket(options), on_slow)
    return Answer(describe(running), f"{status_text(running)}\nexport DOCKER_HOST=unix://{running.socket}")


def engine_status(options: argparse.Namespace) -> Answer:
    running = control.find(_state(options))
    if running is None:
        text = f"No engine runs on the state folder {_state(options)}. `labkit engine start` starts one."
        return Answer({"running": False, "state": str(_state(options))}, text, status=3)
    return Answer(describe(running), status_text(running))


def engine_stop(options: argparse.Namespace) -> Answer:
    """The API process alone; with --all its containers and the shim that holds them."""
    state = _state(options)
    running = control.find(state)
    if running is None and options.all and control.shim(state):
        running = control.start(state, _socket(options))  # containers run on without it: only it can stop them
    if running is None:
        return Answer({"stopped": False, "containers": []}, f"No engine runs on the state folder {state}.")
    names = stop_containers(running) if options.all else []
    control.stop(running)
    if options.all:
        control.stop_shim(state)
    told = f" and {cleaning.counted(len(names), 'container')}: {', '.join(names)}" if names else ""
    left = "" if options.all else " Its containers run on; `labkit engine start` serves them again."
    return Answer({"stopped": True, "containers": names}, f"Stopped the engine (pid {running.pid}){told}.{left}")


def stop_containers(running: control.Running) -> list[str]:
    """Stop each running container: SIGTERM, and SIGKILL two seconds later. Their layers and logs stay."""
    with contextlib.closing(docker.DockerClient(f"unix://{running.socket}")) as client:
        containers = client.containers.list()
        for container in containers:
            container.stop(timeout=2)
    return [container.name or container.short_id for container in containers]


def describe(running: control.Running) -> dict[str, Any]:
    """A running engine as plain data for --json."""
    address = f"unix://{running.socket}"
    facts = {"pid": running.pid, "socket": str(running.socket), "state": str(running.state)}
    return {"running": True, "docker_host": address, **facts, "since": running.since}


def status_text(running: control.Running) -> str:
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(running.since))
    where = f"Its socket is {running.socket}, its files are in {running.state}."
    return f"The engine runs (pid {running.pid}, since {since}).\n{where}"


def _state(options: argparse.Namespace) -> Path:
    return Path(options.state or default_state()).absolute()


def _socket(options: argparse.Namespace) -> Path:
    """--socket; else beside a --state that was named; else the usual place."""
    if getattr(options, "socket", None):
        return Path(options.socket).absolute()
    return _state(options) / "run" / "engine.sock" if options.state else default_socket()


# --- doctor and clean --------------------------------------------------------------------------------------------


def doctor(options: argparse.Namespace) -> Answer:
    from labkit.doctor import diagnose  # its probes take a moment, and only this command needs them

    report = diagnose()
    return Answer(json.loads(report.to_json()), report.text(), status=0 if report.engine.works else 1)


def clean(options: argparse.Namespace) -> Answer:
    """The engine that a lesson would get, and the embedded one too if it runs beside it."""
    reports, texts = [], []
    for engine in engines_to_clean(options.host):
        with contextlib.closing(engine.client) as client:
            outcomes = cleaning.clean(client, dry_run=options.dry_run)
        told = [{key: value for key, value in asdict(one).items() if value} for one in outcomes]
        reports.append({"engine": engine.text, "dry_run": options.dry_run, "outcomes": told})
        texts.append(f"{engine.text}\n{textwrap.indent(cleaning.told(outcomes, options.dry_run), '  ')}")
    kept = any(outcome.get("kept") for report in reports for outcome in report["outcomes"])
    return Answer(reports, "\n".join(texts), status=1 if kept else 0)


def engines_to_clean(host: str | None) -> list[Connection]:
    chosen = find(host, os.environ)
    embedded = control.find()
    if host is not None or embedded is None or chosen.candidate.address == EMBEDDED:
        return [chosen]
    address = f"unix://{embedded.socket}"
    return [chosen] if chosen.candidate.address == address else [chosen, find(address, os.environ)]


# --- the table of commands ---------------------------------------------------------------------------------------

STATE = Option(
    "--state", "the folder that the engine keeps everything in (default: $LABKIT_STATE, or labkit's own)", str
)
SOCKET = Option("--socket", "where the engine listens (default: $LABKIT_SOCKET, or beside the state)", str)
JSON = Option("--json", "print the answer as JSON")

COMMANDS: tuple[tuple[str, str, tuple[Option, ...], Callable[[argparse.Namespace], Answer]], ...] = (
    (
        "engine serve",
        "Run the engine in the foreground until Ctrl-C or SIGTERM; its containers outlive it.",
        (SOCKET, STATE),
        engine_serve,
    ),
    (
        "engine start",
        "Start the engine in the background, unless it runs; print its socket and the DOCKER_HOST to set. "
        "Its messages go to engine.log in the state folder.",
        (SOCKET, STATE, JSON),
        engine_start,
    ),
    (
        "engine status",
        "Say whether the engine runs, with its pid and socket. Exit status 3 when it does not.",
        (STATE, JSON),
        engine_status,
    ),
    (
        "engine stop",
        "Stop the engine. Its containers run on, and the next `engine start` serves them again; "
        "with --all they are stopped too (not removed: `labkit clean` removes).",
        (Option("--all", "stop the engine's containers as well"), STATE, JSON),
        engine_stop,
    ),
    (
        "doctor",
        "Say what this machine allows, what that means for you, and the command that mends it. Exit status 1 when "
        "a lesson would find no engine.",
        (JSON,),
        doctor,
    ),
    (
        "clean",
        "Remove the containers and images that carry the label labkit=course, and nothing else, from the engine "
        "that a lesson would use, and from the embedded engine if it runs. Exit status 1 when something was kept.",
        (
            Option("--dry-run", "only say what would be removed"),
            Option("--host", "clean the engine at this address only, as `docker -H` takes it", str),
            JSON,
        ),
        clean,
    ),
)


def parser() -> argparse.ArgumentParser:
    """The command line, built from COMMANDS."""
    top = argparse.ArgumentParser(prog="labkit", description="Containers, taught with real ones.")
    top.add_argument("--version", action="version", version=f"labkit {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    engine = commands.add_parser("engine", help="Serve, start, stop the embedded engine, or ask for its status.")
    groups = {"engine": engine.add_subparsers(required=True, metavar="COMMAND"), "": commands}
    for words, purpose, options, run in COMMANDS:
        group, _, name = words.rpartition(" ")
        command = groups[group].add_parser(name, help=purpose.partition(".")[0] + ".", description=purpose)
        for option in options:
            if option.kind is None:
                command.add_argument(option.flag, action="store_true", help=option.help)
            else:
                command.add_argument(option.flag, type=option.kind, help=option.help)
        command.set_defaults(run=run)
    return top
