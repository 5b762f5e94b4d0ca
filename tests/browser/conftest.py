"""Fixtures of the browser tests: one Chromium for all, one JupyterLab for each engine."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser import lab
from tests.engines import Engine


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    with lab.chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def jupyterlab(engine: Engine, browser: Any) -> Iterator[lab.Lab]:
    with lab.jupyterlab(engine.address) as running:
        yield running
