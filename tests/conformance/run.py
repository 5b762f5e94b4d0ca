"""Run the Docker SDK's own integration tests against an engine, and count them by area.

    git clone --branch 7.2.0 https://github.com/docker/docker-py /tmp/docker-py
    python -m tests.conformance.run /tmp/docker-py

The suite is Docker's and stays where it is: this folder has only the names of the tests that concern an engine like
ours (tests.txt: tier, area, test id). It is run unchanged on a fresh embedded engine, or with `--host` on another.
WARNING: it prunes containers, images, networks and volumes, and tries `swarm init`: give it an engine of its own, in
a virtual machine or a network namespace of its own: a second dockerd takes the bridge `docker0` from the first.

The suite wants pytest 7 or newer and `paramiko` (only for tests over ssh, which are not among ours; where it is not
installed an empty stand-in is put in its place). It expects images called alpine:3.10, alpine:latest and
busybox:latest; where they are missing, a static busybox takes their names, so no network is needed.

Ten of the tests pull from Docker Hub; without it they fail (the floors count them so). Debian's docker-registry can
stand in for it: the runner goes into namespaces where Docker Hub's name leads to loopback (registry.py). As root,
and with the embedded engine only:

    apt-get install docker-registry openssl
    python -m tests.conformance.run /tmp/docker-py --registry all

With `--registry pulling` only those ten are run, and all must pass.

Exit status: 0 when every area has at least its floor, 1 when not, 77 when the suite is not there.
"""

import argparse
import collections
import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import docker

from tests import busybox, engines
from tests.conformance import registry

HERE = Path(__file__).parent
SKIPPED = 77  # the exit status by which automake and meson know a skipped test
TEST_SECONDS = 60
IMAGES = ["alpine:3.10", "alpine:latest", "busybox:latest"]

# How many tests of an area passed when they were last counted: fewer is a step back.
FLOORS = HERE / "floors.json"


def wanted(tiers: set[str], areas: set[str]) -> dict[str, str]:
    """{test id: area} of the tests to run."""
    rows = [line.split("\t") for line in (HERE / "tests.txt").read_text().splitlines()]
    rows = [row for row in rows if len(row) == 3 and not row[0].startswith("#")]
    return {test: area for tier, area, test in rows if tier in tiers and (not areas or area in areas)}


def prepare(address: str, *, fill: bool) -> None:
    """Give the engine the images that the suite expects, and with `fill` the stand-in for Docker Hub as well."""
    with contextlib.closing(docker.DockerClient(base_url=address, version="auto", timeout=60)) as client:
        for name in IMAGES:
            try:
                client.images.get(name)
            except docker.errors.ImageNotFound:
                busybox.import_image(client, *name.split(":"), changes=['CMD ["sh"]'])
        if fill:
            registry.fill(client)


def run(suite: Path, address: str, tests: list[str], report: Path) -> None:
    """Run the tests in a pytest of their own, without any of our settings; results go to `report` (JUnit XML)."""
    with stand_ins() as folder:
        command = [sys.executable, "-m", "pytest", "-c", os.devnull, "--rootdir", suite, "-p", "no:cacheprovider", "-q"]
        command += ["-p", "no:asyncio", "--timeout", str(TEST_SECONDS), "--tb=short", f"--junitxml={report}", *tests]
        paths = [str(suite), *folder]
        environment = os.environ | {"DOCKER_HOST": address, "PYTHONPATH": os.pathsep.join(paths)}
        subprocess.run(command, cwd=suite, env=environment, timeout=len(tests) * TEST_SECONDS)


@contextlib.contextmanager
def stand_ins() -> Iterator[list[str]]:
    """A folder with an empty paramiko, where the real one is not installed."""
    if importlib.util.find_spec("paramiko"):
        yield []
        return
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "paramiko.py").write_text("class Channel:\n    pass\n")
        yield [folder]


