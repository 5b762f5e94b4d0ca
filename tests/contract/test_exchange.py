"""Images cross between this engine and dockerd, in both directions, with the stock docker command.

exchange.txt, the transcript to compare with, was written by dockerd, which took its own images back:
LABKIT_WRITE_TRANSCRIPT=1 pytest tests/contract/test_exchange.py -k dockerd
"""

import contextlib
import os
import subprocess
from pathlib import Path

import pytest

from tests import backends, busybox, engines
from tests.contract.conftest import LABELS, MINE, SESSION
from tests.contract.helpers import unique
from tests.contract.transcript import normalized

SCRIPT = Path(__file__).with_name("exchange.sh")
GOLDEN = SCRIPT.with_suffix(".txt")
SCRIPT_SECONDS = 110


@pytest.fixture
def other(image):
    """dockerd, with the test image; what the script leaves there goes too."""
    engine = engines.dockerd()
    with contextlib.closing(engine.client()) as client:
        name = f"labkit-test/{unique('exchange')}"
        busybox.import_image(client, name, changes=[f"LABEL {key}={value}" for key, value in LABELS.items()])
        yield engine, name
        for found in client.api.containers(all=True, filters={"ancestor": name}):
            client.api.remove_container(found["Id"], force=True)
        for made in client.images.list(filters=MINE):
            for tag in made.tags:
                if tag != image:
                    client.images.remove(tag, force=True)


@pytest.mark.parametrize("first", ["this engine", "dockerd"])
def test_transcript(first, engine, image, other, tmp_path):
    backends.docker_command()
    dockerd, its_image = other
    ends = [(engine.address, image), (dockerd.address, its_image)]
    (here, made_on), (there, _) = ends if first == "this engine" else reversed(ends)
    names = {made_on: "IMAGE", (prefix := unique()): "lk", SESSION: "SESSION", str(tmp_path): "WORK"}
    in_image = " ".join(f"{key}={value}" for key, value in LABELS.items())
    given = {"HERE": here, "THERE": there, "IMAGE": made_on, "P": prefix, "WORK": str(tmp_path)}
    given |= {"LABEL_IN_IMAGE": in_image, "HOME": str(tmp_path), "PATH": os.environ["PATH"], "TZ": "UTC"}
    said = subprocess.run(["bash", str(SCRIPT)], env=given, capture_output=True, text=True, timeout=SCRIPT_SECONDS)
    transcript = normalized(said.stdout + said.stderr, names)
    if os.environ.get("LABKIT_WRITE_TRANSCRIPT"):
        GOLDEN.write_text(transcript)
    assert transcript.splitlines() == GOLDEN.read_text().splitlines()
