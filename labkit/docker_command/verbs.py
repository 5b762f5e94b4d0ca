"""The table of verbs: how each is written, its options, how many words it takes, and the function that does it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from docker import DockerClient
from docker.errors import APIError

from labkit.docker_command import copying, facts, images, life, lists, run, spec
from labkit.docker_command.life import said
from labkit.docker_command.words import Given, Misused, Option, parse, switch, value, values

Say = Callable[[str], None]
MANY = 10_000


@dataclass(frozen=True)
class Verb:
    """A command. `own` is after how many words the rest belongs to the container (run, exec)."""

    act: Callable[[DockerClient, Given, Say], int]
    usage: str
    least: int = 0
    most: int = MANY
    options: tuple[Option, ...] = ()
    own: int | None = None


_FORMAT = value("-f", "--format")
_SIGNAL, _TIME = value("-s", "--signal"), value("-t", "--timeout", "--time")
_FORCE, _ALL, _FOLLOW = switch("-f", "--force"), switch("-a", "--all"), switch("-f", "--follow")
_LISTED = (switch("-q", "--quiet"), switch("--no-trunc"), value("--format"))
_PS = (
    *_LISTED,
    values("-f", "--filter"),
    _ALL,
    switch("-l", "--latest"),
    value("-n", "--last"),
    switch("-s", "--size"),
)
_IMAGES = (*_LISTED, values("-f", "--filter"), _ALL, switch("--digests"))
_LOGS = (_FOLLOW, switch("-t", "--timestamps"), value("--since"), value("--until"), value("-n", "--tail"))
_COMMIT = (value("-m", "--message"), value("-a", "--author"), values("-c", "--change"), value("-p", "--pause"))

CONTAINERS = "CONTAINER [CONTAINER...]"
PROGRAM = "IMAGE [COMMAND] [ARG...]"

VERBS: dict[str, Verb] = {
    "ps": Verb(lists.ps, "[OPTIONS]", 0, 0, _PS),
    "images": Verb(lists.images, "[OPTIONS] [REPOSITORY[:TAG]]", 0, 1, _IMAGES),
    "history": Verb(lists.history, "[OPTIONS] IMAGE", 1, 1, (*_LISTED, value("-H", "--human"))),
    "top": Verb(lists.top, "CONTAINER [ps OPTIONS]", 1, own=1),
    "diff": Verb(lists.diff, "CONTAINER", 1, 1),
    "port": Verb(lists.port, "CONTAINER [PRIVATE_PORT[/PROTO]]", 1, 2),
    "create": Verb(run.create, f"[OPTIONS] {PROGRAM}", 1, options=spec.OPTIONS, own=1),
    "run": Verb(run.run, f"[OPTIONS] {PROGRAM}", 1, options=spec.OPTIONS, own=1),
    "exec": Verb(run.exec_, "[OPTIONS] CONTAINER COMMAND [ARG...]", 2, options=spec.EXEC_OPTIONS, own=1),
    "logs": Verb(run.logs, "[OPTIONS] CONTAINER", 1, 1, _LOGS),
    "start": Verb(life.start, f"[OPTIONS] {CONTAINERS}", 1),
    "stop": Verb(life.stop, f"[OPTIONS] {CONTAINERS}", 1, options=(_TIME,)),
    "restart": Verb(life.restart, f"[OPTIONS] {CONTAINERS}", 1, options=(_TIME,)),
    "kill": Verb(life.kill, f"[OPTIONS] {CONTAINERS}", 1, options=(_SIGNAL,)),
    "pause": Verb(life.pause, CONTAINERS, 1),
    "unpause": Verb(life.unpause, CONTAINERS, 1),
    "wait": Verb(life.wait, CONTAINERS, 1),
    "rename": Verb(life.rename, "CONTAINER NEW_NAME", 2, 2),
    "rm": Verb(life.rm, f"[OPTIONS] {CONTAINERS}", 1, options=(_FORCE, switch("-v", "--volumes"))),
    "commit": Verb(images.commit, "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]", 1, 2, _COMMIT),
    "tag": Verb(images.tag, "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]", 2, 2),
    "rmi": Verb(images.rmi, "[OPTIONS] IMAGE [IMAGE...]", 1, options=(_FORCE, switch("--no-prune"))),
    "cp": Verb(copying.cp, "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-", 2, 2),
    "inspect": Verb(facts.inspect, "[OPTIONS] NAME|ID [NAME|ID...]", 1, options=(_FORMAT, value("--type"))),
    "version": Verb(facts.version, "[OPTIONS]", 0, 0, (_FORMAT,)),
    "info": Verb(facts.info, "[OPTIONS]", 0, 0, (_FORMAT,)),
}

# `docker container ls` and its kind: the newer, longer names of the same
GROUPS: dict[str, dict[str, list[str]]] = {
    "container": {
        **{name: [name] for name in VERBS if name not in ("ps", "images", "history", "tag", "rmi", "version", "info")},
        **{"ls": ["ps"], "list": ["ps"], "inspect": ["inspect", "--type", "container"]},
    },
    "image": {
        **{name: [name] for name in ("history", "tag")},
        **{"ls": ["images"], "list": ["images"], "rm": ["rmi"], "inspect": ["inspect", "--type", "image"]},
    },
    "system": {"info": ["info"]},
}


def execute(client: DockerClient, words: Sequence[str], say: Say) -> int:
    """Do what `docker WORDS` does; `say` gets what it prints, piece by piece. Returns the exit status."""
    try:
        name, verb, rest = find(words)
        given = parse(name, verb.options, rest, verb.own)
        _count(name, verb, len(given.words))
        return verb.act(client, given, say)
    except Misused as error:
        say(f"{error}\n")
        return 1
    except APIError as error:
        say(f"{said(error)}\n")
        return 1


def find(words: Sequence[str]) -> tuple[str, Verb, Sequence[str]]:
    """The verb of a command line, and what stands behind it."""
    if len(words) > 1 and words[0] in GROUPS:
        words = [*GROUPS[words[0]].get(words[1], [f"{words[0]} {words[1]}"]), *words[2:]]
    name = words[0] if words else ""
    if name not in VERBS:
        known = ", ".join(sorted(VERBS))
        raise Misused(
            f"labkit's stand-in for the docker command has no `docker {name}`. It has: {known}. "
            "Install the docker command to have all of it."
        )
    return name, VERBS[name], words[1:]


def _count(name: str, verb: Verb, count: int) -> None:
    if verb.least <= count <= verb.most:
        return
    see = "Run"
    if verb.most == 0:
        needs = "accepts no arguments"
    elif verb.least == verb.most:
        needs = f"requires {verb.least} argument{'' if verb.least == 1 else 's'}"
    else:
        bound, number, see = ("least", verb.least, "See") if count < verb.least else ("most", verb.most, "See")
        needs = f"requires at {bound} {number} argument{'' if number == 1 else 's'}"
    usage = f"docker {name} {verb.usage}"
    raise Misused(
        f"docker: 'docker {name}' {needs}\n\nUsage:  {usage}\n\n{see} 'docker {name} --help' for more information"
    )
