"""Run nbval, strictly, on one notebook and one engine, in a process of its own."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.notebooks.execute import CELL_SECONDS, SANITIZE, SEED

ROOT = Path(__file__).parent.parent.parent
RUN_SECONDS = 600


@dataclass(frozen=True)
class Report:
    """How many cells passed and failed, and all that pytest said."""

    passed: int
    failed: int
    text: str


def nbval(notebook: Path, address: str, data_home: Path, docker: str = "") -> Report:
    """Compare each cell's output with the stored one. `data_home` is where the learner's progress is kept.

    With `docker="sdk"`, `%docker` works as where no docker command is installed.
    """
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-p", "no:cacheprovider"]
    command += ["--nbval-sanitize-with", str(SANITIZE), "--nbval-cell-timeout", str(CELL_SECONDS)]
    command += ["--rootdir", str(ROOT), "-q", "--timeout", str(RUN_SECONDS), str(notebook)]
    environment = {**os.environ, "DOCKER_HOST": address, "XDG_DATA_HOME": str(data_home), "LABKIT_SEED": SEED}
    environment["LABKIT_DOCKER"] = docker
    environment.pop("LABKIT_ENGINE", None)  # it would go before DOCKER_HOST
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=RUN_SECONDS)
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed)", done.stdout)}
    return Report(counts.get("passed", 0), counts.get("failed", 0), done.stdout + done.stderr)
