"""Raw system calls through ctypes: the few numbers and structures the lock-down needs.

Sources: Linux uapi headers `linux/seccomp.h`, `linux/filter.h`, `linux/landlock.h`,
`linux/prctl.h`, and the syscall tables of x86_64 and of asm-generic (aarch64).
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct

CAP_SYS_RESOURCE = 24
PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38
ADDR_NO_RANDOMIZE = 0x0040000
CLONE_NEWUSER, CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS = (
    0x10000000,
    0x40000000,
    0x08000000,
    0x04000000,
)

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4


def machine() -> str:
    """Return the kernel's name of this machine's architecture."""
    return platform.machine()


def syscall(number: int, *args: int | bytes | None) -> int:
    """Make one raw system call; OSError where the kernel refuses."""
    prepared = [a if isinstance(a, bytes) or a is None else ctypes.c_long(a) for a in args]
    result: int = _libc.syscall(ctypes.c_long(number), *prepared)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def prctl(option: int, value: int = 0, third: int = 0) -> int:
    """Set an attribute of this process by prctl; OSError where the kernel refuses."""
    result: int = _libc.prctl(option, value, third, 0, 0)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def has_capability(number: int) -> bool:
    """Say whether this process has an effective capability."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:  # noqa: PTH123
        masks = [line.split()[1] for line in status if line.startswith("CapEff:")]
    return bool(masks) and bool(int(masks[0], 16) >> number & 1)


def unshare(flags: int) -> None:
    """Leave shared namespaces; OSError where the kernel refuses."""
    if _libc.unshare(ctypes.c_int(flags)) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def personality(persona: int) -> int:
    """Set the execution domain and return the old one; 0xFFFFFFFF only asks."""
    return int(_libc.personality(ctypes.c_ulong(persona)))


def install_filter(program: bytes) -> None:
    """Install a seccomp filter given as packed BPF instructions of 8 bytes each."""
    code = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    block = ctypes.create_string_buffer(head, len(head))
    prctl(PR_SET_SECCOMP, 2, ctypes.addressof(block))
