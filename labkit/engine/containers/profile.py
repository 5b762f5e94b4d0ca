"""What a container may do unless it is told otherwise: Docker's defaults, as data.

Four fences: capabilities (which powers of root it keeps), paths under /proc and /sys (which are hidden or
read-only), devices (which it may open) and seccomp (which system calls it may make).

Source: Docker Engine (github.com/moby/moby, May 2026): profiles/seccomp/default.json, oci/caps/defaults.go and
oci/defaults.go. Left out: system calls of architectures that we don't run on, and calls of 32-bit programs, which
our filter kills.
"""

import platform
from collections.abc import Collection, Iterable
from typing import Any

from labkit.runtime import capabilities as kernel

# --- capabilities -----------------------------------------------------------------------------------------------

# The 14 of Docker: enough for a package manager or a daemon's start as root, nothing that reaches the host.
DEFAULT_CAPABILITIES = (
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER",  # files of any owner
    "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_SETFCAP",  # become another user, give up powers
    "CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW",  # signals, ports below 1024, ping
    "CAP_MKNOD", "CAP_SYS_CHROOT", "CAP_AUDIT_WRITE",  # device nodes (see DEVICE_RULES), chroot, login logs
)  # fmt: skip


def capabilities(cap_add: Iterable[str] = (), cap_drop: Iterable[str] = (), privileged: bool = False) -> frozenset[str]:
    """The capabilities of a container from `--cap-add`, `--cap-drop` and `--privileged`, as CAP_* names.

    Names come with or without CAP_, in any case; ALL means all of them. What is both added and dropped is kept.
    Raises ValueError for an unknown name. Source: Docker API, HostConfig CapAdd, CapDrop; moby oci/caps/utils.go.
    """
    if privileged:
        return frozenset(kernel.NAMES)
    add, drop = _normal("CapAdd", cap_add), _normal("CapDrop", cap_drop)
    if "ALL" in add:
        return frozenset(kernel.NAMES) - drop
    kept = frozenset() if "ALL" in drop else frozenset(DEFAULT_CAPABILITIES) - drop
    return kept | add


def _normal(field: str, names: Iterable[str]) -> frozenset[str]:
    normal = frozenset(_full_name(name) for name in names)
    try:
        kernel.mask(normal - {"ALL"})
    except ValueError as error:
        raise ValueError(f"invalid {field}: {error}") from error
    return normal


def _full_name(name: str) -> str:
    upper = name.upper().removeprefix("CAP_")
    return "ALL" if upper == "ALL" else f"CAP_{upper}"


# --- paths ------------------------------------------------------------------------------------------------------

# Hidden: they tell about the host, not the container, or let it be harmed. A file is covered with /dev/null,
# a folder with an empty one.
MASKED_PATHS = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",  # timing of other people's keys and packets
    "/proc/kcore",  # all of the memory
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",  # power drawn, from which keys have been guessed (CVE-2020-8694)
    "/sys/firmware",
)


def masked_paths(cpus: int) -> tuple[str, ...]:
    """MASKED_PATHS, and each processor's heat counters, which tell how busy the neighbours are."""
    return MASKED_PATHS + tuple(f"/sys/devices/system/cpu/cpu{n}/thermal_throttle" for n in range(cpus))


# Readable, but writing would change the one kernel that all containers and the host share.
READONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")

# --- devices: OCI linux.resources.devices; a later rule wins -----------------------------------------------------


def _device(kind: str, major: int | None, minor: int | None, access: str = "rwm", allow: bool = True) -> dict[str, Any]:
    rule = {"allow": allow, "type": kind, "major": major, "minor": minor, "access": access}
    return {key: value for key, value in rule.items() if value is not None}


# r, w: open for reading, writing; m: mknod. Numbers: Documentation/admin-guide/devices.txt of the kernel.
DEVICE_RULES = (
    _device("a", None, None, allow=False),
    _device("c", None, None, "m"),  # a node may be made: what it is for is decided when it is opened
    _device("b", None, None, "m"),
    _device("c", 1, 3),  # /dev/null
    _device("c", 1, 5),  # /dev/zero
    _device("c", 1, 7),  # /dev/full
    _device("c", 1, 8),  # /dev/random
    _device("c", 1, 9),  # /dev/urandom
    _device("c", 5, 0),  # /dev/tty
    _device("c", 5, 1),  # /dev/console
    _device("c", 5, 2),  # /dev/ptmx
    _device("c", 136, None),  # /dev/pts/*
)

# --- seccomp ----------------------------------------------------------------------------------------------------

