"""The runtime alone: real containers from a bundle, seen from inside."""

import os
from pathlib import Path

import pytest

from labkit import linux
from labkit.runtime import init
from labkit.runtime.create import Created, RuntimeFailed, create
from labkit.runtime.exec import exec_in
from tests.runtime import bundle


@pytest.fixture(scope="module")
def lower(tmp_path_factory: pytest.TempPathFactory) -> Path:
    bundle.needs_root()
    return bundle.tree(tmp_path_factory.mktemp("lower"))


class Pipes:
    """Standard streams for a container: nothing to read, one pipe for what it writes."""

    def __init__(self) -> None:
        self.read, self.write = os.pipe2(os.O_CLOEXEC)
        self.null = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)

    def stdio(self) -> tuple[int, int, int]:
        return self.null, self.write, self.write

    def output(self) -> str:
        os.close(self.write)
        os.close(self.null)
        with open(self.read) as file:
            return file.read()


def finish(child: Created) -> int:
    result = os.waitid(os.P_PIDFD, child.pidfd, os.WEXITED)
    os.close(child.pidfd)
    child.sync.close()
    if child.cgroup:
        child.cgroup.remove()
    return result.si_status


def run(lower: Path, scratch: Path, *command: str, **config: object) -> tuple[int, str]:
    """Run a command in a container: its exit status and what it wrote."""
    merged, rootfs = bundle.overlay(lower, scratch)
    pipes = Pipes()
    child = create(bundle.config(merged, *command, key=f"t{os.getpid()}", **config), rootfs, pipes.stdio())
    child.start()
    try:
        assert child.receive() is False
    finally:
        output = pipes.output()
        status = finish(child)
    return status, output


def test_it_is_process_1_on_a_host_of_its_own(lower, tmp_path):
    status, output = run(lower, tmp_path, "sh", "-c", "echo $$; hostname; exit 3")
    assert (status, output.split()) == (3, ["1", "inside"])


def test_it_sees_no_mount_of_the_host(lower, tmp_path):
    _, output = run(lower, tmp_path, "cat", "/proc/self/mountinfo")
    assert " / / rw" in output, "the control: the root file system itself is listed"
    assert str(tmp_path) not in output.replace(f"={tmp_path}", ""), "but no mount point of the host's"
    assert "shared:" not in output and "master:" not in output, "what is mounted inside stays inside"


def test_the_host_sees_no_mount_of_it(lower, tmp_path):
    merged, rootfs = bundle.overlay(lower, tmp_path)
    pipes = Pipes()
    child = create(bundle.config(merged, "sleep", "60"), rootfs, pipes.stdio())
    child.start()
    assert child.receive() is False
    assert "overlay" in Path(f"/proc/{child.pid}/mountinfo").read_text(), "the control: it has its root"
    assert merged not in Path("/proc/self/mountinfo").read_text()
    os.kill(child.pid, 9)
    pipes.output()
    assert finish(child) == 9


def test_it_has_dockers_capabilities_and_a_filter(lower, tmp_path):
    _, output = run(lower, tmp_path, "grep", "-E", "Cap|NoNewPrivs|Seccomp:", "/proc/self/status")
    seen = dict(line.split(":\t") for line in output.splitlines())
    docker = "00000000a80425fb"
    empty = "0" * 16
    assert seen == {
        "CapInh": empty,
        "CapPrm": docker,
        "CapEff": docker,
        "CapBnd": docker,
        "CapAmb": empty,
        "NoNewPrivs": "1",
        "Seccomp": "2",
    }


def test_another_user_has_no_capabilities(lower, tmp_path):
    merged, rootfs = bundle.overlay(lower, tmp_path)
    pipes = Pipes()
    asked = bundle.config(merged, "sh", "-c", "id -u; id -G; grep CapEff /proc/self/status")
    asked["process"]["user"] = {"uid": 70, "gid": 70, "additionalGids": [50]}
    child = create(asked, rootfs, pipes.stdio())
    child.start()
    child.receive()
    assert pipes.output().split() == ["70", "70", "50", "CapEff:", "0" * 16]
    finish(child)


def test_paths_are_masked_and_frozen(lower, tmp_path):
    script = (
        "cat /proc/keys | wc -c; echo 1 > /proc/sys/kernel/panic; mount -t tmpfs x /mnt; mknod /tmp/d b 8 0; cat /tmp/d"
    )
    _, output = run(lower, tmp_path, "sh", "-c", script)
    assert output.splitlines()[0] == "0"
    assert "Read-only file system" in output
    assert output.count("permitted") + output.count("ermission denied") == 2, output


def test_a_read_only_root_refuses_a_write_and_tmpfs_takes_it(lower, tmp_path):
    host = {"ReadonlyRootfs": True, "Tmpfs": {"/run": "size=1m"}}
    _, output = run(lower, tmp_path, "sh", "-c", "echo a > /a; echo b > /run/b; cat /run/b", host=host)
    assert "Read-only file system" in output and output.endswith("b\n")


