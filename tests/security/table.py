"""The table of the attacks, printed at the end of a run: an attack a line, an engine a column.

A plugin of pytest, named in tests/conftest.py, so that it also hears of tests that ran in another worker (xdist). A
test says with `@pytest.mark.attack("A4")` which attack it is part of; an attack holds where all its tests passed.
"""

import pytest

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

_results: dict[tuple[str, str], set[str]] = {}
"""(attack, engine) -> how its tests ended: passed, failed, skipped, or known (failed, as was to be expected)."""
_reasons: dict[tuple[str, str], set[str]] = {}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "attack(number): part of an attack of the table in tests/security/table.py")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    """Write into the report which attack it is about, and on which engine."""
    report = (yield).get_result()
    marker, engine = item.get_closest_marker("attack"), getattr(item, "funcargs", {}).get("engine")
    if marker and engine:
        report.user_properties.append(("attack", (marker.args[0], engine.name)))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note how each part of an attack ended."""
    attack = dict(report.user_properties).get("attack")
    if attack is None or (report.when != "call" and report.passed):
        return
    known = report.skipped and hasattr(report, "wasxfail")
    _results.setdefault(tuple(attack), set()).add("known" if known else report.outcome)
    if report.skipped:
        reason = report.wasxfail if known else str(report.longrepr[2])
        reason = reason.removeprefix("Skipped: ").removeprefix("reason: ")
        _reasons.setdefault(tuple(attack), set()).add(reason)


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
