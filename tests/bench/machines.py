"""From `connect()` to the first container's output, through each kind of machine: `python -m tests.bench.machines`.

Measured here, and in the sandbox of tests/binder (one processor, no privilege, no network) where its image has been
built by `make test-binder`. Each sample is a new Python and a new machine. This prints numbers and judges nothing.
"""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator

import docker

from labkit.microvm import boot, guest
from labkit.microvm.kinds import KINDS, Kind
from tests.bench.sample import Sample

ROUNDS = 3
SECONDS = 300
FIRST_CONTAINER = """
import contextlib, json, sys, time
began = time.monotonic()
import labkit
with contextlib.redirect_stdout(sys.stderr):
    client = labkit.connect()
    connected = time.monotonic()
    labkit.base_image(client)
    imported = time.monotonic()
    output = client.containers.run("labkit/base", ["echo", "hi"], remove=True)
assert output == b"hi\\n"
ended = time.monotonic()
print(json.dumps({"connect": connected - began, "image": imported - connected, "run": ended - imported,
                  "all": ended - began}))
"""

Run = Callable[[Kind], Sample]


def run_here(kind: Kind) -> Sample:
    """Seconds by step, in a process of this machine with a state folder of its own."""
    with tempfile.TemporaryDirectory(prefix="lk-b-", dir="/tmp") as place:
        chosen = {"LABKIT_ENGINE": "vm", "LABKIT_VM_KIND": kind.name, "LABKIT_GUEST": str(guest.default_files())}
        environ = os.environ | chosen | {"LABKIT_STATE": f"{place}/state", "LABKIT_SOCKET": f"{place}/engine.sock"}
        command = [sys.executable, "-c", FIRST_CONTAINER]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=SECONDS, check=True)
    return dict(json.loads(done.stdout))


def run_in_sandbox(client: docker.DockerClient) -> Run:
    from tests.binder import sandbox

    def run(kind: Kind) -> Sample:
        """The same as Binder's user."""
        done = sandbox.python(client, FIRST_CONTAINER, SECONDS, environment={"LABKIT_VM_KIND": kind.name})
        return dict(json.loads(done.text.splitlines()[-1]))

    return run


def places(stack: contextlib.ExitStack) -> Iterator[tuple[str, Run]]:
    """Where it can be measured: a name, and what takes a sample."""
    yield "on this machine", run_here
    try:
        from tests.binder.build import IMAGE

        client = stack.enter_context(contextlib.closing(docker.from_env(timeout=SECONDS)))
        client.images.get(IMAGE)
    except docker.errors.DockerException as error:
        print(f"NOT MEASURED in the sandbox: `make test-binder` builds its image ({error})")
        return
    yield "in Binder's sandbox", run_in_sandbox(client)


def show(rounds: int = ROUNDS) -> dict[str, Sample]:
    """Measure and print; {"kind, place": the medians in seconds}."""
    numbers: dict[str, Sample] = {}
    print(f"\nfrom connect() to the first container's output (medians of {rounds}, seconds)")
    with contextlib.ExitStack() as stack:
        for place, run in places(stack):
            for kind in KINDS:
                if place == "on this machine" and (reason := boot.unusable(kind, guest.default_files())):
                    print(f"NOT MEASURED: {kind.title} {place}: {reason}")
                    continue
                samples = [run(kind) for _ in range(rounds)]
                middle = {step: statistics.median(sample[step] for sample in samples) for step in samples[0]}
                print(f"  {kind.title + ' ' + place:36}" + "".join(f"{s:>9} {t:5.1f}" for s, t in middle.items()))
                numbers[f"{kind.title}, {place}"] = middle
    return numbers


if __name__ == "__main__":
    show()
