"""The walls of a container, as a learner sees them from inside."""

import os
import re

import docker
import pytest

from tests.contract.differences import expected


def sh(client, image, script: str, **options) -> str:
    """What a shell in a fresh container prints."""
    return client.containers.run(image, ["sh", "-c", script], remove=True, **options).decode().strip()


# --- what it is called, who it is, what it sees of others --------------------------------------------------------


def test_hostname_is_the_short_id(client, running):
    assert running.exec_run("hostname").output.decode().strip() == running.id[:12]
    assert running.attrs["Config"]["Hostname"] == running.id[:12]


def test_hostname_can_be_chosen(client, image):
    assert sh(client, image, "hostname; cat /etc/hostname", hostname="web") == "web\nweb"


def test_own_process_tree(client, image):
    assert sh(client, image, "echo $$") == "1"
    heading, process = sh(client, image, "exec ps").splitlines()
    assert heading.split()[:2] == ["PID", "USER"]
    assert process.split()[:2] == ["1", "root"]


def test_every_namespace_is_its_own(client, image, running):
    """Namespaces by their number (namespaces(7)): other than the host's, and other than another container's."""
    for kind in ("pid", "mnt", "uts", "ipc", "net"):
        inside = sh(client, image, f"readlink /proc/self/ns/{kind}")
        assert inside != os.readlink(f"/proc/self/ns/{kind}")
        assert inside != running.exec_run(f"readlink /proc/self/ns/{kind}").output.decode().strip()


def test_pids_outside_are_others(client, running):
    running.reload()
    assert running.attrs["State"]["Pid"] != 1
    assert running.exec_run("kill -0 1").exit_code == 0


# --- environment, user, folder -----------------------------------------------------------------------------------


def test_environment_is_what_was_given_and_nothing_of_the_engine(client, image):
    printed = client.containers.run(image, ["env"], environment={"A": "1"}, remove=True).decode()
    seen = dict(line.split("=", 1) for line in printed.splitlines())
    assert seen.pop("HOSTNAME")
    assert seen.pop("PATH") == "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    assert seen == {"A": "1", "HOME": "/root"}


def test_terminal_sets_term(client, image):
    assert sh(client, image, "echo $TERM", tty=True) == "xterm"


def test_user_by_name_has_its_groups_and_home(client, image):
    seen = sh(client, image, "id -u; id -g; id -G | tr ' ' '\\n' | sort; echo $HOME", user="postgres").split()
    assert seen == ["70", "70", "50", "70", "/home/postgres"]


@pytest.mark.parametrize(("user", "wanted"), [("70", "70 70"), ("1234:5678", "1234 5678"), ("postgres:staff", "70 50")])
def test_user(client, image, user, wanted):
    assert sh(client, image, "echo $(id -u) $(id -g)", user=user) == wanted


def test_an_unknown_user_is_refused(client, image):
    with pytest.raises(docker.errors.APIError, match=r"(?i)unable to find user nobody-here"):
        sh(client, image, "true", user="nobody-here")


def test_folder(client, image):
    assert sh(client, image, "pwd") == "/"
    assert sh(client, image, "pwd", working_dir="/var/opt") == "/var/opt"
    assert sh(client, image, "pwd", working_dir="/made/for/it") == "/made/for/it"


def test_entrypoint_and_arguments(client, image):
    container = client.containers.create(image, ["b", "c"], entrypoint=["echo", "a"])
    container.start()
    container.wait(timeout=20)
    assert container.logs() == b"a b c\n"
    assert (container.attrs["Path"], container.attrs["Args"]) == ("echo", ["a", "b", "c"])


def test_standard_input_is_empty_unless_opened(client, image):
    assert sh(client, image, "cat; echo end") == "end"


# --- privileges --------------------------------------------------------------------------------------------------

DOCKERS_CAPABILITIES = "00000000a80425fb"  # chown, dac_override, fowner, … : the 14 of Docker's default list
NONE = "0000000000000000"


def status_of_self(client, image, **options) -> dict[str, str]:
    text = client.containers.run(image, ["cat", "/proc/self/status"], remove=True, **options).decode()
    return {key: value.strip() for key, value in (line.split(":", 1) for line in text.splitlines())}


def test_capabilities_of_root(client, image):
    status = status_of_self(client, image)
    assert {status[key] for key in ("CapPrm", "CapEff", "CapBnd")} == {DOCKERS_CAPABILITIES}
    assert status["CapAmb"] == NONE
    assert status["CapInh"] in (NONE, DOCKERS_CAPABILITIES)  # Docker before 20.10.14 had them inheritable


