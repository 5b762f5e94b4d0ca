"""Die on purpose at a named step, as kill -9 would end the engine there. Off unless LABKIT_CRASH_AT names the step.

Why it is in the engine and not in its tests: the moment between two changes of state lasts microseconds, and a signal
from outside hits it by luck only. tests/faults goes through all the steps.
"""

import os

STEPS = (
    "create: layer made",
    "create: folder made",
    "create: volumes named",
    "create: volumes made",
    "create: saved",
    "start: addresses reserved",
    "start: process made",
    "start: plugged in",
    "start: program runs",
    "start: saved",
    "exit: known",
    "exit: saved",
    "stop: asked",
    "stop: signalled",
    "stop: killed",
    "remove: marked",
    "remove: layer gone",
    "remove: volumes gone",
    "remove: folder gone",
    "image: layer added",
    "image: record written",
    "pull: layer downloaded",
    "pull: layers unpacked",
    "pull: image stored",
    "pull: digest noted",
    "build: context unpacked",
    "build: container made",
    "build: command ran",
    "build: files copied",
    "build: step committed",
    "build: image made",
    "build: image named",
    "network: saved",
    "network: bridge made",
)

_STEP = os.environ.get("LABKIT_CRASH_AT", "")


def at(step: str) -> None:
    """End the process without a word if this is the step."""
    if step == _STEP:
        os._exit(9)
