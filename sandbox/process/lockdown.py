"""Locks the calling process down, step by step, seccomp last.

Every step's result is checked. A required step that fails ends the child with a sentence; a wanted
one that fails lowers the level. Level A is everything; B lacks Landlock or a separate identity.
"""

from __future__ import annotations

import errno
import functools
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sandbox.process import clocks, kernel, landlock, seccomp
from sandbox.process.limits import Limits
from sandbox.talk.verdict import TRIPWIRE_EXIT

_NO_LIMIT = resource.RLIM_INFINITY
_PAGE = resource.getpagesize()
_SPACE, _CPU, _DESCRIPTORS = resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_NOFILE
_ALWAYS = (
    (resource.RLIMIT_FSIZE, 0, 0),
    (resource.RLIMIT_CORE, 0, 0),
    (resource.RLIMIT_STACK, 8 << 20, 8 << 20),
    (resource.RLIMIT_NPROC, 0, 0),
    (resource.RLIMIT_MEMLOCK, 0, 0),
    (resource.RLIMIT_MSGQUEUE, 0, 0),
)


class LockdownError(Exception):
    """A required layer could not be set up."""


@dataclass(slots=True)
class Confinement:
    """The lock-down of one child: what it is told, and which layers it could set up."""

    limits: Limits
    uid: int | None
    parent_pid: int
    landlock_abi: int
    extendable: bool = True
    layers: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def level(self) -> str:
        """Return A or B."""
        separated = "uid" in self.layers or "namespaces" in self.layers
        return "A" if separated and "landlock" in self.layers else "B"

    def report(self) -> bytes:
        """Return a child's report of its lock-down: level, layers, and a line for each note."""
        return "\n".join((self.level, " ".join(self.layers), *self.notes)).encode()


def die_with_parent(confinement: Confinement) -> None:
    """Ask to be killed when the zygote ends, and make sure it has not ended already."""
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != confinement.parent_pid:
        os._exit(0)


def separate(confinement: Confinement) -> None:
    """Take an identity of its own: an unused uid as root, else fresh namespaces."""
    if confinement.uid is not None:
        os.setgroups([])
        os.setresgid(confinement.uid, confinement.uid, confinement.uid)
        os.setresuid(confinement.uid, confinement.uid, confinement.uid)
        confinement.layers.append("uid")
        return
    try:
        kernel.unshare(kernel.CLONE_NEWUSER | kernel.CLONE_NEWNET | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS)
        confinement.layers.append("namespaces")
    except OSError as error:
        confinement.notes.append(f"no namespaces of its own ({error.strerror})")


def limit_resources(confinement: Confinement) -> None:
    """Set the rlimits; address space is what is mapped now plus the bot's allowance."""
    # Raw calls here and below: a file object and its codec would cost a child a dozen pages.
    statm = os.open("/proc/self/statm", os.O_RDONLY)
    mapped = int(os.read(statm, 128).split()[0]) * _PAGE
    os.close(statm)
    space = mapped + confinement.limits.memory_bytes
    # A limit that the server cannot move forward would end honest bots of a certain age.
    life = confinement.limits.lifetime_cpu if confinement.extendable else _NO_LIMIT
    if not confinement.extendable:
        confinement.notes.append("no lifetime CPU limit (moving it needs CAP_SYS_RESOURCE)")
    for kind, soft, hard in ((_SPACE, space, space), (_CPU, life, _NO_LIMIT), *_ALWAYS):
        _, ceiling = resource.getrlimit(kind)
        if ceiling != _NO_LIMIT:
            hard = ceiling if hard == _NO_LIMIT else min(hard, ceiling)  # noqa: PLW2901
            soft = hard if soft == _NO_LIMIT else min(soft, hard)  # noqa: PLW2901
        resource.setrlimit(kind, (soft, hard))
    os.nice(confinement.limits.nice)
    confinement.layers.append("rlimits")


def hide(confinement: Confinement) -> None:
    """Become undumpable, so that no process of the same user can look inside."""
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    die_with_parent(confinement)
    confinement.layers.append("undumpable")


def stop_clocks(confinement: Confinement) -> None:
    """Check that no time can be read without a system call: the zygote has removed the clock page for its children."""
    if clocks.stopped() or clocks.stop():
        confinement.layers.append("clocks")
    else:
        confinement.notes.append("the clock can be read without a system call")


def refuse_privileges(confinement: Confinement) -> None:
    """Give up any way of gaining privileges."""
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    confinement.layers.append("no-new-privs")


