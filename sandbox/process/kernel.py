"""Raw system calls through ctypes: the few numbers and structures the lock-down needs.

Sources: Linux uapi headers `linux/seccomp.h`, `linux/filter.h`, `linux/landlock.h`,
`linux/prctl.h`, and the syscall tables of x86_64 and of asm-generic (aarch64).
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import os
import platform
import signal
import struct

CAP_SYS_RESOURCE = 24
PR_SET_PDEATHSIG = 1
PR_GET_DUMPABLE = 3
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38
CLONE_NEWUSER, CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS = (
    0x10000000,
    0x40000000,
    0x08000000,
    0x04000000,
)

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
_libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_MAP_FIXED = 0x10
_libc.time.restype = ctypes.c_long
_MADV_POPULATE_WRITE = 23
_MAP_FAILED = ctypes.c_void_p(-1).value
# Called with the interpreter's lock held, which the child then holds as the parent does.
_fork = ctypes.PyDLL(None, use_errno=True).fork
_SIGCHLD_SET = (ctypes.c_uint64 * 16)(1 << (signal.SIGCHLD - 1))


def machine() -> str:
    """Return the kernel's name of this machine's architecture."""
    return platform.machine()


def syscall(number: int, *args: int | bytes | None) -> int:
    """Make one raw system call; OSError where the kernel refuses."""
    prepared = [a if isinstance(a, bytes) or a is None else ctypes.c_long(a) for a in args]
    return _checked(_libc.syscall(ctypes.c_long(number), *prepared))


def prctl(option: int, value: int = 0, third: int = 0) -> int:
    """Set an attribute of this process by prctl; OSError where the kernel refuses."""
    return _checked(_libc.prctl(option, value, third, 0, 0))


def has_capability(number: int) -> bool:
    """Say whether this process has an effective capability."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:  # noqa: PTH123
        masks = [line.split()[1] for line in status if line.startswith("CapEff:")]
    return bool(masks) and bool(int(masks[0], 16) >> number & 1)


def unshare(flags: int) -> None:
    """Leave shared namespaces; OSError where the kernel refuses."""
    _checked(_libc.unshare(ctypes.c_int(flags)))


def personality(persona: int) -> int:
    """Set the execution domain and return the old one; 0xFFFFFFFF only asks."""
    return int(_libc.personality(ctypes.c_ulong(persona)))


def map_zeroes(address: int, size: int) -> None:
    """Replace a mapping by read-only zero pages."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_FIXED
    _checked_address(_libc.mmap(address, size, mmap.PROT_READ, flags, -1, 0))


def wall_seconds() -> int:
    """Return the seconds since 1970 as the C library tells them: without a system call, where it can."""
    return int(_libc.time(None))


def populate(address: int, size: int) -> None:
    """Fault pages in for writing (MADV_POPULATE_WRITE); OSError on a kernel before 5.14."""
    _checked(_libc.madvise(address, size, _MADV_POPULATE_WRITE))


def _checked_address(address: int | None) -> int:
    if address is None or address == _MAP_FAILED:
        _checked(-1)
    assert address is not None
    return address


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


@functools.lru_cache(maxsize=1)
def prepare_filter(program: bytes) -> tuple[int, tuple[object, ...]]:
    """Lay a filter out as the kernel reads it; return its address, and the buffers that must stay alive."""
    code = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    block = ctypes.create_string_buffer(head, len(head))
    return ctypes.addressof(block), (code, block)


def install_filter(program: bytes) -> None:
    """Install a seccomp filter given as packed BPF instructions of 8 bytes each."""
    prctl(PR_SET_SECCOMP, 2, prepare_filter(program)[0])


def fork() -> int:
    """Fork a process of one thread: the child's id, 0 in the child; OSError where the kernel refuses.

    Unlike `os.fork` this runs no Python hook in the child (threading makes its locks anew, random
    seeds itself): with one thread there is nothing to repair, and the hooks alone cost a quarter of
    a megabyte of memory a child.
    """
    return _checked(_fork())


def watch_children() -> int:
    """Block SIGCHLD and return a signalfd that becomes readable when a child ends."""
    if _libc.sigprocmask(signal.SIG_BLOCK, _SIGCHLD_SET, None) != 0:
        raise OSError(ctypes.get_errno(), "cannot block SIGCHLD")
    descriptor: int = _libc.signalfd(-1, _SIGCHLD_SET, os.O_NONBLOCK | os.O_CLOEXEC)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "cannot watch for children")
    return descriptor