# Allowed to everybody, by what the calls are about. What is missing is the point of the list: mount, unshare,
# setns, pivot_root, swapon, reboot, kexec_load, keyctl, bpf, userfaultfd, io_uring_setup, init_module ...
ALWAYS = {
    "files": """
        access chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fadvise64
        fallocate fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync flock fstat fstatfs fsync ftruncate
        futimesat ioctl lchown link linkat lseek lstat mkdir mkdirat mknod mknodat newfstatat open openat openat2
        read readahead readlink readlinkat readv pread64 preadv preadv2 write writev pwrite64 pwritev pwritev2
        rename renameat renameat2 rmdir sendfile splice stat statfs statx symlink symlinkat sync sync_file_range
        syncfs tee truncate umask unlink unlinkat utime utimensat utimes vmsplice name_to_handle_at""",
    "extended attributes of files": """
        fgetxattr flistxattr fremovexattr fsetxattr getxattr getxattrat lgetxattr listxattr listxattrat llistxattr
        lremovexattr lsetxattr removexattr removexattrat setxattr setxattrat""",
    "folders, and looking at mounts": "chdir fchdir getcwd getdents getdents64 listmount statmount",
    "waiting for events": """
        epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old
        eventfd eventfd2 fanotify_mark inotify_add_watch inotify_init inotify_init1 inotify_rm_watch poll ppoll
        pselect6 select signalfd signalfd4""",
    "many reads and writes at once": "io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit",
    "memory": """
        brk cachestat madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall
        mmap mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect
        remap_file_pages""",
    "processes and threads": """
        execve execveat exit exit_group fork vfork wait4 waitid getpgid getpgrp getpid getppid getsid gettid setpgid
        setsid pidfd_open process_mrelease futex futex_requeue futex_wait futex_waitv futex_wake
        get_robust_list set_robust_list get_thread_area set_thread_area set_tid_address restart_syscall rseq""",
    "looking into one's own processes, as debuggers do; safe since Linux 4.8": """
        process_vm_readv process_vm_writev ptrace uretprobe""",
    "scheduling and limits": """
        getcpu getpriority setpriority getrlimit setrlimit prlimit64 getrusage ioprio_get ioprio_set
        sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam
        sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam sched_setscheduler
        sched_yield""",
    "signals": """
        kill pause pidfd_send_signal rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn
        rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sigaltstack tgkill tkill""",
    "time (to set it takes a capability too)": """
        adjtimex alarm clock_adjtime clock_getres clock_gettime clock_nanosleep getitimer gettimeofday nanosleep
        setitimer time timer_create timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create
        timerfd_gettime timerfd_settime times""",
    "users and capabilities": """
        capget capset getegid geteuid getgid getgroups getresgid getresuid getuid setfsgid setfsuid setgid setgroups
        setregid setresgid setresuid setreuid setuid""",
    "sockets and pipes (socket itself: see below)": """
        accept accept4 bind connect getpeername getsockname getsockopt listen pipe pipe2 recvfrom recvmmsg recvmsg
        sendmmsg sendmsg sendto setsockopt shutdown socketpair""",
    "System V and POSIX messages, semaphores, shared memory": """
        mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink msgctl msgget msgrcv msgsnd semctl
        semget semop semtimedop shmat shmctl shmdt shmget""",
    "fences that a process puts round itself": """
        landlock_add_rule landlock_create_ruleset landlock_restrict_self prctl seccomp""",
    "facts about the system": "getrandom sysinfo uname",
}  # fmt: skip

# Allowed only on one architecture.
ON_MACHINE = {"x86_64": "arch_prctl modify_ldt"}  # thread pointers, segments of old programs

# Allowed to a container that has been given the capability without which the kernel would refuse them anyway.
WITH_CAPABILITY = {
    "CAP_DAC_READ_SEARCH": "open_by_handle_at",
    "CAP_SYS_ADMIN": """
        bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr
        lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl
        quotactl_fd setdomainname sethostname setns syslog umount2 unshare""",
    "CAP_SYS_BOOT": "reboot",
    "CAP_SYS_CHROOT": "chroot",
    "CAP_SYS_MODULE": "delete_module finit_module init_module",
    "CAP_SYS_PACCT": "acct",
    "CAP_SYS_PTRACE": "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace",
    "CAP_SYS_RAWIO": "ioperm iopl",
    "CAP_SYS_TIME": "clock_settime settimeofday",
    "CAP_SYS_TTY_CONFIG": "vhangup",
    "CAP_SYS_NICE": "get_mempolicy mbind set_mempolicy set_mempolicy_home_node",
    "CAP_SYSLOG": "syslog",
    "CAP_BPF": "bpf",
    "CAP_PERFMON": "perf_event_open",
}  # fmt: skip

# Families of sockets refused: AF_ALG (38) and AF_VSOCK (40) lead to code in the host that no namespace holds.
SOCKET_FAMILIES = (("LT", 38), ("EQ", 39), ("GT", 40))

# Execution domains allowed: Linux, 32-bit Linux, each without address randomization too, and "tell me mine".
PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)

# All CLONE_NEW* flags but CLONE_NEWTIME, whose bit clone(2) uses for the exit signal: a process, no namespaces.
NAMESPACE_FLAGS = 0x7E020000

ENOSYS = 38


def default_seccomp(capabilities: Collection[str], machine: str = platform.machine()) -> dict[str, Any]:
    """Docker's default seccomp profile for a container with these capabilities, as OCI `linux.seccomp`.

    What isn't allowed fails with EPERM. Source: moby profiles/seccomp/default.json; OCI config-linux.md, Seccomp.
    """
    syscalls = [_allow(names) for names in ALWAYS.values()]
    syscalls += [_allow("socket", _compare(operator, family)) for operator, family in SOCKET_FAMILIES]
    syscalls += [_allow("personality", _compare("EQ", value)) for value in PERSONALITIES]
    syscalls += [_allow(names) for where, names in ON_MACHINE.items() if where == machine]
    syscalls += [_allow(names) for name, names in WITH_CAPABILITY.items() if name in capabilities]
    if "CAP_SYS_ADMIN" not in capabilities:
        syscalls += _processes_without_namespaces()
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 1,  # EPERM
        "architectures": [f"SCMP_ARCH_{machine.upper()}"],
        "syscalls": syscalls,
    }


def _processes_without_namespaces() -> list[dict[str, Any]]:
    """clone with no CLONE_NEW* flag. clone3 keeps its flags in memory, where a filter can't look: ENOSYS, so that
    the C library goes back to clone."""
    without = {"index": 0, "value": NAMESPACE_FLAGS, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}
    return [_allow("clone", without), {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": ENOSYS}]


def _allow(names: str, *args: dict[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = {"names": names.split(), "action": "SCMP_ACT_ALLOW"}
    return {**entry, "args": list(args)} if args else entry


def _compare(operator: str, value: int) -> dict[str, Any]:
    return {"index": 0, "value": value, "op": f"SCMP_CMP_{operator}"}
