"""What a command of `labkit` answers. The command line (labkit/cli.py) prints it."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What a command found: a JSON document, the same in words, and the exit status."""

    data: Any
    text: str
    status: int = 0
