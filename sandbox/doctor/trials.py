"""Tries every forbidden act in a free child and in a locked one, each forked from a clean process."""

from __future__ import annotations

import errno
import json
import os
import select
import signal
import sys
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from sandbox.doctor import acts, kernel_acts
from sandbox.doctor.scene import SPIN_LIMITED, Act, Scene, scene
from sandbox.process import landlock, lockdown
from sandbox.process.limits import Limits

ACTS = (*acts.ACTS, *kernel_acts.ACTS)
WORKED, NOT_LOCKED = "worked", "not locked: "
PATIENCE = 5000
FIRST_DESCRIPTOR = 3
_LEAKED_READ, _LEAKED_WRITE = 40, 41

# What each layer stops without the others. "closing" is the closing of inherited descriptors.
LAYERS: dict[str, tuple[lockdown.Step, ...]] = {
    "closing": (),
    "rlimits": (lockdown.limit_resources, lockdown.close_descriptors),
    "identity": (lockdown.separate, lockdown.hide),
    "landlock": (lockdown.refuse_privileges, lockdown.fence_files),
    "clocks": (lockdown.stop_clocks,),
    "seccomp": (lockdown.refuse_privileges, lockdown.filter_calls),
}


@dataclass(slots=True)
class Trial:
    """How one child fared: its cage if it has one, and the outcome in one word or two."""

    outcome: str
    cage: dict[str, Any] = field(default_factory=dict)


class Court:
    """Runs the trials one after the other."""

    def __init__(self, stage: Scene, limits: Limits, uid: int | None) -> None:
        self._scene = stage
        self._limits = limits
        self._uid = uid
        self._landlock = landlock.abi()

    def free(self, act: Act) -> Trial:
        """Try an act without any wall."""
        return self._fork(act, (), closing=False)

    def locked(self, act: Act) -> Trial:
        """Try an act behind all of them."""
        return self._fork(act, lockdown.STEPS, closing=True)

    def layers(self, act: Act) -> list[str]:
        """Return the layers that stop an act on their own."""
        tried = {name: self._fork(act, steps, closing=name == "closing").outcome for name, steps in LAYERS.items()}
        return [name for name, outcome in tried.items() if not _came_through(outcome)]

    def _fork(self, act: Act, steps: tuple[lockdown.Step, ...], *, closing: bool) -> Trial:
        parent = os.getpid()
        up_read, up_write = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                self._child(act, steps, up_write, parent, closing=closing)
            finally:
                os._exit(70)
        os.close(up_write)
        try:
            return _judge(pid, up_read)
        finally:
            os.close(up_read)

    def _child(self, act: Act, steps: tuple[lockdown.Step, ...], write: int, parent: int, *, closing: bool) -> NoReturn:
        limited = lockdown.limit_resources in steps
        if limited:
            self._scene.spin = SPIN_LIMITED
        # Held back until the act itself: the limit must not end the child while it is being locked.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGXCPU})
        self._place(write, closing=closing)
        spins = act.name == "spin"
        limits = replace(self._limits, lifetime_cpu=0) if spins else self._limits
        cage = lockdown.Confinement(limits, self._uid, parent, self._landlock)
        attempt = act.attempt
        try:
            if act.prepare is not None:
                prepared = act.prepare()
                attempt = lambda _: prepared()  # noqa: E731
            lockdown.lock(cage, steps)
            if steps:
                told = {"level": cage.level, "layers": cage.layers, "notes": cage.notes}
                _say(json.dumps(told))
        except (OSError, lockdown.LockdownError) as error:
            _leave(f"{NOT_LOCKED}{error}")
        try:
            attempt(self._scene)
        except OSError as error:
            _leave(errno.errorcode.get(error.errno or 0, type(error).__name__))
        except BaseException as error:  # noqa: BLE001 - whatever stops an act is its outcome
            _leave(type(error).__name__)
        _leave(WORKED)

    def _place(self, write: int, *, closing: bool) -> None:
        os.setsid()
        secret = _try_open(self._scene.secret, os.O_RDONLY)
        null_in, null_out = os.open(os.devnull, os.O_RDONLY), os.open(os.devnull, os.O_WRONLY)
        # Lifted out of the way first, so that none of them lies on another's place.
        if secret >= 0:
            os.dup2(secret, _LEAKED_READ)
        os.dup2(null_out, _LEAKED_WRITE)
        for target, descriptor in enumerate((null_in, write, null_out)):
            os.dup2(descriptor, target)
        self._scene.leaked_read, self._scene.leaked_write = _LEAKED_READ, _LEAKED_WRITE
        if closing:
            os.closerange(FIRST_DESCRIPTOR, os.sysconf("SC_OPEN_MAX"))


def _came_through(outcome: str) -> bool:
    """Say whether a layer gets no credit: the act worked, or the layer could not be put up."""
    return outcome == WORKED or outcome.startswith(NOT_LOCKED)


def _try_open(path: str, flags: int) -> int:
    try:
        return os.open(path, flags)
    except OSError:
        return -1


def _say(line: str) -> None:
    os.write(1, line.encode() + b"\n")


def _leave(outcome: str) -> NoReturn:
    _say(outcome)
    os._exit(0)


def _judge(pid: int, descriptor: int) -> Trial:
    lines = _read_lines(pid, descriptor)
    _, status = os.waitpid(pid, 0)
    cage: dict[str, Any] = {}
    if lines and lines[0].startswith("{"):
        cage = json.loads(lines.pop(0))
    if os.WIFSIGNALED(status):
        return Trial(f"killed by {signal.Signals(os.WTERMSIG(status)).name}", cage)
    return Trial(lines[0] if lines else f"exit {os.waitstatus_to_exitcode(status)}", cage)


def _read_lines(pid: int, descriptor: int) -> list[str]:
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    data = b""
    while True:
        if not waiting.poll(PATIENCE):
            os.kill(pid, signal.SIGKILL)
            return data.decode("ascii", "replace").splitlines()
        part = os.read(descriptor, 4096)
        if not part:
            return data.decode("ascii", "replace").splitlines()
        data += part


def main() -> None:
    """Run all trials and print what came of them as JSON."""
    told = json.loads(sys.argv[1])
    rows = []
    cage: dict[str, Any] = {}
    refused = ""
    with scene() as stage:
        court = Court(stage, Limits(**told["limits"]), told["uid"])
        for act in ACTS:
            free, locked = court.free(act), court.locked(act)
            cage = locked.cage or cage
            if not locked.cage:
                refused = locked.outcome.removeprefix(NOT_LOCKED)
            if act.layer and act.layer not in locked.cage.get("layers", ()):
                locked.outcome = f"{NOT_LOCKED}no {act.layer} layer"
            layers = court.layers(act) if told["explain"] and free.outcome == WORKED else []
            rows.append([act.name, free.outcome, locked.outcome, layers])
    print(json.dumps({"rows": rows, "cage": cage, "refused": refused}))
