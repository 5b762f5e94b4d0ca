"""Fixtures for every test: the engines, one after another, and a client of the Docker SDK for each."""

import contextlib
from collections import Counter
from collections.abc import Iterator

import docker
import pytest
from docker.models.containers import Container

import labkit
from tests import engines
from tests.backends import NOT_FOR_THIS_ENGINE
from tests.engines import Engine

pytest_plugins = ["tests.security.table"]

ENGINES = ["dockerd", *engines.OURS]


@pytest.fixture(scope="session", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Each engine in turn; a session starts ours once and stops it at the end."""
    with contextlib.ExitStack() as stack:
        if request.param == "dockerd":
            yield engines.dockerd()
        elif request.param == "embedded":
            yield stack.enter_context(engines.embedded())
        else:
            yield stack.enter_context(engines.embedded(engines.ordinary_account()))


@pytest.fixture(scope="session")
def client(engine: Engine) -> Iterator[docker.DockerClient]:
    """An ordinary client of the Docker SDK, connected to the engine under test."""
    client = engine.client()
    yield client
    client.close()


@pytest.fixture
def sleeper(client: docker.DockerClient) -> Iterator[Container]:
    """A container from the teaching image that does nothing but run; gone after the test."""
    labkit.base_image(client)
    made = client.containers.run("labkit/base", "sleep 600", name="labkit-test-sleeper", detach=True)
    yield made
    made.remove(force=True)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The browser comes last: its driver keeps an event loop running in the process, and no asyncio test can run
    after that (`make test` gives it a process of its own)."""
    items.sort(key=lambda item: item.path.parent.name == "browser")


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """Count what does not concern an engine apart from what is skipped because the machine lacks something."""
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
    if report.skipped and NOT_FOR_THIS_ENGINE in reason:
        return "not for this engine", "-", "NOT FOR THIS ENGINE"
    return None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What this machine lacks, each once, with the number of tests: pytest's own list has a line for every test."""
    skipped = terminalreporter.stats.get("skipped", ())
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    if reasons:
        terminalreporter.section("not run here")
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"{count:6} tests: {' '.join(reason.split())}")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    """Show what the engine logged during a test that failed."""
    outcome = yield
    report = outcome.get_result()
    engine = getattr(item, "funcargs", {}).get("engine")
    if report.failed and engine and engine.log_text():
        report.sections.append((f"log of the {engine.name} engine", engine.log_text()[-4000:]))
