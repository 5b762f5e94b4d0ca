"""Fixtures of the attacks, and the table that is printed at the end of the run.

A test says with `@pytest.mark.attack("A4")` which attack it is part of, and where the reference, or ours, is known to
do otherwise, `weaker(engine, reason)` says why. An attack holds where all its tests passed.
"""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests import busybox
from tests.contract.conftest import untag_or_remove
from tests.engines import Engine

SESSION = secrets.token_hex(3)
REPOSITORY = f"labkit-test/security-{SESSION}"
LABELS = {"labkit": "test", "labkit.session": SESSION}
MINE = {"label": [f"labkit.session={SESSION}"]}

ATTACKS = {
    "A1": "capabilities of root and of a user",
    "A2": "system calls that make or break walls",
    "A3": "a setuid program",
    "A4": "masked and read-only paths",
    "A5": "control groups from inside",
    "A6": "out of the root by dots, /proc/1/root, mounts",
    "A7": "mounts that reach the host",
    "A8": "device nodes",
    "A9": "inherited descriptors",
    "A10": "a working directory among descriptors",
    "A11": "overwrite the interpreter (CVE-2019-5736)",
    "A12": "code of the image, run by the engine",
    "A13": "links for /proc, /dev, /sys, a volume",
    "A14": "copy through links, and a race",
    "A15": "hostile archives",
    "A16": "archives that swell",
    "A17": "fork bomb, memory hog, busy loop",
    "A18": "deaf to SIGTERM, strays, zombies",
    "A19": "the engine's environment and processes",
    "A20": "names and ids that are paths",
    "A21": "bad requests, foreign pages, slow clients",
    "A22": "socket and state of another user",
    "A23": "typing into the caller's terminal",
    "A24": "images that lie about their content",
}

_results: dict[tuple[str, str], set[str]] = {}  # (attack, engine) -> outcomes
_reasons: dict[tuple[str, str], set[str]] = {}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "attack(number): part of an attack of the table in tests/security/conftest.py")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    """Note how each part of an attack ended."""
    report = (yield).get_result()
    marker, engine = item.get_closest_marker("attack"), getattr(item, "funcargs", {}).get("engine")
    if marker is None or engine is None or (report.when != "call" and report.passed):
        return
    key = (marker.args[0], engine.name)
    known = bool(getattr(report, "wasxfail", "")) and report.skipped
    _results.setdefault(key, set()).add("known" if known else report.outcome)
    if report.skipped:
        reason = report.wasxfail if known else str(report.longrepr[2])
        _reasons.setdefault(key, set()).add(reason.removeprefix("Skipped: ").removeprefix("reason: "))


def pytest_terminal_summary(terminalreporter) -> None:
    """The table: an attack a line, an engine a column; below it why something could not hold."""
    engines = sorted({engine for _, engine in _results})
    if not engines:
        return
    terminalreporter.section("attacks (security design, section 1.3)")
    terminalreporter.write_line(f"{'':5}{'':48}" + "".join(f"{engine:12}" for engine in engines))
    for number, title in ATTACKS.items():
        cells = "".join(f"{verdict(number, engine):12}" for engine in engines)
        terminalreporter.write_line(f"{number:5}{title:48}{cells}")
    for (number, engine), reasons in sorted(_reasons.items(), key=lambda row: int(row[0][0][1:])):
        for reason in sorted(reasons):
            terminalreporter.write_line(f"{number:5}{engine}: {reason}")


def verdict(number: str, engine: str) -> str:
    found = _results.get((number, engine), set())
    if "failed" in found:
        return "FAILED"
    partly = bool(found & {"skipped", "known"})
    return ("holds, but" if partly else "holds") if "passed" in found else ("no" if partly else "-")


# --- fixtures ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def image(client: docker.DockerClient) -> Iterator[str]:
    """The test image on each engine, removed at the end."""
    name = busybox.import_image(client, REPOSITORY, changes=[*labels(), 'CMD ["sh"]'])
    yield name
    remove_mine(client, keep="")


def labels() -> list[str]:
    """The lines that make an image ours, to be removed with all that is made from it."""
    return [f"LABEL {key}={value}" for key, value in LABELS.items()]


@pytest.fixture(autouse=True)
def tidy(request: pytest.FixtureRequest) -> Iterator[None]:
    """Remove what the test made."""
    yield
    if "client" in request.fixturenames:
        remove_mine(request.getfixturevalue("client"), keep=f"{REPOSITORY}:latest")


def remove_mine(client: docker.DockerClient, keep: str) -> None:
    for found in client.api.containers(all=True, filters=MINE):
        remove_containers_of(client, found["Id"])
    for made in client.images.list(filters=MINE):
        if made.tags != [keep]:
            untag_or_remove(client, made, keep=keep)


def remove_containers_of(client: docker.DockerClient, container_id: str) -> None:
    try:
        client.api.remove_container(container_id, force=True, v=True)
    except docker.errors.APIError as error:
        if error.status_code not in (404, 409):  # removed itself just now
            raise


@pytest.fixture
def weaker(request: pytest.FixtureRequest, engine: Engine):
    """`weaker("dockerd", why)`: on this engine the attack is known to get through; it is run all the same."""

    def note(name: str, why: str) -> None:
        if engine.name == name:
            request.node.add_marker(pytest.mark.xfail(reason=why, strict=False))

    return note


@pytest.fixture
def limited(client: docker.DockerClient):
    """`limited("PidsLimit")`: skip where the engine says in `info` that it can't enforce a limit."""

    def need(kind: str) -> None:
        if not client.info().get(kind):
            pytest.skip(
                f"{kind} is false in info: without a delegated cgroup there are no limits, and the engine says so"
            )

    return need


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder of the host with a secret in it, which the rootless engine's user could reach and write to."""
    for folder in (tmp_path, *list(tmp_path.parents)[:2]):
        if str(folder).startswith("/tmp/pytest-of"):
            folder.chmod(0o755)
    place = tmp_path / "outside"
    place.mkdir()
    place.chmod(0o777)
    (place / "secret").write_text("secret")
    (place / "secret").chmod(0o666)
    return place


def untouched(place: Path) -> bool:
    """Is the folder as it was made: one file, its content, one name for it?"""
    secret = place / "secret"
    return os.listdir(place) == ["secret"] and secret.read_text() == "secret" and secret.stat().st_nlink == 1