def fence_files(confinement: Confinement) -> None:
    """Set up Landlock where the kernel has it."""
    if not confinement.landlock_abi:
        confinement.notes.append("no Landlock in this kernel")
        return
    try:
        landlock.restrict(confinement.landlock_abi)
    except OSError as error:
        confinement.notes.append(f"Landlock cannot be used ({error.strerror})")
        return
    confinement.layers.append("landlock")


def close_descriptors(confinement: Confinement) -> None:
    """Allow no new descriptor beside the two pipes and the null device."""
    resource.setrlimit(_DESCRIPTORS, (3, 3))
    confinement.layers.append("descriptors")


@functools.cache
def _program(machine: str) -> bytes | None:
    """Return the filter of a machine, assembled once before any child is forked."""
    table = seccomp.TABLES.get(machine)
    return None if table is None else seccomp.build(table)


_MACHINE = kernel.machine()
if (_ready := _program(_MACHINE)) is not None:
    kernel.prepare_filter(_ready)


def filter_calls(confinement: Confinement) -> None:
    """Install the seccomp filter, the layer that no child runs without."""
    program = _program(_MACHINE)
    if program is None:
        raise LockdownError(f"no system call filter is known for {_MACHINE}")
    try:
        kernel.install_filter(program)
    except OSError as error:
        raise LockdownError(
            f"this kernel or container does not allow seccomp filters ({error.strerror}); bots will not run"
        ) from error
    confinement.layers.append("seccomp")


_FORBIDDEN: tuple[tuple[Any, ...], ...] = (
    (os.open, "/proc/self/status", os.O_RDONLY), (os.dup, 0), (os.getrandom, 1), (time.time,),
)  # fmt: skip


def prove(confinement: Confinement) -> None:
    """Try some forbidden acts and leave unless all are refused."""
    for act, *arguments in _FORBIDDEN:
        if act is time.time and "clocks" not in confinement.layers:
            continue
        try:
            act(*arguments)
        except OSError as error:
            if error.errno == errno.EPERM:
                continue
        raise LockdownError("the system call filter does not hold")
    confinement.layers.append("proved")


Step = Callable[[Confinement], None]

STEPS: tuple[Step, ...] = (
    die_with_parent,
    separate,
    limit_resources,
    hide,
    stop_clocks,
    refuse_privileges,
    fence_files,
    close_descriptors,
    filter_calls,
    prove,
)


def lock(confinement: Confinement, steps: tuple[Step, ...] = STEPS) -> None:
    """Run every step in order; LockdownError names the first required one that fails."""
    for step in steps:
        try:
            step(confinement)
        except OSError as error:
            name = step.__name__.replace("_", " ")
            raise LockdownError(f"cannot {name}: {error.strerror}") from error


_HOST_EVENTS = (
    "open", "import", "compile", "exec", "sys._getframe", "sys.settrace", "sys.setprofile",
    "sys._current_frames", "code.__new__", "function.__new__", "cpython.run_", "marshal.",
    "pickle.", "mmap.", "shutil.", "tempfile.", "urllib.", "webbrowser.",
    "gc.", "ctypes.", "socket.", "os.", "subprocess.", "winreg.", "ensurepip.", "sqlite3.",
)  # fmt: skip


class Tripwire:
    """An audit hook that ends the child when guest code reaches a host function.

    Host code that we run ourselves on a bot's behalf (a dataclass, a named tuple) announces itself
    by `quiet`; everything else that raises such an event in a guest's time has escaped.
    """

    def __init__(self) -> None:
        self._armed = False
        self._quiet = 0
        self._pause = _Pause(self)

    def install(self) -> None:
        """Add the hook; it cannot be removed again."""
        sys.addaudithook(self._hook)

    def arm(self) -> None:
        """Start watching."""
        self._armed = True

    def quiet(self) -> _Pause:
        """Ignore the audit events of our own code while the context lasts."""
        return self._pause

    def _more_quiet(self, by: int) -> None:
        self._quiet += by

    def _hook(self, event: str, _args: object) -> None:
        if self._armed and not self._quiet and event.startswith(_HOST_EVENTS):
            os._exit(TRIPWIRE_EXIT)


class _Pause:
    """A context in which a tripwire ignores events; may be nested."""

    __slots__ = ("_wire",)

    def __init__(self, wire: Tripwire) -> None:
        self._wire = wire

    def __enter__(self) -> None:
        self._wire._more_quiet(1)  # noqa: SLF001 - its own other half

    def __exit__(self, *_: object) -> None:
        self._wire._more_quiet(-1)  # noqa: SLF001 - its own other half
