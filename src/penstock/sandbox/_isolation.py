"""Isolation of a Linux process by Landlock and seccomp: no network, no writes outside of a room.

Both are kernel interfaces for processes without privileges, and hold for the process and all that
the process starts until it ends. Landlock decides about files; seccomp refuses system calls:
sockets, other processes, changes of owners, modes and times of files, which Landlock does not
cover.
"""

import ctypes
import errno
import os
import platform
import socket
import struct
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from penstock.core import PenstockError


class IsolationError(PenstockError):
    """A process cannot be isolated on this machine."""


# Numbers of the system calls of <linux/landlock.h>, the same on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_GET_VERSION = 1
_RULE_PATH = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_TRUNCATE = 1 << 14
_OF_A_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | (1 << 15)
# Rights to files by version of Landlock: REFER came with 2, TRUNCATE with 3, IOCTL_DEV with 5.
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_NET_RIGHTS = 3  # bind and connect by TCP, from version 4
_SCOPES = 3  # abstract unix sockets and signals, from version 6
_WITH_NET, _WITH_SCOPES = 4, 6
_READABLE = _EXECUTE | _READ_FILE | _READ_DIR

_NO_NEW_PRIVS, _SET_SECCOMP, _SECCOMP_FILTER = 38, 22, 2
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_KILL = 0x80000000
_LOAD, _EQUAL, _AT_LEAST, _AND, _RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_CLONE_THREAD = 0x00010000
_O_TRUNC, _O_ACCMODE = 0o1000, 0o3
_OTHER_ABI = 0x40000000  # x32's calls on x86-64

_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CALLS: dict[str, dict[str, int]] = {
    "x86_64": {
        "socket": 41, "fork": 57, "vfork": 58, "execve": 59, "execveat": 322, "ptrace": 101,
        "process_vm_readv": 310, "process_vm_writev": 311, "tkill": 200, "pidfd_open": 434,
        "pidfd_send_signal": 424, "pidfd_getfd": 438, "io_uring_setup": 425, "bpf": 321,
        "perf_event_open": 298, "userfaultfd": 323, "mount": 165, "umount2": 166, "pivot_root": 155,
        "chroot": 161, "setns": 308, "unshare": 272, "open_tree": 428, "move_mount": 429,
        "fsopen": 430, "fsconfig": 431, "fsmount": 432, "mount_setattr": 442, "keyctl": 250,
        "add_key": 248, "request_key": 249, "open_by_handle_at": 304, "init_module": 175,
        "finit_module": 313, "kexec_load": 246, "reboot": 169, "shmget": 29, "shmat": 30,
        "msgget": 68, "semget": 64, "mq_open": 240, "prlimit64": 302, "setpriority": 141,
        "sched_setaffinity": 203, "chmod": 90, "fchmod": 91, "fchmodat": 268, "fchmodat2": 452,
        "chown": 92, "fchown": 93, "lchown": 94, "fchownat": 260, "utime": 132, "utimes": 235,
        "futimesat": 261, "utimensat": 280, "setxattr": 188, "lsetxattr": 189, "fsetxattr": 190,
        "removexattr": 197, "lremovexattr": 198, "fremovexattr": 199, "truncate": 76,
    },
    "aarch64": {
        "socket": 198, "execve": 221, "execveat": 281, "ptrace": 117, "process_vm_readv": 270,
        "process_vm_writev": 271, "tkill": 130, "pidfd_open": 434, "pidfd_send_signal": 424,
        "pidfd_getfd": 438, "io_uring_setup": 425, "bpf": 280, "perf_event_open": 241,
        "userfaultfd": 282, "mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51,
        "setns": 268, "unshare": 97, "open_tree": 428, "move_mount": 429, "fsopen": 430,
        "fsconfig": 431, "fsmount": 432, "mount_setattr": 442, "keyctl": 219, "add_key": 217,
        "request_key": 218, "open_by_handle_at": 265, "init_module": 105, "finit_module": 273,
        "kexec_load": 104, "reboot": 142, "shmget": 194, "shmat": 196, "msgget": 186, "semget": 190,
        "mq_open": 180, "prlimit64": 261, "setpriority": 140, "sched_setaffinity": 122,
        "fchmod": 52, "fchmodat": 53, "fchmodat2": 452, "fchown": 55, "fchownat": 54,
        "utimensat": 88, "setxattr": 5, "lsetxattr": 6, "fsetxattr": 7, "removexattr": 14,
        "lremovexattr": 15, "fremovexattr": 16, "truncate": 45,
    },
}  # fmt: skip
# Calls that are refused as if the kernel did not have them: libraries then take the older call.
_UNKNOWN = {"x86_64": (435, 437), "aarch64": (435, 437)}  # clone3, openat2: flags lie in memory
_CLONE = {"x86_64": 56, "aarch64": 220}
# A call and the place of its flags.
_OPENS = {"x86_64": ((2, 1), (257, 2)), "aarch64": ((56, 2),)}
_SIGNALS = {"x86_64": (62, 234, 129, 297), "aarch64": (129, 131, 138, 240)}  # kill, tgkill, queues


