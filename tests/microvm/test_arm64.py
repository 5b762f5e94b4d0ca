"""What an arm64 computer would start, in an emulator here: QEMU's `virt` with an arm64 kernel, Python and busybox."""

import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from labkit.microvm import qemu
from labkit.microvm.kinds import QEMU
from labkit.vm import VM
from tests.microvm import arm64
from tests.microvm.conftest import launched
from tests.microvm.test_kinds import MACHINE

pytestmark = pytest.mark.timeout(600)

# The launcher of a computer with that processor; the guest's Python is not where ours is.
LAUNCHER = f"""
import platform, sys
platform.machine = lambda: "aarch64"
from labkit.microvm import kinds, launcher
kinds.interpreter = lambda: "{arm64.PYTHON}"
sys.exit(launcher.main())
"""


@pytest.fixture
def on_arm64(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return arm64.files(tmp_path_factory.mktemp("arm64"))


def test_its_command_line_has_nothing_of_another_processor(on_arm64):
    command = QEMU.command(MACHINE)
    assert command[0].endswith(qemu.BOARDS["aarch64"].program)
    assert command[command.index("-M") + 1] == "virt"
    assert not [word for word in ("ttyS0", "tsc", "lpj") if word in " ".join(command)]


def test_there_is_no_user_mode_linux_for_it():
    script = "import platform; platform.machine = lambda: 'aarch64'\n"
    script += "from labkit.microvm import guest, kinds; print([kind.name for kind in kinds.KINDS], *guest.BUILDERS)"
    assert run(script) == "['qemu'] qemu vm"


def run(script: str) -> str:
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip()


def test_a_machine_to_look_at(on_arm64, files, monkeypatch):
    monkeypatch.setenv("LABKIT_GUEST", str(files))
    with VM(memory=128, processors=2) as vm:
        vm.start()
        assert vm.run("uname -m").output == "aarch64\n"
        assert [phase.name for phase in vm.phases] == ["firmware", "kernel", "devices"]
        found = [device.kind for device in vm.hardware()]
        assert found == ["processor", "processor", "memory", "disk", "network card"]
        assert vm.hardware()[0].details.startswith("aarch64")
        vm.restart()
        assert vm.processes()[0].pid == 1


@pytest.fixture
def client(files: Path) -> Iterator[docker.DockerClient]:
    with launched(QEMU, files, program=("-c", LAUNCHER)) as machine:
        client = machine.client()
        yield client
        client.close()


def test_the_engine_runs_containers_in_it(client, files):
    assert client.version()["Arch"] == "arm64"
    client.api.import_image_from_data(arm64.image(files), "tiny")
    said = client.containers.run("tiny", ["/bin/busybox", "uname", "-m"], remove=True)
    assert said == b"aarch64\n"
    limits = client.containers.run("tiny", ["/bin/busybox", "cat", "/proc/self/status"], remove=True).decode()
    assert "Seccomp:\t2" in limits, "Docker's filter, compiled for this processor"
