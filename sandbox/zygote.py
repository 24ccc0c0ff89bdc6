"""The process that forks workers: exec'd with a clean environment, one thread, everything preloaded.

It holds no secret, so that a worker forked from it inherits none. It talks over one control socket
in JSON messages: `spawn` comes down with two pipe ends; `spawned` (with a pidfd) and `exit` go up.
Address layout and hash seed are fixed, so that the same bot on the same ticks does the same.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import threading
from typing import Any

from sandbox import builtin_names, guards, kernel, landlock, lockdown
from sandbox.botclass import MODULE_NAME
from sandbox.child import Kit, run
from sandbox.host import Host, Namespace
from sandbox.limits import Limits
from sandbox.modules import build
from sandbox.modules.facade import names_of
from sandbox.modules.services import Services
from sandbox.protocol import CONTROL_BYTES
from sandbox.universe import freeze_host_classes


def fix_layout() -> None:
    """Switch address randomisation off for this process by starting it once more."""
    asked = kernel.personality(0xFFFFFFFF)
    if not asked & kernel.ADDR_NO_RANDOMIZE:
        if kernel.personality(asked | kernel.ADDR_NO_RANDOMIZE) < 0:
            return
        if kernel.personality(0xFFFFFFFF) & kernel.ADDR_NO_RANDOMIZE:
            os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - our own command line


def prepare(runtime: str, limits: Limits) -> Kit:
    """Import the guest, build the facades, and freeze what workers share."""
    services, tripwire = Services(), lockdown.Tripwire()
    services.quiet = tripwire.quiet
    module_name, _, name = runtime.partition(":")
    guest = getattr(importlib.import_module(module_name), name)
    modules = build(services)
    builtins = builtin_names.build(services, modules)
    gates = guards.build(services)

    def namespace() -> Namespace:
        own: dict[str, Any] = {"__builtins__": dict(builtins), "__name__": MODULE_NAME}
        return {**own, "__file__": "bot.py", "__doc__": None, **gates}

    _warm_up(services)
    freeze_host_classes()
    offered = {key: names_of(module) for key, module in modules.items()}
    return Kit(Host(services, tripwire), guest, namespace, offered, tripwire, limits)


def _warm_up(services: Services) -> None:
    """Touch what Python imports or looks up late."""
    import datetime as dt

    for codec in ("ascii", "latin-1", "utf-8-sig", "utf-16", "utf-32", "cp1252", "idna"):
        "x".encode(codec).decode(codec)
    dt.datetime.strptime("2024-01-02 03:04", "%Y-%m-%d %H:%M").strftime("%c")  # noqa: DTZ007
    services.rng.seed("a text: hashing it is a late import in 3.13")
    services.seed(0)


class Zygote:
    """Serves spawn requests until the server hangs up."""

    def __init__(self, control: socket.socket, kit: Kit) -> None:
        self._control = control
        self._kit = kit
        self._landlock = landlock.abi()
        # The server has the same capabilities: it moves the limit of a foreign uid only with this one.
        self._extends = os.geteuid() != 0 or kernel.has_capability(kernel.CAP_SYS_RESOURCE)
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def main_loop(self) -> None:
        """Fork on request, report exits, end when the control socket closes."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        self._tell({"op": "ready", "landlock": self._landlock, "pid": os.getpid()})
        waiting = select.poll()
        waiting.register(self._control, select.POLLIN)
        waiting.register(self._wake_read, select.POLLIN)
        while True:
            for descriptor, _ in waiting.poll():
                if descriptor == self._wake_read:
                    os.read(self._wake_read, 4096)
                elif not self._serve_one():
                    return
            self._reap()

    def _serve_one(self) -> bool:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._control, CONTROL_BYTES, 2)
        except ConnectionResetError:
            return False
        if not data:
            return False
        request = json.loads(data)
        self._spawn(request, descriptors)
        return True

    def _spawn(self, request: dict[str, Any], descriptors: list[int]) -> None:
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            self._tell({"op": "failed", "id": request["id"], "reason": error.strerror})
        else:
            if pid == 0:
                self._become_child(request, descriptors, parent)
            handle = os.pidfd_open(pid)
            self._tell({"op": "spawned", "id": request["id"], "pid": pid}, [handle])
            os.close(handle)
        for descriptor in descriptors:
            os.close(descriptor)

    def _become_child(self, request: dict[str, Any], descriptors: list[int], parent: int) -> None:
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            os.setsid()
            null = os.open("/dev/null", os.O_WRONLY)
            # Lifted out of the way first: a received descriptor may itself be 0, 1 or 2.
            high = [_lifted(descriptor) for descriptor in (*descriptors, null)]
            for target, descriptor in enumerate(high):
                os.dup2(descriptor, target)
            os.closerange(3, os.sysconf("SC_OPEN_MAX"))
            cage = lockdown.Confinement(self._kit.limits, request.get("uid"), parent, self._landlock, self._extends)
            run(self._kit, cage)
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
            self._tell({"op": "exit", "pid": pid, "status": status})

    def _tell(self, message: dict[str, Any], descriptors: list[int] | None = None) -> None:
        data = json.dumps(message).encode()
        try:
            socket.send_fds(self._control, [data], descriptors or [])
        except (BrokenPipeError, ConnectionResetError):
            os._exit(0)


def _lifted(descriptor: int) -> int:
    import fcntl

    return fcntl.fcntl(descriptor, fcntl.F_DUPFD, 10)


def main() -> None:
    """Run a zygote on the control socket given on the command line."""
    fix_layout()
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    descriptor, runtime, limits = sys.argv[1], sys.argv[2], Limits(**json.loads(sys.argv[3]))
    control = socket.socket(fileno=int(descriptor))
    control.set_inheritable(False)
    kit = prepare(runtime, limits)
    if threading.active_count() != 1:
        raise RuntimeError("the zygote must have one thread")
    gc.collect()
    gc.freeze()
    Zygote(control, kit).main_loop()
