"""labkit.VM, on a real machine: one boot for what can be asked, one more for a disk that keeps."""

import pytest

from labkit.microvm import qemu
from labkit.vm import VM, VMError

pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("vm_files")]


def test_a_life_as_a_container_has_one():
    with VM(memory=128, processors=2, disks=2) as vm:
        assert vm.state == "created"
        with pytest.raises(VMError, match="start it first"):
            vm.run("true")
        vm.start()
        check_phases(vm)
        check_hardware(vm)
        check_commands(vm)
        vm.restart()
        assert vm.run("cat /disks/vda/note").output == "kept\n"
        vm.stop()
        assert vm.state == "stopped"
    assert vm.state == "deleted"
    with pytest.raises(VMError, match="deleted"):
        vm.start()


def check_phases(vm: VM) -> None:
    assert [phase.name for phase in vm.phases] == ["firmware", "kernel", "devices"]
    ends = [phase.ended for phase in vm.phases]
    assert ends == sorted(ends)
    assert all(phase.seconds > 0 for phase in vm.phases)


def check_hardware(vm: VM) -> None:
    kinds = [device.kind for device in vm.hardware()]
    assert kinds == ["processor", "processor", "memory", "disk", "disk", "network card"]


def check_commands(vm: VM) -> None:
    assert vm.kernel().startswith("Linux ")
    assert vm.processes()[0].pid == 1
    assert vm.run("echo out; echo err >&2; exit 3") == type(vm.run("true"))("out\nerr\n", 3)
    assert vm.run("echo kept >/disks/vda/note").status == 0
    assert vm.files()["kernel"] > 1_000_000


def test_where_there_is_no_qemu_it_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("labkit.microvm.guest.qemu_found", lambda folder: False)
    with pytest.raises(VMError, match=rf"QEMU.*not installed.*sudo apt install {qemu.board().package}"):
        VM()
