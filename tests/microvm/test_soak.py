"""Boot after boot while the processors are busy: each gets ready, or is caught by the watchdog and said.

`SOAK=1` boots each kind fifty times; otherwise it is a few, to see that the test itself works.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit.errors import EngineNotStarted
from labkit.microvm import boot
from labkit.microvm.kinds import Kind
from tests.microvm.conftest import gone_within

BOOTS = 50 if os.environ.get("SOAK") else 2
LIMIT = 2 * boot.Watchdog().wall + 20  # seconds: the first try, the retry, and both trials
pytestmark = pytest.mark.timeout(BOOTS * LIMIT)


@pytest.fixture
def load() -> Iterator[int]:
    """An endless loop for each processor, in processes of their own."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    yield len(loops)
    for loop in loops:
        loop.kill()
        loop.wait()


def test_no_boot_hangs_unnoticed_on_a_busy_machine(kind: Kind, guest_files: Path, load: int, capsys):
    seconds, started, failures = [], 0, []
    for _ in range(BOOTS):
        took, tries, failure = boot_once(kind, guest_files)
        seconds.append(took)
        started += tries
        failures += [failure] if failure else []
    said = f"{BOOTS} boots beside {load} busy loops, {BOOTS - len(failures)} ready, {started - BOOTS} tries caught"
    with capsys.disabled():
        print(f"\n{kind.title}: {said}; {statistics.median(seconds):.1f} s (median), {max(seconds):.1f} s (longest)")
    assert max(seconds) < LIMIT
    assert all("its last words" in failure for failure in failures), failures
    assert len(failures) <= BOOTS // 10, failures


def boot_once(kind: Kind, files: Path) -> tuple[float, int, str]:
    """Seconds until it was ready or given up, how many machines that took, and what was said if none got ready."""
    machines: list[boot.Guest] = []
    began, failure = time.monotonic(), ""
    try:
        boot.boot([kind], files, on_guest=machines.append).end()
    except EngineNotStarted as error:
        failure = str(error)
    took = time.monotonic() - began
    assert gone_within(1, *(guest.kept.session for guest in machines))
    return took, len(machines), failure
