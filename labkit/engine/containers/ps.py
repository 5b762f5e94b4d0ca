"""The columns of ps(1), as far as `docker top` is asked for them. Pure, but for names of users.

`docker top CONTAINER OPTIONS` runs ps on the host. We read /proc ourselves: some hosts have no ps, and busybox's
knows no options. Understood: -e, -f, aux, and -o with the columns below, which may be renamed (`pid=PID`).
"""

from __future__ import annotations

import os
import pwd
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from labkit.engine.errors import ServerError

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")

NAMESPACES = {f"{kind}ns": kind for kind in ("pid", "mnt", "net", "uts", "ipc", "cgroup", "user", "time")}
NAMESPACES["netns"] = "net"


@dataclass(frozen=True)
class Process:
    """One process, as /proc tells: proc_pid_stat(5), proc_pid_status(5), proc_pid_cmdline(5). Sizes in bytes."""

    pid: int
    ppid: int
    comm: str
    state: str
    session: int
    group: int
    tty: int
    foreground: int
    ticks: int
    """CPU time, in ticks."""
    nice: int
    threads: int
    start: float
    """When it began, in seconds since 1970."""
    vsize: int
    rss: int
    uid: int
    gid: int
    nspids: tuple[int, ...]
    args: str
    namespaces: Mapping[str, str] = field(default_factory=dict)


Value = Callable[[Process, float], str]


