"""A1 to A3: what root in a container may do, and that nobody becomes more than they are."""

import errno

import pytest

from tests.contract import test_isolation as isolation
from tests.contract.helpers import tar_of
from tests.security.machine_code import program, results

# --- A1 ----------------------------------------------------------------------------------------------------------


@pytest.mark.attack("A1")
def test_a1_root_has_dockers_fourteen_capabilities(client, image):
    isolation.test_capabilities_of_root(client, image)


@pytest.mark.attack("A1")
@pytest.mark.parametrize("user", ["1234", "postgres"])
def test_a1_a_user_has_none(client, image, user):
    status = isolation.status_of_self(client, image, user=user)
    assert {status[key] for key in ("CapPrm", "CapEff", "CapAmb")} == {isolation.NONE}
    assert status["Uid"].split()[0] != "0", "the control: it ran, as somebody else"


@pytest.mark.attack("A1")
def test_a1_an_exec_has_no_more(client, image):
    container = client.containers.run(image, ["sleep", "600"], detach=True)
    isolation.test_capabilities_of_an_exec_are_the_same(container)


# --- A2 ----------------------------------------------------------------------------------------------------------

CLONE_NEWUSER, SIGCHLD, X32 = 0x10000000, 17, 0x40000000
GETPID, PERSONALITY, SOCKET = 39, 135, 41
CALLS = {  # x86-64 numbers: what is tried, and the errors that count as a refusal
    "unshare": ((272, CLONE_NEWUSER), {errno.EPERM}),
    "mount": ((165, 0, 0, 0, 0, 0), {errno.EPERM}),
    "keyctl": ((250, 0), {errno.EPERM}),
    "bpf": ((321, 0, 0, 0), {errno.EPERM}),
    "clone NEWUSER": ((56, CLONE_NEWUSER | SIGCHLD), {errno.EPERM}),
    "clone3": ((435, 0, 0), {errno.ENOSYS}),
    "AF_ALG": ((SOCKET, 38, 5, 0), {errno.EPERM}),
    "AF_VSOCK": ((SOCKET, 40, 1, 0), {errno.EPERM}),
    "personality": ((PERSONALITY, 0x0040000), {errno.EPERM}),
    "x32": ((X32 | GETPID,), {errno.EPERM, errno.ENOSYS}),
    "unknown number": ((9999,), {errno.EPERM, errno.ENOSYS}),
    "open_tree": ((428, 0, 0, 0), {errno.EPERM, errno.ENOSYS}),
    "userfaultfd": ((323, 0), {errno.EPERM}),
    "io_uring_setup": ((425, 1, 0), {errno.EPERM, errno.ENOSYS}),
}
SINCE_2023 = "dockerd 20.10's profile still allows it; its newer ones and ours don't"
OLD_PROFILE = {"AF_ALG", "AF_VSOCK", "io_uring_setup"}


def made_in(client, image, calls, **options) -> list[int]:
    """Run a program of ours in a container; what its calls returned. `od` prints the bytes: a log holds text only."""
    container = client.containers.create(image, ["sh", "-c", "/tmp/calls | od -An -v -tx1"], **options)
    container.put_archive("/tmp", tar_of({"calls": program(*calls)}, mode=0o4755))
    container.start()
    container.wait(timeout=20)
    return results(bytes.fromhex(container.logs(stdout=True, stderr=False).decode()))


@pytest.mark.attack("A2")
@pytest.mark.parametrize("name", CALLS)
def test_a2_a_call_is_refused(client, image, name, weaker):
    if name in OLD_PROFILE:
        weaker("dockerd", SINCE_2023)
    call, refusals = CALLS[name]
    pid, result = made_in(client, image, [(GETPID,), call])
    assert pid > 0, "the control: the program runs, and its other calls are answered"
    assert -result in refusals


@pytest.mark.attack("A2")
def test_a2_the_filter_is_what_refuses(client, image):
    """Without the filter the same calls come to the kernel, which knows them and only dislikes their arguments."""
    clone3, personality = (CALLS[name][0] for name in ("clone3", "personality"))
    found = made_in(client, image, [clone3, personality], security_opt=["seccomp=unconfined"])
    assert found[0] == -errno.EINVAL and found[1] >= 0


# --- A3 ----------------------------------------------------------------------------------------------------------

GETUID, GETEUID = 102, 107


def ids_of_a_setuid_program(client, image, **options) -> list[int]:
    return made_in(client, image, [(GETUID,), (GETEUID,)], user="1234", **options)


@pytest.mark.attack("A3")
def test_a3_no_new_privileges_holds(client, image):
    assert ids_of_a_setuid_program(client, image, security_opt=["no-new-privileges"]) == [1234, 1234]


@pytest.mark.attack("A3")
def test_a3_and_ours_has_it_by_default(client, image, weaker):
    weaker("dockerd", "Docker leaves setuid programs their power unless asked")
    assert ids_of_a_setuid_program(client, image) == [1234, 1234]


@pytest.mark.attack("A3")
def test_a3_the_program_is_a_setuid_one(client, image):
    """The control: where it is allowed, the same file makes root of a user."""
    assert ids_of_a_setuid_program(client, image, security_opt=["no-new-privileges=false"]) == [1234, 0]