def results(report: Path) -> dict[str, str]:
    """{test id: passed, failed, error or skipped} of a JUnit XML file."""
    found = {}
    for case in ET.parse(report).iter("testcase"):
        *modules, last = case.get("classname", "").split(".")
        path = "/".join(modules) + (f".py::{last}" if last[:1].isupper() else f"/{last}.py")
        kinds = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
        found[f"{path}::{case.get('name')}"] = {"failure": "failed"}.get(kinds[0], kinds[0]) if kinds else "passed"
    return found


def table(areas: dict[str, str], outcome: dict[str, str]) -> dict[str, collections.Counter]:
    """{area: how many passed, failed, …}; a test that left no result did not run."""
    counted: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
    for test, area in areas.items():
        counted[area][outcome.get(test, "not run")] += 1
    return dict(counted)


def show(counted: dict[str, collections.Counter], floors: dict[str, int]) -> bool:
    """Print the table; true when no area is below its floor."""
    print(f"\n{'area':28}{'tests':>6}{'passed':>8}{'skipped':>9}{'floor':>7}")
    for area, kinds in sorted(counted.items()):
        low = "  below the floor" if kinds["passed"] < floors.get(area, 0) else ""
        total = sum(kinds.values())
        print(f"{area:28}{total:6}{kinds['passed']:8}{kinds['skipped']:9}{floors.get(area, 0):7}{low}")
    passed, total = sum(k["passed"] for k in counted.values()), sum(sum(k.values()) for k in counted.values())
    print(f"{'all':28}{total:6}{passed:8}")
    return all(kinds["passed"] >= floors.get(area, 0) for area, kinds in counted.items())


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", type=Path, nargs="?", help="a checkout of docker-py at tag 7.2.0")
    parser.add_argument("--host", help="address of another engine (all that is on it may be removed)")
    parser.add_argument("--tier", action="append", default=[], help="only this tier: 1, 2 or 3 (may be given again)")
    parser.add_argument("--area", action="append", default=[], help="only this area (may be given again)")
    parser.add_argument("--json", type=Path, help="write the result of each test to this file")
    parser.add_argument("--set-floors", action="store_true", help="note the numbers of this run as the new floors")
    parser.add_argument("--registry", choices=["all", "pulling"], help="with a stand-in for Docker Hub; see above")
    return parser.parse_args()


def main() -> int:
    options = parse()
    if not options.suite or not (options.suite / "tests/integration").is_dir():
        print(f"No tests/integration in {options.suite}. The suite is part of the SDK's repository; get it with\n")
        print("    git clone --branch 7.2.0 https://github.com/docker/docker-py /tmp/docker-py")
        return SKIPPED
    if options.registry and options.host:
        print("--registry is for the embedded engine: another one does not see the namespaces where it works.")
        return 1
    areas = wanted(set(options.tier) or {"1", "2", "3"}, set(options.area))
    if options.registry == "pulling":
        areas = {test: area for test, area in areas.items() if registry.PULLING.search(test)}
    with contextlib.ExitStack() as stack:
        if options.registry:
            stack.enter_context(registry.hub())
        address = options.host
        if not address:
            engine = stack.enter_context(engines.embedded())
            stack.callback(engines.remove_all, engine)  # those that the suite leaves running would outlive it
            address = engine.address
        report = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "report.xml"
        prepare(address, fill=bool(options.registry))
        run(options.suite.absolute(), address, list(areas), report)
        outcome = results(report)
    if options.json:
        options.json.write_text(json.dumps({test: outcome.get(test, "not run") for test in areas}, indent=1) + "\n")
    counted = table(areas, outcome)
    whole = options.registry != "pulling"
    floors = json.loads(FLOORS.read_text()) if whole else {area: sum(k.values()) for area, k in counted.items()}
    good = show(counted, floors)
    if options.set_floors and not options.registry:  # the floors are for a machine without one
        new = floors | {area: kinds["passed"] for area, kinds in sorted(counted.items())}
        FLOORS.write_text(json.dumps(dict(sorted(new.items())), indent=1) + "\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
