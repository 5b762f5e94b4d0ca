"""What axe-core finds wrong in a page: the rules of WCAG 2 that a program can judge, contrast among them."""

from collections.abc import Sequence
from typing import Any

from tests.backends import backend_missing


def violations(page: Any, place: str, but: Sequence[str] = ()) -> str:
    """The report on the elements that this selector finds, but for the rules named; empty where nothing is wrong."""
    try:
        from axe_playwright_python.sync_playwright import Axe
    except ImportError:
        backend_missing("browser", "pip install axe-playwright-python")
    rules = {rule: {"enabled": False} for rule in but}
    found = Axe().run(page, context=place, options={"rules": rules})
    return found.generate_report() if found.violations_count else ""
