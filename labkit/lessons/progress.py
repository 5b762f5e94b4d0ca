"""The file that remembers what a learner has done: guesses, exercises passed, hints taken, quiz answers, words drawn.

One JSON file, `$XDG_DATA_HOME/labkit/progress.json` (XDG Base Directory Specification; ~/.local/share where that is
unset), with a version in it. It is replaced by rename, so a crash leaves the old file or the new one, never half of
one. Two notebooks may be open at once: a lock beside the file makes them take turns.

    {"version": 1, "lessons": {"01": {"exercises": {"two-from-one": {"state": "passed", "version": 1, "at": "…"}},
                                      "guesses": {...}, "answers": {...}, "hints": {...}, "words": {...}}}}

The file's version is its form's. The version beside an exercise or an answer is the lesson's, at that time.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from labkit.errors import LabkitError

VERSION = 1
SECTIONS = ("guesses", "exercises", "hints", "answers", "words")


def default_path(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the file is on this machine."""
    data = environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "labkit" / "progress.json"


class Progress:
    """A learner's progress. Reading never writes; each `record` is on disk when it returns."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or default_path()

    def section(self, lesson: str, section: str) -> dict[str, Any]:
        """What is known of one lesson: its guesses, exercises, hints or answers, by key."""
        found: dict[str, Any] = self._read()["lessons"].get(lesson, {}).get(section, {})
        return found

    def record(self, lesson: str, section: str, key: str, **facts: Any) -> None:
        """Remember some facts about one prediction, exercise, hint or answer, and when it was."""
        assert section in SECTIONS, section
        with self._turn():
            book = self._read()
            entry = book["lessons"].setdefault(lesson, {}).setdefault(section, {})
            entry[key] = {**facts, "at": _now()}
            self._write(book)

    def keep(self, lesson: str, section: str, key: str, value: Any) -> Any:
        """Remember a value unless there is one already; return the one that is kept."""
        with self._turn():
            book = self._read()
            entry = book["lessons"].setdefault(lesson, {}).setdefault(section, {})
            if key not in entry:
                entry[key] = {"value": value, "at": _now()}
                self._write(book)
            return entry[key]["value"]

    def forget(self, lesson: str) -> dict[str, int]:
        """Forget all of one lesson; return how much there was in each section."""
        with self._turn():
            book = self._read()
            gone = book["lessons"].pop(lesson, {})
            if gone:
                self._write(book)
        return {section: len(gone.get(section, ())) for section in SECTIONS}

    def _read(self) -> dict[str, Any]:
        try:
            book = json.loads(self.path.read_text(encoding="utf-8"))
            version = book["version"]
        except FileNotFoundError:
            return {"version": VERSION, "lessons": {}}
        except (ValueError, KeyError, TypeError) as error:
            raise self._unreadable(f"it is not a progress file ({error})") from error
        if version != VERSION:
            raise self._unreadable(f"it has version {version!r}, and this labkit knows {VERSION}")
        found: dict[str, Any] = book
        return found

    def _unreadable(self, why: str) -> LabkitError:
        return LabkitError(
            f"We read your progress in {self.path}", why, "update labkit, or move that file away to begin a new one"
        )

    def _write(self, book: dict[str, Any]) -> None:
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps(book, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        os.replace(fresh, self.path)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path.with_suffix(".lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # given back when the file is closed
            yield


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