def test_capabilities_of_a_user(client, image):
    status = status_of_self(client, image, user="postgres")
    assert {status[key] for key in ("CapPrm", "CapEff", "CapAmb")} == {NONE}
    assert status["CapBnd"] == DOCKERS_CAPABILITIES


def test_capabilities_of_an_exec_are_the_same(running):
    text = running.exec_run("cat /proc/self/status").output.decode()
    assert f"CapEff:\t{DOCKERS_CAPABILITIES}" in text
    assert "Seccomp:\t2" in text


def test_capabilities_added_and_dropped(client, image):
    assert status_of_self(client, image, cap_drop=["ALL"])["CapEff"] == NONE
    assert status_of_self(client, image, cap_drop=["ALL"], cap_add=["CHOWN"])["CapEff"] == f"{1:016x}"
    assert status_of_self(client, image, cap_add=["SYS_TIME"])["CapEff"] == f"{0xA80425FB | 1 << 25:016x}"


def test_seccomp_filters(client, image):
    assert status_of_self(client, image)["Seccomp"] == "2"


def test_no_new_privileges(client, image, engine):
    assert status_of_self(client, image)["NoNewPrivs"] == expected("no new privileges", engine)
    assert status_of_self(client, image, security_opt=["no-new-privileges"])["NoNewPrivs"] == "1"


REFUSED = {  # what root in a container may not do
    "mount": "mount -t tmpfs none /tmp",
    "remount /proc/sys": "mount -o remount,rw /proc/sys",
    "unmount a mask": "umount /proc/kcore",
    "set the clock": "date -s 2001-01-01; test $(date +%Y) = 2001",
    "set the hostname": "hostname other",
    "make a namespace": "unshare -U true",
    "write a kernel setting": "echo 1 > /proc/sys/kernel/panic",
    "write sysrq": "echo h > /proc/sysrq-trigger",
    "write to sysfs": "mkdir /sys/kernel/x",
    "make a cgroup": "cd /sys/fs/cgroup/memory || cd /sys/fs/cgroup; mkdir x",
    "make a disk device and read it": "mknod /tmp/disk b 259 0 && head -c 1 /tmp/disk",
    "read the kernel's memory": "test -s /proc/kcore || false && head -c 1 /proc/kcore | grep -q .",
    "leave by chroot": "chroot /proc/1/root/../../.. test -e /var/lib/docker",
}


@pytest.mark.parametrize("script", REFUSED.values(), ids=REFUSED)
def test_refused(client, image, script):
    assert sh(client, image, f"({script}) > /dev/null 2>&1 && echo done || echo refused") == "refused"


ALLOWED = {
    "change an owner": "chown 70 /etc/motd",
    "bind a low port": "timeout 1 nc -l -p 80 -e true; test $? = 143 -o $? = 124",
    "become a user": "su postgres -c true",
    "change the root": "chroot /var true; test $? = 127",
    "a raw socket": "ping -c 1 -W 1 127.0.0.1",
}


@pytest.mark.parametrize("script", ALLOWED.values(), ids=ALLOWED)
def test_allowed(client, image, script):
    """The positive control: a container in which nothing works would pass every test above."""
    assert sh(client, image, f"({script}) > /tmp/said 2>&1 && echo done || cat /tmp/said") == "done"


# --- files -------------------------------------------------------------------------------------------------------

MASKED_FILES = ["/proc/kcore", "/proc/keys", "/proc/timer_list"]
MASKED_FOLDERS = ["/proc/acpi", "/proc/scsi", "/sys/firmware"]
READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/sys"]


@pytest.mark.parametrize("path", MASKED_FILES)
def test_masked_file_is_empty(client, image, path):
    assert sh(client, image, f"test -e {path} && wc -c < {path} || echo 0") == "0"


@pytest.mark.parametrize("path", MASKED_FOLDERS)
def test_masked_folder_is_empty(client, image, path):
    assert sh(client, image, f"test -e {path} && ls {path}; true") == ""


@pytest.mark.parametrize("path", READ_ONLY)
def test_read_only(client, image, path):
    """As the mount table says: the mount that the path lies in begins with `ro`."""
    mounts = mount_table(client, image)
    inner = max((place for place in mounts if path == place or path.startswith(f"{place}/") or place == "/"), key=len)
    if sh(client, image, f"test -e {path} && echo there || true"):
        assert "ro" in mounts[inner].split(",")


