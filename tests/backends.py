"""What a test may find missing on a machine: an engine, a browser, a program. Missing is a named skip.

`LABKIT_REQUIRE=dockerd,embedded,rootless,browser` turns those skips into failures: where everything has been
installed on purpose (continuous integration), a skip would only hide that something broke.
"""

import os
import re
import shutil
import subprocess
from typing import NoReturn

import pytest


def required() -> set[str]:
    """The backends that must be there, from LABKIT_REQUIRE (a comma between names)."""
    return {name.strip() for name in os.environ.get("LABKIT_REQUIRE", "").split(",") if name.strip()}


def backend_missing(name: str, how_to_get_it: str) -> NoReturn:
    """Skip the test, or fail it where `name` is required; the reader is told how to get the backend."""
    reason = f"{name} is missing: {how_to_get_it}"
    if name in required():
        pytest.fail(f"{reason} (LABKIT_REQUIRE says it must be here)", pytrace=False)
    pytest.skip(reason)


NOT_FOR_THIS_ENGINE = "not for this engine: "


def not_for_this_engine(reason: str) -> NoReturn:
    """End a test that asks for what this engine, by design, does not have or does not promise; the run counts these
    apart from skips, since nothing that could be installed would make them run."""
    pytest.skip(NOT_FOR_THIS_ENGINE + reason)


def program(name: str, backend: str, how_to_get_it: str) -> str:
    """The path of a program in PATH, or `backend_missing`."""
    return shutil.which(name) or backend_missing(backend, how_to_get_it)


def docker_command() -> str:
    """The path of a docker command whose words are today's; those of before version 24 differ in many places."""
    path = program("docker", "docker-cli", "install the docker command (docker-cli or docker.io)")
    told = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20).stdout
    number = re.search(r"version (\d+)\.", told)
    if not number or int(number[1]) < 24:
        backend_missing("docker-cli", f"a docker command of version 24 or newer is needed, {path} is: {told.strip()}")
    return path
