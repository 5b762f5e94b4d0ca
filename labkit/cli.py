"""The command `labkit`: the embedded engine, the doctor, a learner's progress, a process in a container, cleaning up.

Each command is a row of `COMMANDS`: its words, what it does, its options and the function that answers. An answer
is data; here it is printed, as sentences or, with --json, as one JSON document. Errors are one paragraph on stderr.

Exit status: 0 done, 1 an error, or the doctor found no engine, 2 a mistake on the command line, 3 `engine status`
found no engine; of `labkit exec` it is the command's own.
"""

import argparse
import contextlib
import json
import os
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from docker.errors import DockerException

from labkit import __version__, cli_engine, cli_lessons
from labkit import clean as cleaning
from labkit.cli_answer import Answer
from labkit.connect import EMBEDDED, Connection, find
from labkit.engine import control
from labkit.errors import LabkitError


@dataclass(frozen=True)
class Option:
    """One option of a command, as argparse wants it."""

    flag: str  # without dashes: a word that must be there
    help: str
    kind: Callable[[str], Any] | None = None  # None: a switch without a value
    nargs: str | None = None
    dest: str | None = None  # under which name the function finds it, if not its own


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
        print(text, end="\n" if text else "", flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
    return status


def paragraph(text: str) -> str:
    """A message folded for a terminal; words that must be copied whole (paths, commands) are not broken."""
    return textwrap.fill(text, width=100, break_long_words=False, break_on_hyphens=False)


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
        cli_engine.serve,
    ),
    (
        "engine start",
        "Start the engine in the background, unless it runs; print its socket and the DOCKER_HOST to set. "
        "Its messages go to engine.log in the state folder.",
        (
            SOCKET,
            STATE,
            Option("--in-vm", "start it in a small virtual machine, which needs no rights and keeps nothing"),
            JSON,
        ),
        cli_engine.start,
    ),
    (
        "engine build-guest",
        "Build the files of the virtual machines, from this machine's packages or the distribution's, without root. "
        "Otherwise the first start does it.",
        (
            Option("--into", "the folder (default: $LABKIT_GUEST, or `guest` in the state folder)", str),
            Option("--kind", "only for this kind: uml or qemu", str),
            JSON,
        ),
        cli_engine.build_guest,
    ),
    (
        "engine status",
        "Say whether the engine runs, with its pid and socket. Exit status 3 when it does not.",
        (STATE, JSON),
        cli_engine.status,
    ),
    (
        "engine stop",
        "Stop the engine. Its containers run on, and the next `engine start` serves them again; "
        "with --all they are stopped too (not removed: `labkit clean` removes).",
        (Option("--all", "stop the engine's containers as well"), STATE, JSON),
        cli_engine.stop,
    ),
    (
        "doctor",
        "Say what this machine allows, what that means for you, and the command that mends it. Exit status 1 when "
        "a lesson would find no engine.",
        (JSON,),
        doctor,
    ),
    (
        "progress",
        "Say which exercises you have passed, in every lesson, and what comes next. It is kept in one file on this "
        "machine, and --json names it.",
        (JSON,),
        cli_lessons.progress,
    ),
    (
        "reset",
        "Forget what you did in one lesson: guesses, exercises, hints, answers, and the words drawn for you.",
        (Option("lesson", "the lesson's number, such as 01", str), JSON),
        cli_lessons.reset,
    ),
    (
        "exec",
        "Run a command in a container, as `docker exec` does, on the engine that a lesson would use. "
        "Exit status: the command's.",
        (
            Option("-i", "give it what is typed here", dest="interactive"),
            Option("-t", "give it a terminal", dest="tty"),
            Option("--host", "use the engine at this address, as `docker -H` takes it", str),
            Option("container", "the container's name or id", str),
            Option("command", "the command and its arguments (default: sh)", str, nargs="..."),
        ),
        cli_lessons.exec_,
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
            how: dict[str, Any] = {"type": option.kind} if option.kind else {"action": "store_true"}
            how |= {key: value for key in ("nargs", "dest") if (value := getattr(option, key))}
            command.add_argument(option.flag, help=option.help, **how)
        command.set_defaults(run=run)
    return top
