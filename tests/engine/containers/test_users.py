"""Names of users and groups become numbers by the image's own files."""

import os

import pytest

from labkit.engine.containers.users import Accounts, read_accounts, resolve
from labkit.engine.errors import ServerError

ACCOUNTS = Accounts(
    passwd="root:x:0:0:root:/root:/bin/sh\npostgres:x:70:70::/var/lib/pg:/bin/sh\nbroken line\nhomeless:x:5:5::\n",
    group="root:x:0:\nstaff:x:50:postgres,root\nwheel:x:10:root\npostgres:x:70:\n",
)

FOUND = [  # user, groups added: uid, gid, groups, home
    ("", [], (0, 0, (0, 50, 10), "/root")),
    ("root", [], (0, 0, (0, 50, 10), "/root")),
    ("postgres", [], (70, 70, (70, 50), "/var/lib/pg")),
    ("70", [], (70, 70, (70, 50), "/var/lib/pg")),
    ("70:50", [], (70, 50, (50,), "/var/lib/pg")),
    ("postgres:wheel", [], (70, 10, (10,), "/var/lib/pg")),
    ("1234", [], (1234, 0, (0,), "/")),
    ("1234:99", [], (1234, 99, (99,), "/")),
    ("postgres", ["wheel", "99"], (70, 70, (70, 50, 10, 99), "/var/lib/pg")),
]


@pytest.mark.parametrize(("user", "added", "wanted"), FOUND)
def test_found(user, added, wanted):
    who = resolve(user, added, ACCOUNTS)
    assert (who.uid, who.gid, who.groups, who.home) == wanted


def test_an_image_without_the_files_has_root():
    who = resolve("", [], Accounts())
    assert (who.uid, who.gid, who.home) == (0, 0, "/root")


MISSING = [
    ("nobod", [], "unable to find user nobod: no matching entries in passwd file"),
    ("root:nogrp", [], "unable to find group nogrp: no matching entries in group file"),
    ("root", ["zork"], "Unable to find group zork: no matching entries in group file"),
    ("4294967296", [], "uids and gids must be in range 0-2147483647"),
]


@pytest.mark.parametrize(("user", "added", "words"), MISSING)
def test_missing_in_dockers_words(user, added, words):
    with pytest.raises(ServerError) as refusal:
        resolve(user, added, ACCOUNTS)
    assert refusal.value.message == words


@pytest.fixture
def root(tmp_path):
    (tmp_path / "etc").mkdir()
    fd = os.open(tmp_path, os.O_PATH)
    yield tmp_path, fd
    os.close(fd)


def test_files_are_read_beneath_the_root(root):
    folder, fd = root
    (folder / "real").write_text("web:x:5:5::/web:\n")
    (folder / "etc" / "passwd").symlink_to("/real")  # of the container, not of the host
    assert read_accounts(fd) == Accounts("web:x:5:5::/web:\n", "")


def test_a_fifo_does_not_hold_the_engine(root):
    folder, fd = root
    os.mkfifo(folder / "etc" / "passwd")
    assert read_accounts(fd) == Accounts("", "")
