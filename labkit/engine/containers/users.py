"""Who runs in the container: `User` and `GroupAdd` looked up in the image's own /etc/passwd and /etc/group.

The kernel knows numbers only; names belong to the image. Reading these files safely is the caller's part (openat2
in the root); everything here is pure. Formats: passwd(5), group(5).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from labkit import linux
from labkit.engine.containers.spec import Identity
from labkit.engine.errors import ServerError

LARGEST_ID = (1 << 31) - 1
MOST_BYTES = 1 << 20
"""How much of a passwd file is read: an image may hold one without an end."""


@dataclass(frozen=True)
class Accounts:
    """The text of /etc/passwd and of /etc/group; empty where the image has none."""

    passwd: str = ""
    group: str = ""


@dataclass(frozen=True)
class _User:
    name: str
    uid: int
    gid: int
    home: str


@dataclass(frozen=True)
class _Group:
    name: str
    gid: int
    members: tuple[str, ...]


def read_accounts(root_fd: int) -> Accounts:
    """Both files beneath an open root; a missing one is empty."""
    return Accounts(_read(root_fd, "/etc/passwd"), _read(root_fd, "/etc/group"))


def _read(root_fd: int, path: str) -> str:
    inside = linux.RESOLVE_IN_ROOT | linux.RESOLVE_NO_MAGICLINKS
    try:
        # O_NONBLOCK: a fifo in place of the file must not hold the engine
        fd = linux.openat2(root_fd, path, os.O_RDONLY | os.O_NONBLOCK, resolve=inside)
    except OSError:
        return ""
    try:
        return os.read(fd, MOST_BYTES).decode(errors="replace")
    except OSError:
        return ""
    finally:
        os.close(fd)


def _users(text: str) -> list[_User]:
    rows = (line.strip().split(":") for line in text.splitlines())
    return [
        _User(row[0], int(row[2]), int(row[3]), row[5])
        for row in rows
        if len(row) >= 6 and row[2].isdigit() and row[3].isdigit()
    ]


def _groups(text: str) -> list[_Group]:
    rows = (line.strip().split(":") for line in text.splitlines())
    return [
        _Group(row[0], int(row[2]), tuple(name for name in row[3].split(",") if name))
        for row in rows
        if len(row) >= 4 and row[2].isdigit()
    ]


def resolve(user: str, group_add: Sequence[str], accounts: Accounts) -> Identity:
    """`name`, `uid`, `name:group` or `uid:gid` as numbers, with the home folder. Raises ServerError, Docker's words.

    Without a group in `user`, the process is also in every group that lists the user's name.
    """
    name, colon, group = user.partition(":")
    known = _groups(accounts.group)
    found, who = _find_user(name or "0", _users(accounts.passwd))
    gid, extra = who.gid, []
    if colon and group:
        gid = _find_group(group, known, f"unable to find group {group}: no matching entries in group file")
    elif found:
        extra = [one.gid for one in known if who.name in one.members]
    for asked in group_add:
        extra.append(_find_group(asked, known, f"Unable to find group {asked}: no matching entries in group file"))
    # the main group is among the others too: so `id` shows it, and so dockerd does since CVE-2022-36109
    return Identity(who.uid, gid, tuple(dict.fromkeys([gid, *extra])), who.home or "/")


def _find_user(wanted: str, users: list[_User]) -> tuple[bool, _User]:
    """Whether it is in the file, and the user; a number need not be there, and has then group 0."""
    for user in users:
        if user.name == wanted or (wanted.isdigit() and user.uid == int(wanted)):
            return True, user
    if not wanted.isdigit():
        raise ServerError(f"unable to find user {wanted}: no matching entries in passwd file")
    _check_range(int(wanted))
    return False, _User("", int(wanted), 0, "/root" if wanted == "0" else "/")


def _find_group(wanted: str, groups: list[_Group], missing: str) -> int:
    for group in groups:
        if group.name == wanted or (wanted.isdigit() and group.gid == int(wanted)):
            return group.gid
    if not wanted.isdigit():
        raise ServerError(missing)
    return _check_range(int(wanted))


def _check_range(number: int) -> int:
    if number > LARGEST_ID:
        raise ServerError("uids and gids must be in range 0-2147483647")
    return number