def test_cgroups_are_read_only(client, image):
    rows = [line.split() for line in sh(client, image, "cat /proc/self/mountinfo").splitlines()]
    cgroups = [row for row in rows if row[row.index("-") + 1] in ("cgroup", "cgroup2")]
    assert all("ro" in row[5].split(",") for row in cgroups)


def mount_table(client, image) -> dict[str, str]:
    """{mount point: options} of mountinfo (proc_pid_mountinfo(5)) in a fresh container."""
    rows = [line.split() for line in sh(client, image, "cat /proc/self/mountinfo").splitlines()]
    return {row[4]: row[5] for row in rows}


def test_no_mount_of_the_host_is_seen(client, image):
    """Roots of mounts are `/`, or the three files and few folders that the engine lends."""
    allowed = re.compile(r"/|/proc|/proc/.*|/dev|/dev/.*|/sys|/sys/.*|/etc/(hosts|hostname|resolv\.conf)")
    assert [place for place in mount_table(client, image) if not allowed.fullmatch(place)] == []


def test_mounts_do_not_propagate(client, image):
    assert "shared:" not in sh(client, image, "cat /proc/self/mountinfo")


USUAL_DEVICES = set(
    "null zero full random urandom tty ptmx pts shm mqueue fd stdin stdout stderr".split()
)  # console only with a terminal


def test_devices(client, image):
    """Few, and the usual ones."""
    seen = set(sh(client, image, "ls /dev").split())
    assert USUAL_DEVICES <= seen <= USUAL_DEVICES | {"console", "core"}
    assert (
        sh(client, image, "echo x > /dev/null; head -c 4 /dev/zero | wc -c; head -c 4 /dev/urandom | wc -c") == "4\n4"
    )


def test_hosts_names_the_container(client, running):
    text = running.exec_run("cat /etc/hosts").output.decode()
    assert re.search(r"^127\.0\.0\.1\s+localhost", text, re.M)
    assert re.search(rf"^\d+\.\d+\.\d+\.\d+\s+{running.id[:12]}$", text, re.M)


def test_resolv_conf_is_there(running):
    assert running.exec_run("test -e /etc/resolv.conf").exit_code == 0


def test_no_open_file_is_inherited(client, image):
    assert sh(client, image, "exec ls /proc/self/fd").split() == ["0", "1", "2", "3"]  # 3 is the folder that ls reads


def test_root_is_where_dot_dot_ends(client, image):
    assert sh(client, image, "cd ../../../..; pwd; stat -c %i / /..").split()[0] == "/"
    assert len(set(sh(client, image, "stat -c %d:%i / /.. /../..").split())) == 1


def test_the_processes_of_another_container(client, image, running):
    """It has a main process of its own, which is not number 1; when number 1 ends, so does all in that namespace."""
    beside = client.containers.run(image, ["sleep", "601"], pid_mode=f"container:{running.id}", detach=True)
    listed = beside.exec_run(["ps", "-o", "pid,args"]).output.decode().splitlines()[1:]
    assert [line.split()[1:] for line in listed[:2]] == [["sleep", "600"], ["sleep", "601"]]
    assert listed[0].split()[0] == "1"
    assert sh(client, image, "echo $$") == "1", "the engine goes on making namespaces of their own"
    running.kill()
    assert beside.wait(timeout=20)["StatusCode"] == 137


# --- network -----------------------------------------------------------------------------------------------------


def test_network_interfaces(client, image):
    seen = sh(client, image, "ls /sys/class/net").split()
    assert {"eth0", "lo"} <= set(seen)


def test_two_containers_reach_each_other(client, image):
    server = client.containers.run(image, ["nc", "-l", "-p", "80", "-e", "echo", "hello"], detach=True)
    server.reload()
    address = server.attrs["NetworkSettings"]["IPAddress"]
    assert re.fullmatch(r"\d+\.\d+\.\d+\.\d+", address)
    assert (
        sh(
            client,
            image,
            f"i=0; until nc -w 2 {address} 80 < /dev/null; do i=$((i+1)); [ $i -lt 20 ] || exit 1; sleep 0.1; done",
        )
        == "hello"
    )


def test_without_a_network(client, image):
    assert "eth0" not in sh(client, image, "ls /sys/class/net", network_mode="none").split()