def why_no_isolation() -> str | None:
    """Return why this machine cannot isolate a process; None if possible.

    >>> why_no_isolation() is None or isinstance(why_no_isolation(), str)
    True
    """
    if sys.platform != "linux":
        return f"it needs Linux, and this is {platform.system()}"
    if platform.machine() not in _CALLS or struct.calcsize("P") != 8:  # noqa: PLR2004 - 64 bit
        return f"it is not known how to on {platform.machine()}"
    if _landlock_version() < 1:
        return "its kernel has no Landlock, or has it switched off"
    status = Path("/proc/self/status")
    with suppress(OSError):
        if "Seccomp:" not in status.read_text(encoding="utf-8"):
            return "its kernel has no seccomp"
    return None


def isolate(room: Path | None, readable: Iterable[Path] | None = None) -> None:
    """Isolate this process for the rest of the process; call this while there is a single thread.

    Afterwards there is no network, no new process, no signal to others, and no change of a file
    outside of the room. Open files stay open.

    Args:
        room: The folder that may be written; None for none.
        readable: The only files and folders that may be read beside the room; None for all.

    Raises:
        IsolationError: If the kernel cannot isolate, or a test shows that the isolation failed.
    """
    reason = why_no_isolation()
    if reason is not None:
        raise _impossible(reason)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise _impossible(f"no_new_privs is refused ({_last_error()})")
    _restrict_files(libc, room, readable)
    _restrict_calls(libc)
    _require_isolated(room)


def _restrict_files(libc: ctypes.CDLL, room: Path | None, readable: Iterable[Path] | None) -> None:
    version = _landlock_version()
    handled = _FILE_RIGHTS[max(each for each in _FILE_RIGHTS if each <= version)]
    net = _NET_RIGHTS if version >= _WITH_NET else 0
    scopes = _SCOPES if version >= _WITH_SCOPES else 0
    # The structure has grown: its size says which fields there are.
    size = 24 if scopes else 16 if net else 8
    attributes = struct.pack("=QQQ", handled, net, scopes)[:size]
    ruleset = libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(size), 0)
    if ruleset < 0:
        raise _impossible(f"Landlock refuses its rules ({_last_error()})")
    try:
        _allow(libc, ruleset, Path("/dev/null"), (_READ_FILE | _WRITE_FILE | _TRUNCATE) & handled)
        if room is not None:
            _allow(libc, ruleset, room, handled)
        for path in (Path("/"),) if readable is None else readable:
            _allow(libc, ruleset, path, _READABLE & handled)
        if libc.syscall(_RESTRICT_SELF, ruleset, 0):
            raise _impossible(f"Landlock refuses to restrict the process ({_last_error()})")
    finally:
        os.close(ruleset)


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no right
    try:
        if not os.path.isdir(path):  # noqa: PTH112 - of what was opened, as it is
            rights &= _OF_A_FILE
        rule = struct.pack("=Qi", rights, place)
        if libc.syscall(_ADD_RULE, ruleset, _RULE_PATH, rule, 0):
            raise _impossible(f"Landlock refuses a rule for {path} ({_last_error()})")
    finally:
        os.close(place)


