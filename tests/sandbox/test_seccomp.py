"""What the system call filter says to every call, found by running its own instructions."""

from __future__ import annotations

import errno
import mmap
import struct
import time
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.process.seccomp import AARCH64, X86_64, Table, build

ALLOW, KILL, EPERM = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM
READ_WRITE, EXECUTE, PRIVATE_ANONYMOUS, PRIVATE_FILE = 3, 4, 0x22, 0x02
TABLES = {"x86_64": X86_64, "aarch64": AARCH64}
PROGRAMS = {name: build(table) for name, table in TABLES.items()}


@dataclass(frozen=True)
class Call:
    """One system call as the kernel shows it to a filter."""

    number: int
    args: tuple[int, ...] = ()

    def packed(self, arch: int) -> bytes:
        args = [arg & 0xFFFFFFFFFFFFFFFF for arg in self.args] + [0] * (6 - len(self.args))
        return struct.pack("<IIQ6Q", self.number & 0xFFFFFFFF, arch, 0, *args)


def evaluate(program: bytes, data: bytes) -> int:
    """Run classic BPF, as little of it as the filter uses; anything else is an error."""
    at = accumulator = 0
    for _ in range(len(program) // 8 + 1):
        code, jump_true, jump_false, k = struct.unpack_from("<HBBI", program, at * 8)
        at += 1
        match code:
            case 0x20:
                assert k % 4 == 0
                (accumulator,) = struct.unpack_from("<I", data, k)
            case 0x15:
                at += jump_true if accumulator == k else jump_false
            case 0x35:
                at += jump_true if accumulator >= k else jump_false
            case 0x45:
                at += jump_true if accumulator & k else jump_false
            case 0x06:
                return k
            case _:
                raise AssertionError(f"an instruction {code:#x} that the filter should not have")
    raise AssertionError("a program without an end")


def judge(machine: str, number: int, *args: int, arch: int | None = None) -> int:
    table = TABLES[machine]
    own = table.audit_arch if arch is None else arch
    return evaluate(PROGRAMS[machine], Call(number, args).packed(own))


def known(table: Table) -> set[int]:
    checked = {table.read, table.write, table.mmap, table.mprotect, table.madvise, table.clock_gettime}
    return checked | set(table.allow.values()) | set(table.refuse.values())


machines = pytest.mark.parametrize("machine", list(TABLES))


@machines
def test_only_descriptor_0_is_read_and_only_1_is_written(machine: str) -> None:
    table = TABLES[machine]
    for descriptor in (*range(300), 2**31 - 1, -1, 2**32, 2**32 + 1):
        reads, writes = descriptor == 0, descriptor == 1
        assert judge(machine, table.read, descriptor) == (ALLOW if reads else EPERM)
        assert judge(machine, table.write, descriptor) == (ALLOW if writes else EPERM)


@machines
def test_memory_is_anonymous_and_never_code(machine: str) -> None:
    number = TABLES[machine].mmap
    assert judge(machine, number, 0, 4096, READ_WRITE, PRIVATE_ANONYMOUS, -1, 0) == ALLOW
    assert judge(machine, number, 0, 4096, READ_WRITE, PRIVATE_FILE, 3, 0) == KILL
    for protection in range(8):
        verdict = judge(machine, number, 0, 4096, protection, PRIVATE_ANONYMOUS, -1, 0)
        assert verdict == (KILL if protection & EXECUTE else ALLOW)


@machines
def test_no_memory_becomes_code_later(machine: str) -> None:
    mprotect = TABLES[machine].mprotect
    for protection in range(8):
        verdict = judge(machine, mprotect, 0, 4096, protection)
        assert verdict == (KILL if protection & EXECUTE else ALLOW)


@machines
def test_shared_memory_is_not_taken_from_both_sides(machine: str) -> None:
    refused = {advice for advice in range(30) if judge(machine, TABLES[machine].madvise, 0, 4096, advice) != ALLOW}
    assert refused == {mmap.MADV_REMOVE}
    assert judge(machine, TABLES[machine].madvise, 0, 4096, mmap.MADV_REMOVE) == EPERM


@machines
def test_no_clock_answers_but_those_of_its_own_cpu_time(machine: str) -> None:
    table = TABLES[machine]
    answered = {clock for clock in range(-8, 40) if judge(machine, table.clock_gettime, clock) == ALLOW}
    assert answered == {time.CLOCK_PROCESS_CPUTIME_ID, time.CLOCK_THREAD_CPUTIME_ID}
    assert judge(machine, table.clock_gettime, 0) == EPERM


@machines
def test_neither_time_nor_chance_comes_from_the_kernel(machine: str) -> None:
    refused = TABLES[machine].refuse
    assert {"gettimeofday", "getrandom", "clock_getres"} <= set(refused)
    assert {judge(machine, refused[name]) for name in ("gettimeofday", "getrandom")} == {EPERM}


@machines
def test_the_tables_do_not_contradict_themselves(machine: str) -> None:
    table = TABLES[machine]
    numbers = [*table.allow.values(), *table.refuse.values()]
    checked = [table.read, table.write, table.mmap, table.mprotect, table.madvise, table.clock_gettime]
    assert len({*numbers, *checked}) == len(numbers) + len(checked)


@machines
def test_listed_calls_are_allowed_or_refused_as_listed(machine: str) -> None:
    table = TABLES[machine]
    assert {judge(machine, number) for number in table.allow.values()} == {ALLOW}
    assert {judge(machine, number) for number in table.refuse.values()} == {EPERM}


@machines
def test_every_number_that_is_not_listed_kills(machine: str) -> None:
    others = set(range(2000)) - known(TABLES[machine])
    assert {judge(machine, number, 0, 0, 0, PRIVATE_ANONYMOUS) for number in others} == {KILL}


@machines
@given(number=st.integers(0x40000000, 0xFFFFFFFF))
def test_every_x32_number_kills(machine: str, number: int) -> None:
    assert judge(machine, number, 0) == KILL


@machines
@given(number=st.integers(0, 2**32 - 1), args=st.tuples(*[st.integers(0, 2**64 - 1)] * 4))
def test_no_call_gets_more_than_the_table_gives(machine: str, number: int, args: tuple[int, ...]) -> None:
    table = TABLES[machine]
    plain = {table.read, table.write, table.mmap, table.mprotect, table.madvise, table.clock_gettime}
    plain |= set(table.allow.values())
    if judge(machine, number, *args) == ALLOW:
        assert number in plain


@machines
@given(arch=st.integers(0, 2**32 - 1), number=st.integers(0, 500))
def test_every_foreign_architecture_kills(machine: str, arch: int, number: int) -> None:
    if arch != TABLES[machine].audit_arch:
        assert judge(machine, number, arch=arch) == KILL


@machines
def test_i386_and_the_other_machine_are_foreign(machine: str) -> None:
    others = {0x40000003, *(table.audit_arch for table in TABLES.values())}
    for arch in others - {TABLES[machine].audit_arch}:
        assert {judge(machine, number, arch=arch) for number in range(600)} == {KILL}


@machines
def test_calls_that_start_or_reach_something_kill(machine: str) -> None:
    dangerous = {
        "x86_64": {
            "clone": 56, "fork": 57, "vfork": 58, "execve": 59, "kill": 62, "ptrace": 101,
            "socket": 41, "connect": 42, "prctl": 157, "setuid": 105, "mount": 165, "bpf": 321,
            "execveat": 322, "process_vm_readv": 310, "memfd_create": 319, "clone3": 435,
            "io_uring_setup": 425, "pidfd_getfd": 438, "userfaultfd": 323, "openat2": 437,
        },
        "aarch64": {
            "clone": 220, "execve": 221, "kill": 129, "ptrace": 117, "socket": 198,
            "connect": 203, "prctl": 167, "setuid": 146, "mount": 40, "bpf": 280,
            "execveat": 281, "process_vm_readv": 270, "memfd_create": 279, "clone3": 435,
            "io_uring_setup": 425, "pidfd_getfd": 438, "userfaultfd": 282, "openat2": 437,
        },
    }[machine]  # fmt: skip
    assert {judge(machine, number) for number in dangerous.values()} == {KILL}
