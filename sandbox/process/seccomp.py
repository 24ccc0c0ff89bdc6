"""The system calls a worker may make, as a BPF program.

A warmed bot needs mmap, munmap, brk, read, write and exit; everything that honest code may stumble
on (a lazy import, a codec look-up) gets EPERM so that it surfaces as an exception; all else kills.
Of the clocks only those of its own CPU time answer, and no chance comes from the kernel.
"""

from __future__ import annotations

import errno
import struct
from dataclasses import dataclass

_KILL, _ERRNO, _ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
_LD_ABS, _JEQ, _JGE, _JSET, _RET = 0x20, 0x15, 0x35, 0x45, 0x06
_NR, _ARCH, _ARGS = 0, 4, 16
_PROT_EXEC, _MAP_ANONYMOUS = 4, 0x20
# Takes the memory of a shared page away from both sides.
_MADV_REMOVE = 9
_X32_BIT = 0x40000000
# CLOCK_PROCESS_CPUTIME_ID and CLOCK_THREAD_CPUTIME_ID.
_OWN_CPU = (2, 3)


@dataclass(frozen=True)
class Table:
    """Syscall numbers of one architecture: audit id, plain allows, EPERM ones, checked ones."""

    audit_arch: int
    allow: dict[str, int]
    refuse: dict[str, int]
    read: int
    write: int
    mmap: int
    mprotect: int
    madvise: int
    clock_gettime: int


X86_64 = Table(
    audit_arch=0xC000003E,
    allow={
        "munmap": 11, "brk": 12, "mremap": 25, "futex": 202, "rt_sigreturn": 15,
        "rt_sigprocmask": 14, "exit": 60, "exit_group": 231, "restart_syscall": 219, "sched_yield": 24,
    },
    refuse={
        "openat": 257, "open": 2, "stat": 4, "fstat": 5, "lstat": 6, "newfstatat": 262,
        "statx": 332, "access": 21, "faccessat": 269, "faccessat2": 439, "readlink": 89,
        "readlinkat": 267, "getcwd": 79, "getdents64": 217, "lseek": 8, "ioctl": 16, "close": 3,
        "getpid": 39, "getuid": 102, "geteuid": 107, "clock_nanosleep": 230, "nanosleep": 35,
        "fcntl": 72, "dup": 32, "sched_getaffinity": 204, "uname": 63, "rt_sigaction": 13,
        "pread64": 17, "gettid": 186, "sysinfo": 99, "gettimeofday": 96, "time": 201, "clock_getres": 229,
        "getrandom": 318,
    },
    read=0, write=1, mmap=9, mprotect=10, madvise=28, clock_gettime=228,
)  # fmt: skip

AARCH64 = Table(
    audit_arch=0xC00000B7,
    allow={
        "munmap": 215, "brk": 214, "mremap": 216, "futex": 98,
        "rt_sigreturn": 139, "rt_sigprocmask": 135, "exit": 93, "exit_group": 94,
        "restart_syscall": 128, "sched_yield": 124,
    },
    refuse={
        "openat": 56, "fstat": 80, "newfstatat": 79, "statx": 291, "faccessat": 48,
        "faccessat2": 439, "readlinkat": 78, "getcwd": 17, "getdents64": 61, "lseek": 62,
        "ioctl": 29, "close": 57, "getpid": 172, "getuid": 174, "geteuid": 175,
        "clock_nanosleep": 115, "nanosleep": 101, "fcntl": 25, "dup": 23,
        "sched_getaffinity": 123, "uname": 160, "rt_sigaction": 134, "pread64": 67,
        "gettid": 178, "sysinfo": 179, "gettimeofday": 169, "clock_getres": 114, "getrandom": 278,
    },
    read=63, write=64, mmap=222, mprotect=226, madvise=233, clock_gettime=113,
)  # fmt: skip

TABLES = {"x86_64": X86_64, "aarch64": AARCH64}


def _instruction(code: int, k: int, jump_true: int = 0, jump_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, jump_true, jump_false, k)


def _argument(index: int, *, high: bool = False) -> bytes:
    return _instruction(_LD_ABS, _ARGS + 8 * index + (4 if high else 0))


def _fd_rule(number: int, descriptor: int) -> bytes:
    body = (
        _argument(0, high=True)
        + _instruction(_JEQ, 0, 0, 3)
        + _argument(0)
        + _instruction(_JEQ, descriptor, 0, 1)
        + _instruction(_RET, _ALLOW)
        + _instruction(_RET, _ERRNO | errno.EPERM)
    )
    return _instruction(_JEQ, number, 0, len(body) // 8) + body


def _mmap_rule(number: int) -> bytes:
    body = (
        _argument(2)
        + _instruction(_JSET, _PROT_EXEC, 3, 0)
        + _argument(3)
        + _instruction(_JSET, _MAP_ANONYMOUS, 0, 1)
        + _instruction(_RET, _ALLOW)
        + _instruction(_RET, _KILL)
    )
    return _instruction(_JEQ, number, 0, len(body) // 8) + body


def _mprotect_rule(number: int) -> bytes:
    body = _argument(2) + _instruction(_JSET, _PROT_EXEC, 1, 0) + _instruction(_RET, _ALLOW) + _instruction(_RET, _KILL)
    return _instruction(_JEQ, number, 0, len(body) // 8) + body


def _madvise_rule(number: int) -> bytes:
    body = (
        _argument(2)
        + _instruction(_JEQ, _MADV_REMOVE, 1, 0)
        + _instruction(_RET, _ALLOW)
        + _instruction(_RET, _ERRNO | errno.EPERM)
    )
    return _instruction(_JEQ, number, 0, len(body) // 8) + body


def _clock_rule(number: int) -> bytes:
    process, thread = _OWN_CPU
    body = (
        _argument(0)
        + _instruction(_JEQ, process, 1, 0)
        + _instruction(_JEQ, thread, 0, 1)
        + _instruction(_RET, _ALLOW)
        + _instruction(_RET, _ERRNO | errno.EPERM)
    )
    return _instruction(_JEQ, number, 0, len(body) // 8) + body


def build(table: Table) -> bytes:
    """Return the filter program: reads from 0, writes to 1, anonymous memory, and little else."""
    program = (
        _instruction(_LD_ABS, _ARCH)
        + _instruction(_JEQ, table.audit_arch, 1, 0)
        + _instruction(_RET, _KILL)
        + _instruction(_LD_ABS, _NR)
        + _instruction(_JGE, _X32_BIT, 0, 1)
        + _instruction(_RET, _KILL)
        + _fd_rule(table.read, 0)
        + _fd_rule(table.write, 1)
        + _mmap_rule(table.mmap)
        + _mprotect_rule(table.mprotect)
        + _madvise_rule(table.madvise)
        + _clock_rule(table.clock_gettime)
    )
    for number in table.allow.values():
        program += _instruction(_JEQ, number, 0, 1) + _instruction(_RET, _ALLOW)
    for number in table.refuse.values():
        program += _instruction(_JEQ, number, 0, 1) + _instruction(_RET, _ERRNO | errno.EPERM)
    return program + _instruction(_RET, _KILL)
