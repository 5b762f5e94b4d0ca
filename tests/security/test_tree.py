"""A4 to A8: the file tree, as an attacker inside walks it: /proc, /sys, control groups, mounts, devices."""

import os
from pathlib import Path

import pytest

from tests.backends import not_for_this_engine
from tests.contract import test_isolation as isolation
from tests.contract.test_isolation import sh


def said(client, image, script: str, **options) -> str:
    """`done` where the script succeeds in a fresh container, `refused` where it does not."""
    return sh(client, image, f"({script}) > /dev/null 2>&1 && echo done || echo refused", **options)


# --- A4 ----------------------------------------------------------------------------------------------------------

WRITES = {
    "sysctl": "echo 1 > /proc/sys/kernel/panic",
    "sysrq": "echo h > /proc/sysrq-trigger",
    "core pattern": "echo '|/bin/sh' > /proc/sys/kernel/core_pattern",
    "irq": "echo 1 > /proc/irq/default_smp_affinity",
    "uevent helper": "echo /evil > /sys/kernel/uevent_helper",
    "unmask": "umount /proc/kcore || umount -l /proc/kcore",
    "remount": "mount -o remount,rw /proc/sys",
    "a new proc": "mkdir /tmp/p && mount -t proc proc /tmp/p",
    "a new sysfs": "mkdir /tmp/s && mount -t sysfs sysfs /tmp/s",
}


@pytest.mark.attack("A4")
@pytest.mark.parametrize("script", WRITES.values(), ids=WRITES)
def test_a4_the_kernels_trees_cannot_be_changed(client, image, script):
    assert said(client, image, script) == "refused"


@pytest.mark.attack("A4")
@pytest.mark.parametrize("path", isolation.MASKED_FILES)
def test_a4_masked_files_are_empty(client, image, path):
    isolation.test_masked_file_is_empty(client, image, path)


@pytest.mark.attack("A4")
def test_a4_interrupts_tell_nothing(client, image, weaker):
    weaker("dockerd", "masked since 2025 only: the counters give away when keys are pressed (GHSA-6fw5)")
    assert sh(client, image, "wc -c < /proc/interrupts") == "0"


@pytest.mark.attack("A4")
def test_a4_what_is_not_masked_can_be_read_and_written(client, image):
    """The control: the trees are there, and a shell can write."""
    assert (
        sh(client, image, "grep -q MemTotal /proc/meminfo && ls /sys/class > /tmp/x && test -s /tmp/x && echo yes")
        == "yes"
    )


# --- A5 ----------------------------------------------------------------------------------------------------------

IN_CGROUPS = (
    "for d in $(awk '$3 ~ /^cgroup/ { print $2 }' /proc/mounts); do cd $d || exit 9; (%s) && exit 0; done; exit 1"
)
CGROUP_WRITES = {
    "make a group": "mkdir evil",
    "join another group": "echo 1 > cgroup.procs",
    "release_agent": "echo /evil > release_agent",
    "lift the limit": "echo max > pids.max || echo -1 > memory.limit_in_bytes",
}


@pytest.mark.attack("A5")
@pytest.mark.parametrize("script", CGROUP_WRITES.values(), ids=CGROUP_WRITES)
def test_a5_control_groups_are_read_only(client, image, script):
    assert said(client, image, IN_CGROUPS % script) == "refused"


@pytest.mark.attack("A5")
def test_a5_they_are_there_to_be_read(client, image):
    """The control: there is something to attack. Without any cgroup mounted there is nothing to test."""
    if not sh(client, image, "grep cgroup /proc/mounts || true"):
        not_for_this_engine("no control group is shown in the container at all")
    assert said(client, image, IN_CGROUPS % "cat cgroup.procs") == "done"


# --- A6, A7 ------------------------------------------------------------------------------------------------------


@pytest.mark.attack("A6")
@pytest.mark.parametrize("way", ["/..", "/../../..", "/proc/1/root", "/proc/1/root/..", "/proc/self/root/../.."])
def test_a6_every_way_up_ends_at_the_root(client, image, way):
    here, there = sh(client, image, f"stat -L -c %d:%i / {way}/.").split()
    assert here == there


@pytest.mark.attack("A6")
def test_a6_a_chroot_inside_does_not_lead_out(client, image, outside):
    """The classic: a folder kept open above a new root. After pivot_root there is nothing above."""
    jail = "mkdir -p /tmp/j/bin && cp /bin/busybox /tmp/j/bin/sh && cd / && chroot /tmp/j /bin/sh -c"
    assert said(client, image, f"{jail} 'cd ../../../../..{outside}'") == "refused"
    assert said(client, image, f"{jail} true") == "done", "the control: chroot itself works"


@pytest.mark.attack("A6")
def test_a6_no_mount_of_the_host_is_seen(client, image):
    isolation.test_no_mount_of_the_host_is_seen(client, image)


@pytest.mark.attack("A7")
def test_a7_no_mount_is_shared(client, image):
    isolation.test_mounts_do_not_propagate(client, image)


@pytest.mark.attack("A7")
def test_a7_a_mount_inside_stays_inside(client, image):
    """Even root with SYS_ADMIN, which may mount, mounts for its own container only."""
    before = mounts_of_the_host()
    mighty = {"cap_add": ["SYS_ADMIN"], "security_opt": ["seccomp=unconfined", "apparmor=unconfined"]}
    container = client.containers.run(image, ["sleep", "600"], detach=True, **mighty)
    done = container.exec_run("mount -t tmpfs attacker /tmp")
    assert done.exit_code == 0, f"the control: it may mount ({done.output!r})"
    assert "attacker" in container.exec_run("cat /proc/mounts").output.decode()
    assert not any("attacker" in line for line in mounts_of_the_host() - before)


def mounts_of_the_host() -> set[str]:
    return set(Path("/proc/self/mountinfo").read_text().splitlines())


# --- A8 ----------------------------------------------------------------------------------------------------------

NODES = {
    "kmsg": "c 1 11",
    "mem": "c 1 1",
    "disk": "b 8 0",
    "virtual disk": "b 254 0",
    "fuse": "c 10 229",
    "tun": "c 10 200",
}


@pytest.mark.attack("A8")
@pytest.mark.parametrize("node", NODES.values(), ids=NODES)
def test_a8_a_device_node_opens_nothing(client, image, node):
    assert said(client, image, f"mknod /tmp/x {node} && head -c 1 < /tmp/x") == "refused"


@pytest.mark.attack("A8")
def test_a8_the_usual_devices_work(client, image):
    """The control."""
    assert said(client, image, "echo x > /dev/null && head -c 1 /dev/zero && head -c 1 /dev/urandom") == "done"
    isolation.test_devices(client, image)


@pytest.mark.attack("A8")
def test_a8_a_node_may_be_made_as_root_only(client, image, engine):
    if engine.name == "rootless" or os.geteuid() != 0:
        not_for_this_engine("in a user namespace mknod(2) is refused for every device, which is the stronger wall")
    assert said(client, image, "mknod /tmp/null c 1 3 && echo x > /tmp/null") == "done"
