"""All lessons through the kind of machine that connect() would take here; tests/binder does it in Binder's sandbox."""

from collections.abc import Iterator

import pytest

from labkit.microvm import boot
from labkit.microvm.kinds import KINDS
from tests.backends import backend_missing
from tests.microvm.conftest import Launched, launched
from tests.notebooks.execute import code_cells, extras, paths, read
from tests.notebooks.nbval_run import RUN_SECONDS, nbval
from tests.notebooks.test_nbval import left_over

pytestmark = pytest.mark.timeout(RUN_SECONDS + 60)


@pytest.fixture(scope="module")
def first_machine(guest_files) -> Iterator[Launched]:
    """One machine for all lessons."""
    reasons = {kind: boot.unusable(kind, guest_files) for kind in KINDS}
    usable = [kind for kind in KINDS if not reasons[kind]]
    if not usable:
        backend_missing(KINDS[0].name, f"apt install {KINDS[0].package}; {reasons}")
    with launched(usable[0], guest_files) as machine:
        yield machine


@pytest.mark.parametrize("path", [*paths(), *extras()], ids=lambda path: path.stem)
def test_outputs_are_the_stored_ones(path, first_machine, tmp_path):
    report = nbval(path, f"unix://{first_machine.socket}", tmp_path)
    assert (report.passed, report.failed) == (len(code_cells(read(path))), 0), report.text
    client = first_machine.client()
    assert left_over(client) == []
    client.close()
