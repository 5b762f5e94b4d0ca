"""The static site: one command builds it, with the lessons' stored outputs, and it asks no other host for anything."""

import re
import subprocess
import sys

import pytest

from tests.notebooks.execute import paths
from tests.notebooks.nbval_run import ROOT

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site") / "html"
    command = [sys.executable, "site/build.py", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_lesson_has_a_page_and_a_link_to_it(site):
    first = (site / "index.html").read_text()
    for path in paths():
        assert (site / f"{path.stem}.html").is_file()
        assert f'href="{path.stem}.html"' in first


def test_stored_outputs_are_shown(site):
    assert "Hello from a container" in (site / "00_start_here.html").read_text()
    assert "Layer stack, from the top down" in (site / "02_images_and_layers.html").read_text()


def test_a_link_to_code_leads_to_a_page_that_shows_it(site):
    target = re.search(
        r'href="(source/labkit/runtime/namespaces.py.html)"', (site / "01_run_your_first_container.html").read_text()
    )
    assert "CLONE_NEWUTS" in (site / target[1]).read_text()


def test_no_page_loads_anything_from_elsewhere(site):
    for page in site.rglob("*.html"):
        loaded = re.findall(
            r'<(?:script|img|iframe)[^>]* src="(https?:|//)[^"]*"|<link[^>]*stylesheet[^>]* href="(https?:|//)',
            page.read_text(),
        )
        assert not loaded, page
