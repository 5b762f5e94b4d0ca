"""The pure half of `labkit.processes`: the engine's JSON and lines of /proc in, dataclasses out. No engine."""

import pytest

from labkit.processes import NAMESPACES, Process, parse_nspid, parse_top, program_name

COLUMNS = "PIDNS MNTNS NETNS UTSNS IPCNS CGROUPNS USERNS".split()


def test_top_of_labkits_engine_has_the_pid_inside() -> None:
    top = {
        "Titles": ["PID", "PPID", "NSPID", "USER", "STAT", *COLUMNS, "COMMAND"],
        "Processes": [["900", "880", "900 1", "root", "Ss", *"1 2 3 4 5 6 7".split(), "sleep 600"]],
    }
    names = dict(zip(NAMESPACES, range(1, 8), strict=True))
    assert parse_top(top) == (Process(900, 1, 880, "sleep 600", "root", "Ss", names),)


def test_top_without_the_columns_that_we_want() -> None:
    top = {"Titles": ["UID", "PID", "PPID", "CMD"], "Processes": [["root", "900", "880", "sh"]]}
    assert parse_top(top) == (Process(900, None, 880, "sh", "root"),)


def test_top_of_nothing() -> None:
    assert parse_top({}) == ()
    assert parse_top({"Titles": ["PID"], "Processes": None}) == ()


def test_nspid_ends_with_the_pid_inside() -> None:
    assert parse_nspid("Name:\tsleep\nNSpid:\t900\t1\n") == (900, 1)
    assert parse_nspid("Name:\tsleep\n") == ()


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (["/usr/bin/containerd-shim-runc-v2", "-id", "a"], "containerd-shim-runc-v2"),
        (["/opt/bin/python", "-I", "-S", "/lib/labkit/engine/shim/__main__.py", "/state"], "python shim"),
        (["python3", "serve.py"], "python3 serve.py"),
        (["python3", "-m", "http.server"], "python3"),
        ([], ""),
    ],
)
def test_a_program_is_named_without_its_folder(argv: list[str], name: str) -> None:
    assert program_name(argv) == name
