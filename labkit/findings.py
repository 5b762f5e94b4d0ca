"""What the doctor hands out: findings, the engine that would be taken, and both as a report in columns or as JSON."""

import json
import textwrap
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

Outcome = Literal["ok", "limited", "missing"]


@dataclass(frozen=True)
class Finding:
    """One thing that was tried: how it came out, what that means for you, and what mends it."""

    name: str
    tried: str
    outcome: Outcome
    means: str
    mend: str = ""


@dataclass(frozen=True)
class Choice:
    """The engine that `labkit.connect()` would take: who it is, its address, why, and whether it would work."""

    name: str
    address: str
    why: str
    works: bool = True


@dataclass(frozen=True)
class Report:
    """All that the doctor found."""

    engine: Choice
    findings: tuple[Finding, ...]

    def text(self) -> str:
        """The report in columns, for people."""
        engine = self.engine
        at = f" at {engine.address}" if "://" in engine.address else ""
        would = "takes" if engine.works else "would fail with"
        head = textwrap.fill(f"labkit.connect() {would} {engine.name}{at}: {engine.why}.", 100)
        width = max(len(finding.name) for finding in self.findings)
        return "\n".join([head, "", *(line for finding in self.findings for line in _lines(finding, width))])

    def to_json(self) -> str:
        """The same as a JSON document."""
        return json.dumps(asdict(self), indent=2)


def _lines(finding: Finding, width: int) -> Iterator[str]:
    margin = f"{finding.outcome:8} {finding.name:{width}}  "
    told = finding.means if finding.outcome == "ok" else f"{finding.means} (tried: {finding.tried})"
    options: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False}
    indent = " " * len(margin)
    yield textwrap.fill(told, 120, initial_indent=margin, subsequent_indent=indent, **options)
    if finding.mend:
        yield textwrap.fill(finding.mend, 120, initial_indent=f"{indent}→ ", subsequent_indent=f"{indent}  ", **options)