def test_a_missing_program_is_named_in_runcs_words(lower, tmp_path):
    with pytest.raises(RuntimeFailed, match=r"executable file not found in \$PATH") as failure:
        run(lower, tmp_path, "nosuch")
    assert failure.value.errno == 2


def test_a_link_in_place_of_a_kernel_tree_is_refused(lower, tmp_path):
    """CVE-2026-41579: an image whose /dev is a link would have the device nodes made where the link points."""
    (tmp_path / "victim").mkdir()
    evil = bundle.tree(tmp_path / "evil")
    (evil / "proc").rmdir()
    (evil / "proc").symlink_to(tmp_path / "victim")
    with pytest.raises(RuntimeFailed, match="/proc"):
        run(evil, tmp_path / "run", "true")
    assert not list((tmp_path / "victim").iterdir())


def test_the_working_directory_is_made_where_it_is_missing(lower, tmp_path):
    assert run(lower, tmp_path, "pwd", WorkingDir="/srv/app") == (0, "/srv/app\n")


@pytest.mark.parametrize("fd", range(3, 12))
def test_a_working_directory_among_open_descriptors_leads_nowhere(lower, tmp_path, fd):
    """CVE-2024-21626: a folder that the runtime left open was a way out of the container."""
    with pytest.raises(RuntimeFailed):
        run(lower, tmp_path, "ls", WorkingDir=f"/proc/self/fd/{fd}")


def test_no_descriptor_of_ours_is_left_open(lower, tmp_path):
    _, output = run(lower, tmp_path, "ls", "/proc/self/fd")
    assert output.split() == ["0", "1", "2", "3"], "3 is the folder that ls itself reads"


def test_limits_reach_the_process(lower, tmp_path):
    host = {"Ulimits": [{"Name": "nofile", "Soft": 64, "Hard": 128}]}
    assert run(lower, tmp_path, "sh", "-c", "ulimit -n; ulimit -Hn", host=host)[1].split() == ["64", "128"]


def test_a_further_process_joins_every_namespace(lower, tmp_path):
    merged, rootfs = bundle.overlay(lower, tmp_path)
    pipes, more = Pipes(), Pipes()
    asked = bundle.config(merged, "sleep", "60")
    child = create(asked, rootfs, pipes.stdio())
    child.start()
    assert child.receive() is False
    script = "hostname; cat /proc/1/comm; for n in pid net mnt uts ipc cgroup; do readlink /proc/self/ns/$n; done"
    process = {**asked["process"], "args": ["sh", "-c", script]}
    second = exec_in(child.pidfd, child.cgroup, process, None, more.stdio())
    assert second.receive() is False
    inside = more.output().split()
    assert finish(second) == 0
    expected = [os.readlink(f"/proc/{child.pid}/ns/{n}") for n in ("pid", "net", "mnt", "uts", "ipc", "cgroup")]
    assert inside == ["inside", "sleep", *expected]
    os.kill(child.pid, 9)
    pipes.output()
    finish(child)


@pytest.mark.timeout(20)
def test_a_further_process_of_a_container_that_has_just_ended_is_refused(lower, tmp_path):
    """Its first process is dead, and nobody has noticed yet: who asks must get an answer, not wait for ever."""
    merged, rootfs = bundle.overlay(lower, tmp_path)
    pipes, more = Pipes(), Pipes()
    asked = bundle.config(merged, "sleep", "60")
    child = create(asked, rootfs, pipes.stdio())
    child.start()
    assert child.receive() is False
    os.kill(child.pid, 9)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and is not reaped
    with pytest.raises(RuntimeFailed):
        exec_in(child.pidfd, child.cgroup, asked["process"], None, more.stdio())
    pipes.output()
    finish(child)


def test_a_parent_that_goes_away_takes_a_waiting_child_along(lower, tmp_path):
    merged, rootfs = bundle.overlay(lower, tmp_path)
    pipes = Pipes()
    child = create(bundle.config(merged, "true"), rootfs, pipes.stdio())
    child.sync.close()
    pipes.output()
    assert finish(child) == 111


def test_an_unknown_namespace_is_named(tmp_path):
    asked = bundle.config(str(tmp_path), "true")
    asked["linux"]["namespaces"] = [{"type": "dream"}]
    with pytest.raises(RuntimeFailed, match="dream"):
        create(asked, [], None)


def test_errors_repeat_the_call():
    with pytest.raises(OSError, match=r"mount\('none', '/nowhere', 'tmpfs'"):
        linux.mount("none", "/nowhere", "tmpfs")


def test_nothing_is_imported_from_the_image(lower, tmp_path, monkeypatch):
    """CVE-2019-14271: a module looked up after the pivot would be the image's. Here the child tries to, on purpose."""
    monkeypatch.setattr(init, "finish_tree", lambda config: __import__("this"))
    with pytest.raises(RuntimeFailed, match="No module named 'this'"):
        run(lower, tmp_path, "true")
