"""The same tests as an ordinary user's engine runs: root only in a user namespace, one id, overlay with userxattr."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.backends import backend_missing, program
from tests.engine.images.conftest import IN_NAMESPACE

HERE = Path(__file__).parent
FILES = ("test_layers.py", "test_changes.py", "test_extract.py", "test_hostile.py")
SECONDS = 110


@pytest.mark.skipif(IN_NAMESPACE, reason="already inside")
def test_in_a_user_namespace(tmp_path):
    unshare = program("unshare", "rootless", "apt-get install util-linux")
    namespace = [unshare, "--user", "--map-root-user", "--mount"]
    if subprocess.run([*namespace, "true"], capture_output=True, timeout=10).returncode:
        backend_missing("rootless", "this machine lets users make no namespaces: see `labkit doctor`")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", f"--basetemp={tmp_path}/inner"]
    left_out = "dockerd or vfs or thousand or overlay-owner"  # the last needs a second id
    chosen = ["-k", f"not ({left_out})", *(str(HERE / name) for name in FILES)]
    done = subprocess.run(
        [*namespace, *command, *chosen],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        cwd=HERE.parents[2],
        env={**os.environ, "LABKIT_REQUIRE": "root"},
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
