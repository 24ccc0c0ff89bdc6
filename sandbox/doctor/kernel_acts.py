"""Forbidden acts that need a raw system call.

Numbers: the syscall tables of x86_64 and of asm-generic (aarch64). Where a success would change the
host (mount, reboot) the arguments make no sense on purpose: an act has worked there when the kernel
finds fault with the arguments instead of the caller.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import struct

from sandbox.doctor.targets import ForbiddenAct, Targets
from sandbox.process import clocks, kernel

_X86_64 = {
    "mmap": 9, "mprotect": 10, "getpid": 39, "ptrace": 101, "mount": 165, "reboot": 169,
    "add_key": 248, "keyctl": 250, "inotify_init1": 294, "perf_event_open": 298,
    "process_vm_readv": 310, "seccomp": 317, "memfd_create": 319, "bpf": 321,
    "userfaultfd": 323, "io_uring_setup": 425, "pidfd_open": 434, "fsopen": 430,
    "clock_gettime": 228, "getrandom": 318,
}  # fmt: skip
_AARCH64 = {
    "mmap": 222, "mprotect": 226, "getpid": 172, "ptrace": 117, "mount": 40, "reboot": 142,
    "add_key": 217, "keyctl": 219, "inotify_init1": 26, "perf_event_open": 241,
    "process_vm_readv": 270, "seccomp": 277, "memfd_create": 279, "bpf": 280,
    "userfaultfd": 282, "io_uring_setup": 425, "pidfd_open": 434, "fsopen": 430,
    "clock_gettime": 113, "getrandom": 278,
}  # fmt: skip
_NUMBERS = {"x86_64": _X86_64, "aarch64": _AARCH64}.get(kernel.machine(), {})
_X32_BIT = 0x40000000
_PTRACE_SEIZE = 0x4206
_OWN_KEYRING = -2
_ALL_RIGHTS, _READ_WRITE, _READ_EXECUTE = 7, 3, 5
_PRIVATE_ANONYMOUS = 0x22
# mov eax, 20 (getpid of i386); int 0x80; ret
_I386_GETPID = b"\xb8\x14\x00\x00\x00\xcd\x80\xc3"


def _call(name: str, *args: int | bytes | None) -> int:
    number = _NUMBERS.get(name)
    if number is None:
        raise OSError(errno.ENOSYS, "no number is known")
    return kernel.syscall(number, *args)


def _reaches(name: str, *args: int | bytes | None) -> None:
    try:
        _call(name, *args)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENODEV, errno.ENOENT}:
            raise


def _read_sibling(targets: Targets) -> None:
    here = ctypes.create_string_buffer(16)
    local = struct.pack("PN", ctypes.addressof(here), 7)
    remote = struct.pack("PN", targets.sibling_address, 7)
    _call("process_vm_readv", targets.sibling, local, 1, remote, 1, 0)
    if here.raw[:7] != b"sibling":
        raise OSError(0, "something else was there")


def _map(protection: int) -> int:
    return _call("mmap", 0, mmap.PAGESIZE, protection, _PRIVATE_ANONYMOUS, -1, 0)


def _make_executable(_: Targets) -> None:
    _call("mprotect", _map(_READ_WRITE), mmap.PAGESIZE, _READ_EXECUTE)


def _perf(_: Targets) -> None:
    # A software clock of this process, user side only: what ordinary users are most often allowed.
    attributes = struct.pack("<IIQ", 1, 128, 0) + bytes(24) + struct.pack("<Q", 0b1100001)
    _call("perf_event_open", attributes.ljust(128, b"\0"), 0, -1, -1, 0)


def _bpf_map(_: Targets) -> None:
    _call("bpf", 0, struct.pack("<IIII", 2, 4, 4, 1).ljust(72, b"\0"), 72)


def _io_uring(_: Targets) -> None:
    room = ctypes.create_string_buffer(120)
    _call("io_uring_setup", 1, ctypes.addressof(room))


def _x32(_: Targets) -> None:
    if kernel.machine() != "x86_64":
        raise OSError(errno.ENOSYS, "no such numbers here")
    kernel.syscall(_X32_BIT + _X86_64["getpid"])


def _prepare_i386() -> ctypes._CFunctionType:
    if kernel.machine() != "x86_64":
        raise OSError(errno.ENOSYS, "no such calls here")
    # Mapped before any wall is up: it stands for code that a bot has somehow come by.
    page = _map(_ALL_RIGHTS)
    ctypes.memmove(page, _I386_GETPID, len(_I386_GETPID))
    return ctypes.CFUNCTYPE(ctypes.c_int)(page)


def _query_personality(_: Targets) -> None:
    if kernel.personality(0xFFFFFFFF) < 0:
        raise OSError(ctypes.get_errno(), "refused")


def _ask_time(_: Targets) -> None:
    room = ctypes.create_string_buffer(16)
    _call("clock_gettime", 0, ctypes.addressof(room))


def _read_time(_: Targets) -> None:
    if clocks.stopped():
        raise OSError(errno.EPERM, "no time is told")


def _ask_chance(_: Targets) -> None:
    room = ctypes.create_string_buffer(16)
    _call("getrandom", ctypes.addressof(room), 16, 0)


ACTS = (
    ForbiddenAct("ask the kernel for the time", _ask_time),
    ForbiddenAct("read the time without asking", _read_time, layer="clocks"),
    ForbiddenAct("ask the kernel for chance", _ask_chance),
    ForbiddenAct("trace a sibling", lambda targets: _call("ptrace", _PTRACE_SEIZE, targets.sibling, 0, 0)),
    ForbiddenAct("read a sibling's memory", _read_sibling),
    ForbiddenAct("open a handle on a sibling", lambda targets: _call("pidfd_open", targets.sibling, 0)),
    ForbiddenAct("map writable code", lambda _: _map(_ALL_RIGHTS)),
    ForbiddenAct("make memory executable", _make_executable),
    ForbiddenAct("make an anonymous file", lambda _: _call("memfd_create", b"arena-doctor\0", 0)),
    ForbiddenAct("make a user namespace", lambda _: kernel.unshare(kernel.CLONE_NEWUSER)),
    ForbiddenAct("mount", lambda _: _reaches(
        "mount", b"none\0", b"/\0", b"arena-no-such-file-system\0", 0, None)),
    ForbiddenAct("open a file system", lambda _: _reaches("fsopen", b"arena-no-such-file-system\0", 0)),
    ForbiddenAct("reboot", lambda _: _reaches("reboot", 0, 0, 0, None)),
    ForbiddenAct("set up io_uring", _io_uring),
    ForbiddenAct("load into bpf", _bpf_map),
    ForbiddenAct("count with perf", _perf),
    ForbiddenAct("add a key", lambda _: _call(
        "add_key", b"user\0", b"arena-doctor\0", b"x", 1, _OWN_KEYRING)),
    ForbiddenAct("ask for a keyring", lambda _: _call("keyctl", 0, _OWN_KEYRING, 1)),
    ForbiddenAct("handle page faults", lambda _: _call("userfaultfd", 1)),
    ForbiddenAct("watch files", lambda _: _call("inotify_init1", 0)),
    ForbiddenAct("become dumpable", lambda _: kernel.prctl(kernel.PR_SET_DUMPABLE, 1)),
    ForbiddenAct("change its personality", _query_personality),
    ForbiddenAct("call by an x32 number", _x32),
    ForbiddenAct("call as i386", lambda _: None, prepare=_prepare_i386),
)  # fmt: skip
