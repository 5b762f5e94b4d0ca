"""What the filters of all lists share: the words for true and false, labels, and names by regular expression. Pure."""

import contextlib
import re
from collections.abc import Mapping

YES, NO = ("1", "true", "True"), ("0", "false", "False")


def has_label(labels: Mapping[str, str], wanted: str) -> bool:
    """Whether a label is there: `wanted` is its key alone, or `key=value`."""
    key, equals, value = wanted.partition("=")
    return key in labels and (not equals or labels[key] == value)


def search(pattern: str, text: str) -> bool:
    """Whether it is that text, or a regular expression found anywhere in it."""
    with contextlib.suppress(re.error):
        return pattern == text or re.search(pattern, text) is not None
    return False
