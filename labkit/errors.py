"""Every error that labkit raises on the lesson's side.

    LabkitError
    ├── EngineError               about the engine behind the Docker SDK
    │   ├── BadAddress            what was given is not an address
    │   ├── EngineUnreachable     nothing answers at the address that was asked for
    │   ├── NoEngine              nothing was found, and none may be started
    │   ├── EngineNotStarted      the embedded engine came up and died, or never answered
    │   └── EngineNotStopped      it was told to end and did not
    └── ImageError                about the teaching image
        └── NoBaseImage           every source of a busybox or a shell failed

What an engine refuses (no such image, name in use) is not here: the Docker SDK raises its own `docker.errors`
for that, and a lesson shows them as they are. The engine's inside has a tree of its own, labkit/engine/errors.py.
"""


class LabkitError(Exception):
    """An error in three parts: what was tried, what the system said, what you can do now."""

    def __init__(self, tried: str, said: str = "", do: str = "") -> None:
        super().__init__(tried, said, do)
        self.tried, self.said, self.do = tried, said, do

    def __str__(self) -> str:
        parts = (self.tried, self.said and f"The system said: {self.said}", self.do and f"What to do: {self.do}")
        return " ".join(_sentence(part) for part in parts if part)


class EngineError(LabkitError):
    """Something about the engine behind the Docker SDK."""


class BadAddress(EngineError):
    """What was given as an engine's address is none."""


class EngineUnreachable(EngineError):
    """Nothing answers at the address that was asked for."""


class NoEngine(EngineError):
    """No engine was found, and none may be started."""


class EngineNotStarted(EngineError):
    """The embedded engine was started, and ended or never answered."""


class EngineNotStopped(EngineError):
    """The embedded engine was told to end, and did not."""


class ImageError(LabkitError):
    """Something about the teaching image."""


class NoBaseImage(ImageError):
    """Every source of the teaching image failed."""


def _sentence(part: str) -> str:
    part = part.strip()
    return part if part.endswith((".", "!", "?")) else f"{part}."
