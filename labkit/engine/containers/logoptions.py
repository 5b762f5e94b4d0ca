"""The options of the log driver `json-file`, as the shim needs them. Pure.

    max-size=10m   when the file has this size it is put aside, and a new one begun
    max-file=3     how many files are kept, the current one included

Left out: `compress`. It is accepted, and what is put aside stays as it is. Source: Docker, "JSON File logging driver".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from labkit.engine.errors import ServerError

FILES, BYTES = 3, 10 << 20
"""A container's log is bounded, unlike Docker's: a lesson must not fill a disk."""

TRUE, FALSE = ("1", "t", "T", "true", "TRUE", "True"), ("0", "f", "F", "false", "FALSE", "False")

_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kmgtp]?)i?b?", re.IGNORECASE)
_UNITS = {letter: 1 << (10 * power) for power, letter in enumerate(["", *"kmgtp"])}


def limits(options: Mapping[str, str]) -> tuple[int, int]:
    """(bytes of a file, number of files). Raises ServerError, in the words with which dockerd refuses a start."""
    try:
        size, files = _max_size(options.get("max-size", "")), _max_file(options.get("max-file", ""))
        if _flag(options.get("compress", "")) and (not size or (files or 1) < 2):
            raise ValueError("compress cannot be true when max-file is less than 2 or max-size is not set")
    except ValueError as wrong:
        raise ServerError(f"failed to initialize logging driver: {wrong}") from wrong
    return size or BYTES, files or FILES


def _max_size(text: str) -> int:
    """Bytes; 0 where nothing is said."""
    if not text:
        return 0
    match = _SIZE.fullmatch(text)
    if not match:
        raise ValueError(f"invalid size: '{text}'")
    size = int(float(match[1]) * _UNITS[match[2].lower()])
    if size <= 0:
        raise ValueError("max-size must be a positive number")
    return size


def _max_file(text: str) -> int:
    if not text:
        return 0
    if not re.fullmatch(r"[+-]?\d+", text):
        raise ValueError(f"strconv.Atoi: parsing {json.dumps(text)}: invalid syntax")
    if int(text) < 1:
        raise ValueError("max-file cannot be less than 1")
    return int(text)


def _flag(text: str) -> bool:
    if text and text not in (*TRUE, *FALSE):
        raise ValueError(f"strconv.ParseBool: parsing {json.dumps(text)}: invalid syntax")
    return text in TRUE