def _restrict_calls(libc: ctypes.CDLL) -> None:
    program = _program(platform.machine(), os.getpid())
    code = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: the number of instructions, and where they are.
    pointer = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    if libc.prctl(_SET_SECCOMP, _SECCOMP_FILTER, pointer, 0, 0):
        raise _impossible(f"seccomp refuses the filter ({_last_error()})")


def _program(machine: str, process: int) -> bytes:
    """Assemble the filter: classic BPF, jumps are counted from the next instruction."""
    refuse = _ERRNO | errno.EPERM
    lines = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, _AUDIT[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if machine == "x86_64":
        lines += [(_AT_LEAST, 0, 1, _OTHER_ABI), (_RETURN, 0, 0, refuse)]
    for number in sorted(_CALLS[machine].values()):
        lines += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, refuse)]
    for number in _UNKNOWN[machine]:
        lines += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
    lines += [  # a thread may be made, a process may not
        (_EQUAL, 0, 4, _CLONE[machine]),
        (_LOAD, 0, 0, _ARGUMENTS),
        (_AND, 0, 0, _CLONE_THREAD),
        (_EQUAL, 0, 1, _CLONE_THREAD),
        (_RETURN, 0, 0, _ALLOW),
        (_LOAD, 0, 0, _NUMBER),
        (_EQUAL, 0, 1, _CLONE[machine]),
        (_RETURN, 0, 0, refuse),
    ]
    for number in _SIGNALS[machine]:  # to itself, as abort does
        lines += [
            (_EQUAL, 0, 4, number),
            (_LOAD, 0, 0, _ARGUMENTS),
            (_EQUAL, 0, 1, process),
            (_RETURN, 0, 0, _ALLOW),
            (_RETURN, 0, 0, refuse),
        ]
    for number, place in _OPENS[machine]:  # emptying a file that is opened for reading
        lines += [
            (_EQUAL, 0, 5, number),
            (_LOAD, 0, 0, _ARGUMENTS + 8 * place),
            (_AND, 0, 0, _O_TRUNC | _O_ACCMODE),
            (_EQUAL, 0, 1, _O_TRUNC),
            (_RETURN, 0, 0, refuse),
            (_RETURN, 0, 0, _ALLOW),
        ]
    lines.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


def _require_isolated(room: Path | None) -> None:
    """Try operations that must fail now."""
    with suppress(OSError):
        socket.socket().close()
        raise _impossible("a socket could be opened")
    shared = ["/", "/dev/shm"]  # noqa: S108 - it must not be writable
    for folder in shared if room is None else [*shared, str(room.parent)]:
        with suppress(OSError):
            os.close(os.open(folder, os.O_TMPFILE | os.O_WRONLY))
            raise _impossible(f"a file could be written in {folder}")
    with suppress(OSError):
        file = os.memfd_create("penstock")
        os.fchmod(file, 0o600)
        raise _impossible("the mode of a file could be changed")


def _landlock_version() -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    return int(libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _GET_VERSION))


def _last_error() -> str:
    return os.strerror(ctypes.get_errno())


def _impossible(reason: str) -> IsolationError:
    return IsolationError(
        what=f"A process cannot be isolated on this machine: {reason}.",
        why="Without isolation, code in a pickle could use the network and write files.",
        fix="Use Linux 5.13 or newer with Landlock and seccomp, or a model in a safe format.",
    )
