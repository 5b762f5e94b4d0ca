"""A replaced file goes away in the background; its name never waits."""

import os
import time

from labkit.engine.containers import freeing
from labkit.engine.state import read_json, write_json


def held(name: str) -> list[str]:
    """The descriptors of this process that lead to a file of this name which has lost it."""
    links = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            links.append(os.readlink(f"/proc/self/fd/{fd}"))
        except FileNotFoundError:  # the one that the listing itself used
            continue
    return [link for link in links if name in link and link.endswith("(deleted)")]


def test_the_new_file_is_there_at_once_and_the_old_one_goes(tmp_path):
    path = f"{tmp_path}/record.json"
    write_json(path, 1)
    with freeing.afterwards(path):
        write_json(path, 2)
        assert held("record.json"), "kept until the new one has its name"
    assert read_json(path) == 2
    deadline = time.monotonic() + 5
    while held("record.json"):
        assert time.monotonic() < deadline, "the old file is never freed"
        time.sleep(0.01)


def test_a_first_file_has_nothing_to_free(tmp_path):
    with freeing.afterwards(f"{tmp_path}/record.json"):
        write_json(tmp_path / "record.json", 1)
    assert read_json(tmp_path / "record.json") == 1


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = f"{tmp_path}/record.json"
    write_json(path, 1)
    try:
        with freeing.afterwards(path):
            raise OSError("the disk is full")
    except OSError:
        pass
    assert read_json(path) == 1
