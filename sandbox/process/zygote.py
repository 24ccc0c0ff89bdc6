"""The process that forks workers: exec'd with a clean environment, one thread, everything preloaded.

It holds no secret, so that a worker forked from it inherits none. It talks over one control socket:
first the limits come down, as JSON, for it may have been begun before anyone knew them; then requests,
each with two pipe ends. Up go the words of `protocol.Word`, a new worker's with its pidfd.
Whoever executes it fixes the hash seed; addresses are random, and a bot sees none of them (`language.addresses`).
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import signal
import socket
import sys
from pathlib import Path

from sandbox.host import Host
from sandbox.language.modules.services import Services
from sandbox.process import clocks, kernel, landlock, lockdown
from sandbox.process.child import ChildKit, run
from sandbox.process.limits import Limits
from sandbox.talk.protocol import (
    CONTROL,
    DESCRIPTOR,
    DESCRIPTORS,
    FORK_REQUEST_SIZE,
    WITH_PAGE,
    ForkRequest,
    Word,
    read_fork_request,
)
from sandbox.tuning.plan import Tuning

_ROOM = socket.CMSG_SPACE(WITH_PAGE.size)
_MOST_LIMITS = 4096  # bytes of JSON


def prepare(runtime: str, tuning: Tuning) -> ChildKit:
    """Import the guest, build the facades, make the shared classes immutable, and rehearse."""
    services, tripwire = Services(), lockdown.Tripwire()
    services.quiet = tripwire.quiet
    module_name, _, name = runtime.partition(":")
    make_guest = getattr(importlib.import_module(module_name), name)
    # Late, so that what only a checker needs does not lie between what workers use.
    from sandbox.language import builtin_names, guards
    from sandbox.language.addresses import hide_addresses
    from sandbox.language.bot_classes import MODULE_NAME
    from sandbox.language.compiler import FILENAME
    from sandbox.language.modules import build, take_over
    from sandbox.language.modules.facade import names_of
    from sandbox.language.modules.hardening import freeze_host_classes
    from sandbox.memory import memory
    from sandbox.memory.walk import Library
    from sandbox.talk.shared_page import SharedPage

    take_over(services)
    modules = build(services)
    builtins = builtin_names.build(services, modules)
    gates = guards.build(services)
    _warm_up(services)
    hide_addresses(services)
    freeze_host_classes()
    host = Host(services, tripwire)
    offered = {key: names_of(module) for key, module in modules.items()}
    own = {"__builtins__": builtins, "__name__": MODULE_NAME, "__file__": FILENAME, "__doc__": None, **gates}
    kit = ChildKit(host, make_guest, make_guest(host), own, offered, tripwire, Limits(), SharedPage)
    kit.remember, kit.library = memory.Memory, Library(builtins, modules.values())
    tripwire.install()
    tuning.rehearse(kit)
    return kit


def _warm_up(services: Services) -> None:
    """Trigger what Python imports or looks up at first use."""
    import datetime as dt

    dt.datetime.strptime("2024-01-02 03:04", "%Y-%m-%d %H:%M").strftime("%c")  # noqa: DTZ007
    services.rng.seed("a text: hashing it is a late import in 3.13")
    services.reset()


class Zygote:
    """Serves fork requests until the server closes the control socket."""

    def __init__(self, control: socket.socket, null: int, kit: ChildKit, tuning: Tuning) -> None:
        self._control = control
        self._null = null
        self._kit = kit
        self._tuning = tuning
        self._landlock = landlock.abi()
        # The server has the same capabilities: it moves the limit of a foreign uid only with this one.
        self._extends = os.geteuid() != 0 or kernel.has_capability(kernel.CAP_SYS_RESOURCE)
        self._highest = os.sysconf("SC_OPEN_MAX")

    def main_loop(self) -> None:
        """Fork on request, report exits, end when the control socket closes."""
        ended = kernel.watch_children()
        self._tell(Word.READY, os.getpid(), 0)
        waiting = select.poll()
        waiting.register(self._control.fileno(), select.POLLIN)
        waiting.register(ended, select.POLLIN)
        while True:
            for descriptor, _ in waiting.poll():
                if descriptor == ended:
                    os.read(ended, 4096)
                elif not self._serve_one():
                    return
            self._reap()

    def _serve_one(self) -> bool:
        try:
            data, extra, _, _ = self._control.recvmsg(FORK_REQUEST_SIZE, _ROOM)
        except ConnectionResetError:
            return False
        if not data:
            return False
        told = extra[0][2]
        down, up, *shared = (WITH_PAGE if len(told) == WITH_PAGE.size else DESCRIPTORS).unpack(told)
        self._spawn(read_fork_request(data), down, up, shared)
        for descriptor in (down, up, *shared):
            os.close(descriptor)
        return True

    # Lean on purpose, as is all that runs between two forks: each page written to here is a page more
    # for every worker, because parent and child no longer share it.
    def _spawn(self, request: ForkRequest, down: int, up: int, shared: list[int]) -> None:
        parent = os.getpid()
        try:
            pid = kernel.fork()
        except OSError as error:
            self._tell(Word.FAILED, request.number, error.errno or 0)
            return
        if pid == 0:
            self._become_child(request, down, up, shared, parent)
        handle = os.pidfd_open(pid)
        self._tell(Word.SPAWNED, request.number, pid, [(socket.SOL_SOCKET, socket.SCM_RIGHTS, DESCRIPTOR.pack(handle))])
        os.close(handle)

    def _become_child(self, request: ForkRequest, down: int, up: int, shared: list[int], parent: int) -> None:
        try:
            page = self._kit.share(shared[0]) if shared else None
            # In the zygote's own session: with one each, the kernel's autogroups would give every bot the
            # same share as the server, whatever its niceness.
            # `main` has seen to it that none of these is itself 0, 1 or 2.
            os.dup2(down, 0)
            os.dup2(up, 1)
            os.dup2(self._null, 2)
            os.closerange(3, self._highest)
            kit = self._kit
            # Before it is locked: it has seen our own source so far, and nothing of any bot's.
            self._tuning.in_child(kit, reading=request.reading)
            run(kit, lockdown.Confinement(kit.limits, request.uid, parent, self._landlock, self._extends), page)
        finally:
            os._exit(70)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._tell(Word.EXIT, pid, status)

    def _tell(self, word: Word, about: int, told: int, beside: list[tuple[int, int, bytes]] | None = None) -> None:
        try:
            self._control.sendmsg([CONTROL.pack(word, about, told)], beside or [])
        except (BrokenPipeError, ConnectionResetError):
            os._exit(0)


def _occupy_standard() -> int:
    """Open the null device until descriptors 0, 1 and 2 are taken; return its descriptor above them."""
    while (null := os.open("/dev/null", os.O_WRONLY | os.O_CLOEXEC)) < 3:
        pass
    return null


def _die_before_the_server() -> None:
    """Raise the OOM score of this process and of the workers, which inherit it: they are killed before others."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("900")


def run_zygote(descriptor: int, runtime: str, tuning: Tuning) -> None:
    """Prepare a runtime and fork workers of it on request, until the control socket closes."""
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    _die_before_the_server()
    # Once for all children; who may still make the system call has a clock.
    clocks.stop()
    null = _occupy_standard()
    # Workers inherit it: a C-level default, where Python would run a handler.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    control = socket.socket(fileno=descriptor)
    control.set_inheritable(False)
    kit = prepare(runtime, tuning)
    if len(list(Path("/proc/self/task").iterdir())) != 1:
        raise RuntimeError("the zygote must have one thread")
    # Library code that prints would write into the pipe of answers.
    sys.stdout = sys.stderr = None
    tuning.before_forks(kit)
    told = control.recv(_MOST_LIMITS)
    if not told:
        return
    kit.limits = Limits(**json.loads(told))
    Zygote(control, null, kit, tuning).main_loop()