@cache
def user_name(uid: int) -> str:
    """The host's name for a user id, as ps shows it; the number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def clock(seconds: int) -> str:
    """[days-]hours:minutes:seconds, as TIME."""
    days, rest = divmod(seconds, 86400)
    text = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{days}-{text}" if days else text


def elapsed(seconds: int) -> str:
    """[[days-]hours:]minutes:seconds, as ELAPSED."""
    return clock(seconds) if seconds >= 3600 else f"{seconds // 60:02}:{seconds % 60:02}"


def terminal(number: int) -> str:
    """The name of a controlling terminal from its device number; `?` for none."""
    major, minor = os.major(number), os.minor(number)
    if not number:
        return "?"
    return f"pts/{minor + 256 * (major - 136)}" if 136 <= major <= 143 else f"tty{minor}"


def start_time(start: float, now: float) -> str:
    """When it began: the time if that was in the last day, else the date."""
    form = "%H:%M" if now - start < 86400 else "%b%d"
    return time.strftime(form, time.localtime(start))


def status(process: Process) -> str:
    """The state's letter with ps's signs: < nice, s leader of a session, l threads, + in the foreground."""
    signs = "<" if process.nice < 0 else "N" if process.nice > 0 else ""
    signs += "s" if process.session == process.pid else ""
    signs += "l" if process.threads > 1 else ""
    signs += "+" if process.foreground == process.group else ""
    return process.state + signs


def percent_cpu(process: Process, now: float) -> float:
    """CPU time as a share of the time since it began."""
    return 100 * process.ticks / TICKS / max(now - process.start, 1)


def _percent_memory(process: Process) -> float:
    return 100 * process.rss / (os.sysconf("SC_PHYS_PAGES") * PAGE)


def _namespace(kind: str) -> Value:
    return lambda process, now: process.namespaces.get(kind, "-")


_ARGS = ("args", "cmd", "command")

# column of -o -> (its heading, its value)
COLUMNS: dict[str, tuple[str, Value]] = {
    "pid": ("PID", lambda p, now: str(p.pid)),
    "ppid": ("PPID", lambda p, now: str(p.ppid)),
    "nspid": ("NSPID", lambda p, now: ",".join(map(str, p.nspids))),
    "pgid": ("PGID", lambda p, now: str(p.group)),
    "sid": ("SID", lambda p, now: str(p.session)),
    "user": ("USER", lambda p, now: user_name(p.uid)),
    "euser": ("EUSER", lambda p, now: user_name(p.uid)),
    "ruser": ("RUSER", lambda p, now: user_name(p.uid)),
    "uid": ("UID", lambda p, now: str(p.uid)),
    "gid": ("GID", lambda p, now: str(p.gid)),
    "stat": ("STAT", lambda p, now: status(p)),
    "state": ("S", lambda p, now: p.state),
    "s": ("S", lambda p, now: p.state),
    "comm": ("COMMAND", lambda p, now: p.comm),
    "ucmd": ("CMD", lambda p, now: p.comm),
    "args": ("COMMAND", lambda p, now: p.args),
    "cmd": ("CMD", lambda p, now: p.args),
    "command": ("COMMAND", lambda p, now: p.args),
    "etime": ("ELAPSED", lambda p, now: elapsed(int(now - p.start))),
    "etimes": ("ELAPSED", lambda p, now: str(int(now - p.start))),
    "time": ("TIME", lambda p, now: clock(p.ticks // TICKS)),
    "cputime": ("TIME", lambda p, now: clock(p.ticks // TICKS)),
    "stime": ("STIME", lambda p, now: start_time(p.start, now)),
    "start": ("STARTED", lambda p, now: time.strftime("%H:%M:%S", time.localtime(p.start))),
    "tty": ("TT", lambda p, now: terminal(p.tty)),
    "tt": ("TT", lambda p, now: terminal(p.tty)),
    "rss": ("RSS", lambda p, now: str(p.rss // 1024)),
    "rssize": ("RSS", lambda p, now: str(p.rss // 1024)),
    "vsz": ("VSZ", lambda p, now: str(p.vsize // 1024)),
    "vsize": ("VSZ", lambda p, now: str(p.vsize // 1024)),
    "pcpu": ("%CPU", lambda p, now: f"{percent_cpu(p, now):.1f}"),
    "%cpu": ("%CPU", lambda p, now: f"{percent_cpu(p, now):.1f}"),
    "c": ("C", lambda p, now: str(int(percent_cpu(p, now)))),
    "pmem": ("%MEM", lambda p, now: f"{_percent_memory(p):.1f}"),
    "%mem": ("%MEM", lambda p, now: f"{_percent_memory(p):.1f}"),
    "nlwp": ("NLWP", lambda p, now: str(p.threads)),
    "thcount": ("THCNT", lambda p, now: str(p.threads)),
    "ni": ("NI", lambda p, now: str(p.nice)),
    **{name: (name.upper(), _namespace(kind)) for name, kind in NAMESPACES.items()},
}

Column = tuple[str, Value]

FULL: tuple[Column, ...] = (
    ("UID", COLUMNS["user"][1]),
    COLUMNS["pid"],
    COLUMNS["ppid"],
    COLUMNS["c"],
    COLUMNS["stime"],
    ("TTY", COLUMNS["tty"][1]),
    COLUMNS["time"],
    ("CMD", COLUMNS["args"][1]),
)
"""The columns of `ps -ef`."""

USER: tuple[Column, ...] = (
    COLUMNS["user"],
    COLUMNS["pid"],
    COLUMNS["pcpu"],
    COLUMNS["pmem"],
    COLUMNS["vsz"],
    COLUMNS["rss"],
    ("TTY", COLUMNS["tty"][1]),
    COLUMNS["stat"],
    ("START", COLUMNS["stime"][1]),
    ("TIME", lambda p, now: f"{p.ticks // TICKS // 60}:{p.ticks // TICKS % 60:02}"),
    ("COMMAND", COLUMNS["args"][1]),
)
"""The columns of `ps aux`."""

BRIEF: tuple[Column, ...] = (
    COLUMNS["pid"],
    ("TTY", COLUMNS["tty"][1]),
    COLUMNS["time"],
    ("CMD", COLUMNS["comm"][1]),
)
"""The columns of plain `ps -e`."""

_BSD = {"x": (COLUMNS["pid"], USER[6], COLUMNS["stat"], USER[9], USER[10])}


def columns(options: Sequence[str]) -> list[Column]:
    """The columns that ps would show for these options. Raises ServerError, in ps's words, for what is not known."""
    chosen: list[Column] = []
    preset: tuple[Column, ...] = BRIEF
    words = list(options)
    while words:
        word = words.pop(0)
        letters = word.removeprefix("-")
        if word.startswith("-") and "o" in letters:
            before, _, value = letters.partition("o")
            preset = _preset(before, preset, dash=True)
            if not value and not words:
                raise ServerError("ps: error: format specification must follow -o")
            chosen += _listed(value or words.pop(0))
        else:
            preset = _preset(letters, preset, dash=word.startswith("-"))
    return chosen or list(preset)


def _preset(letters: str, before: tuple[Column, ...], *, dash: bool) -> tuple[Column, ...]:
    for letter in letters:
        if letter not in ("eAaxfulw" if dash else "axuw"):
            raise ServerError(f"ps: error: unsupported option '{letter}'; known: -ef, aux, -o COLUMN,...")
    if "f" in letters and dash:
        return FULL
    if "u" in letters and not dash:
        return USER
    return _BSD["x"] if "x" in letters and not dash else before


def _listed(text: str) -> list[Column]:
    found = []
    for item in text.replace(" ", ",").split(","):
        name, renamed, heading = item.partition("=")
        if name not in COLUMNS:
            raise ServerError(f'ps: error: unknown user-defined format specifier "{name}"')
        usual, value = COLUMNS[name]
        found.append((heading if renamed else usual, value))
    return found
