"""How docker prints: columns, ages, sizes, quoted commands. Pure: values in, text out."""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime

PADDING = 3  # blanks between two columns
MINUTE, HOUR, DAY = 60, 3600, 86400


def columns(rows: Sequence[Sequence[str]], least: int = 10) -> str:
    """Rows as lines, each column as wide as its widest cell; the last one is not padded (Go's text/tabwriter)."""
    widths = [max(least, *(len(cell) + PADDING for cell in cells)) for cells in zip(*rows, strict=True)][:-1]
    lines = ["".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)) + row[-1] for row in rows]
    return "".join(f"{line}\n" for line in lines)


def age(seconds: float) -> str:
    """A time span in one word and a number, the way docker says it (go-units, HumanDuration)."""
    whole = int(seconds)
    hours = int(seconds / HOUR + 0.5)
    if whole < 1:
        return "Less than a second"
    if whole < MINUTE:
        return "1 second" if whole == 1 else f"{whole} seconds"
    if whole < HOUR:
        return "About a minute" if whole < 2 * MINUTE else f"{whole // MINUTE} minutes"
    if hours < 48:
        return "About an hour" if hours == 1 else f"{hours} hours"
    steps = ((24 * 7 * 2, 24, "days"), (24 * 30 * 2, 24 * 7, "weeks"), (24 * 365 * 2, 24 * 30, "months"))
    for limit, unit, word in steps:
        if hours < limit:
            return f"{hours // unit} {word}"
    return f"{hours // 24 // 365} years"


def ago(created: float, now: float) -> str:
    """How long ago; both in Unix seconds."""
    return f"{age(now - created)} ago"


def size(count: float) -> str:
    """Bytes in thousands, three digits: 1.98MB."""
    units = ("B", "kB", "MB", "GB", "TB", "PB")
    step = 0
    while count >= 1000 and step < len(units) - 1:
        count, step = count / 1000, step + 1
    return f"{count:.3g}{units[step]}"


def quoted(text: str, width: int | None) -> str:
    """A command between quotes, cut to `width` characters."""
    return json.dumps(cut(text, width), ensure_ascii=False)


def cut(text: str, width: int | None) -> str:
    """A text, with an ellipsis where it was longer."""
    return text if width is None or len(text) <= width else text[: width - 1] + "…"


def short(identifier: str) -> str:
    """An id as docker shows it: twelve digits, without the name of the digest."""
    return identifier.removeprefix("sha256:")[:12]


def moment(text: str) -> float:
    """Unix seconds of a time as the API writes it (RFC 3339; digits after the microsecond are cut)."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text.replace("Z", "+00:00"))).timestamp()


def local_time(seconds: float) -> str:
    """A point of time with the zone of this machine: 2026-11-24 10:00:00 +0000 UTC."""
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S %z %Z")
