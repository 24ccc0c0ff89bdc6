"""Run as a program: breaks the lock-down in every way there is, in children of a clean process.

Prints a JSON dict of case to what the child said: its layers, or why it refused to run.
"""

from __future__ import annotations

import errno
import json
import os
import struct
import sys
from collections.abc import Callable

from sandbox.process import kernel, landlock, lockdown, seccomp
from sandbox.process.limits import Limits

UID = 29_990
_PRCTL = {"x86_64": 157, "aarch64": 167}[kernel.machine()]
_PRLIMIT = {"x86_64": 302, "aarch64": 261}[kernel.machine()]
_UNSHARE = {"x86_64": 272, "aarch64": 97}[kernel.machine()]
_SETRESUID = {"x86_64": 117, "aarch64": 147}[kernel.machine()]
_RESTRICT = 446
_SET_SECCOMP, _SET_DUMPABLE, _PDEATHSIG, _NO_NEW_PRIVS = 22, 4, 1, 38


def refuse_call(number: int, first: int | None = None) -> Callable[[], None]:
    """Make the kernel answer EPERM to one call, as a container's profile would."""

    def apply() -> None:
        def step(code: int, k: int, yes: int = 0, no: int = 0) -> bytes:
            return struct.pack("<HBBI", code, yes, no, k)

        refuse = step(0x06, 0x00050000 | errno.EPERM)
        body = refuse if first is None else step(0x20, 16) + step(0x15, first, 0, 1) + refuse
        program = step(0x20, 0) + step(0x15, number, 0, len(body) // 8) + body
        kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
        kernel.install_filter(program + step(0x06, 0x7FFF0000))

    return apply


def failing(error: Exception) -> lockdown.Step:
    """Return a step that fails."""

    def step(_: lockdown.Confinement) -> None:
        raise error

    step.__name__ = "broken_step"
    return step


def without(name: str) -> tuple[lockdown.Step, ...]:
    """Return the steps with one left out."""
    return tuple(step for step in lockdown.STEPS if step.__name__ != name)


def instead(name: str, error: Exception) -> tuple[lockdown.Step, ...]:
    """Return the steps with one replaced by a failure."""
    broken = failing(error)
    return tuple(broken if step.__name__ == name else step for step in lockdown.STEPS)


def in_child(
    steps: tuple[lockdown.Step, ...] = lockdown.STEPS,
    before: Callable[[], None] = lambda: None,
    abi: int | None = None,
) -> str:
    """Lock a child down and return what it said."""
    read, write = os.pipe()
    parent = os.getpid()
    abi = landlock.abi() if abi is None else abi
    pid = os.fork()
    if pid == 0:
        os.dup2(write, 1)
        os.closerange(3, 64)
        try:
            before()
            uid = UID if os.geteuid() == 0 else None
            confinement = lockdown.Confinement(Limits(), uid, parent, abi)
            lockdown.lock(confinement, steps)
            said = f"{confinement.level} {','.join(confinement.layers)} {','.join(confinement.notes)}"
        except lockdown.LockdownError as error:
            said = f"refused: {error}"
        except BaseException as error:  # noqa: BLE001 - told to the test
            said = f"escaped: {error!r}"
        os.write(1, said.encode())
        os._exit(0)
    os.close(write)
    answer = b""
    while part := os.read(read, 4096):
        answer += part
    os.close(read)
    os.waitpid(pid, 0)
    return answer.decode()


def cases() -> dict[str, str]:
    """Return every case and what came of it."""
    denied = PermissionError(errno.EPERM, "Operation not permitted")
    told = lockdown.LockdownError("on purpose")
    found = {"whole": in_child()}
    for step in lockdown.STEPS:
        found[f"os error in {step.__name__}"] = in_child(instead(step.__name__, denied))
        found[f"lockdown error in {step.__name__}"] = in_child(instead(step.__name__, told))
    found["no landlock"] = in_child(abi=0)
    found["without filter_calls"] = in_child(without("filter_calls"))
    for name, number, first in (
        ("seccomp refused", _PRCTL, _SET_SECCOMP),
        ("dumpable refused", _PRCTL, _SET_DUMPABLE),
        ("pdeathsig refused", _PRCTL, _PDEATHSIG),
        ("no new privs refused", _PRCTL, _NO_NEW_PRIVS),
        ("rlimits refused", _PRLIMIT, None),
        ("uid refused", _SETRESUID, None),
        ("namespaces refused", _UNSHARE, None),
        ("landlock refused", _RESTRICT, None),
    ):
        found[name] = in_child(before=refuse_call(number, first))
    seccomp.TABLES.pop(kernel.machine())
    lockdown._program.cache_clear()
    found["unknown machine"] = in_child()
    return found


if __name__ == "__main__":
    json.dump(cases(), sys.stdout)
