"""`docker top`: the columns of ps, and our own reading of /proc."""

import os
import time

import pytest

from labkit.engine.containers import ps, top
from labkit.engine.containers.record import State
from labkit.engine.errors import Conflict, ServerError
from tests.engine.containers.fakes import make_container

IT = ps.Process(
    pid=100, ppid=1, comm="sh", state="S", session=100, group=100, tty=(136 << 8) + 3, foreground=100, ticks=250,
    nice=0, threads=1, start=1000.0, vsize=4 << 20, rss=1 << 20, uid=0, gid=0, nspids=(100, 1), args="sh -c true",
    namespaces={"pid": "4026531836"},
)  # fmt: skip

TITLES = {
    "-ef": ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"],
    "aux": ["USER", "PID", "%CPU", "%MEM", "VSZ", "RSS", "TTY", "STAT", "START", "TIME", "COMMAND"],
    "-e": ["PID", "TTY", "TIME", "CMD"],
    "x": ["PID", "TTY", "STAT", "TIME", "COMMAND"],
    "-o pid,comm": ["PID", "COMMAND"],
    "-opid,args": ["PID", "COMMAND"],
    "-eo pid,ppid,nspid,pidns": ["PID", "PPID", "NSPID", "PIDNS"],
    "-e -o pid -o user": ["PID", "USER"],
    "-o pid=PROCESS": ["PROCESS"],
}


@pytest.mark.parametrize(("options", "titles"), TITLES.items())
def test_columns(options, titles):
    assert [title for title, _ in ps.columns(options.split())] == titles


# Tried on Docker 20.10 with ps of procps 4.
REFUSED = {
    "-o zork": 'ps: error: unknown user-defined format specifier "zork"',
    "-o": "ps: error: format specification must follow -o",
    "--sort foo": "ps: error: unsupported option '-'",
}


@pytest.mark.parametrize(("options", "words"), REFUSED.items())
def test_refused(options, words):
    with pytest.raises(ServerError, match=words):
        ps.columns(options.split())


VALUES = {
    "pid": "100", "nspid": "100,1", "user": "root", "stat": "Ss+", "time": "00:00:02", "etime": "01:40", "tty": "pts/3",
    "rss": "1024", "vsz": "4096", "pcpu": "2.5",
    "args": "sh -c true", "comm": "sh", "pidns": "4026531836", "netns": "-",
}  # fmt: skip


@pytest.mark.parametrize(("column", "text"), VALUES.items())
def test_values(column, text):
    _, value = ps.COLUMNS[column]
    assert value(IT, 1100.0) == text


@pytest.mark.parametrize(("seconds", "text"), [(59, "00:00:59"), (3661, "01:01:01"), (90061, "1-01:01:01")])
def test_clock(seconds, text):
    assert ps.clock(seconds) == text


def test_this_very_process():
    (me,) = top.processes([os.getpid()])
    assert (me.pid, me.ppid, me.uid) == (os.getpid(), os.getppid(), os.geteuid())
    assert me.nspids[-1] == os.getpid()
    assert abs(me.start - time.time()) < 3600
    assert me.rss > 1 << 20
    assert "python" in me.args
    assert me.namespaces["pid"] == os.readlink("/proc/self/ns/pid")[5:-1]


def test_one_that_has_ended_is_passed_over():
    assert list(top.processes([2**22 + 1])) == []


def test_it_must_run():
    with pytest.raises(Conflict, match="is not running"):
        top.top(make_container(), "")


def test_the_pid_must_be_asked_for():
    with pytest.raises(ServerError, match="Couldn't find PID field in ps output"):
        top.top(make_container(state=State("running", os.getpid())), "-eo comm")
