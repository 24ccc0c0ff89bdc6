"""Tries every forbidden act in an unlocked child and in a locked one, each forked from a clean process."""

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
from sandbox.doctor.targets import SPIN_LIMITED, ForbiddenAct, Targets, targets
from sandbox.process import landlock, lockdown
from sandbox.process.limits import Limits

ACTS = (*acts.ACTS, *kernel_acts.ACTS)
WORKED, NOT_LOCKED = "worked", "not locked: "
_LONGEST_MS = 5000
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
class Attempt:
    """What came of one act in one child: the outcome in one word or two, and its lock-down if it was locked."""

    outcome: str
    confinement: dict[str, Any] = field(default_factory=dict)


class ActRunner:
    """Tries acts in children of this process, one after the other."""

    def __init__(self, made: Targets, limits: Limits, uid: int | None) -> None:
        self._targets = made
        self._limits = limits
        self._uid = uid
        self._landlock = landlock.abi()

    def unlocked(self, act: ForbiddenAct) -> Attempt:
        """Try an act without any wall."""
        return self._fork(act, (), closing=False)

    def locked(self, act: ForbiddenAct) -> Attempt:
        """Try an act behind every layer."""
        return self._fork(act, lockdown.STEPS, closing=True)

    def layers(self, act: ForbiddenAct) -> list[str]:
        """Return the layers that stop an act on their own."""
        tried = {name: self._fork(act, steps, closing=name == "closing").outcome for name, steps in LAYERS.items()}
        return [name for name, outcome in tried.items() if _stopped(outcome)]

    def _fork(self, act: ForbiddenAct, steps: tuple[lockdown.Step, ...], *, closing: bool) -> Attempt:
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
            return _attempt_of(pid, up_read)
        finally:
            os.close(up_read)

    def _child(
        self, act: ForbiddenAct, steps: tuple[lockdown.Step, ...], write: int, parent: int, *, closing: bool
    ) -> NoReturn:
        limited = lockdown.limit_resources in steps
        if limited:
            self._targets.spin = SPIN_LIMITED
        # Held back until the act itself: the limit must not end the child while it is being locked.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGXCPU})
        self._place(write, closing=closing)
        spins = act.name == "spin"
        limits = replace(self._limits, lifetime_cpu=0) if spins else self._limits
        confinement = lockdown.Confinement(limits, self._uid, parent, self._landlock)
        attempt = act.attempt
        try:
            if act.prepare is not None:
                prepared = act.prepare()
                attempt = lambda _: prepared()  # noqa: E731
            lockdown.lock(confinement, steps)
            if steps:
                told = {"level": confinement.level, "layers": confinement.layers, "notes": confinement.notes}
                _print(json.dumps(told))
        except (OSError, lockdown.LockdownError) as error:
            _end_with(f"{NOT_LOCKED}{error}")
        try:
            attempt(self._targets)
        except OSError as error:
            _end_with(errno.errorcode.get(error.errno or 0, type(error).__name__))
        except BaseException as error:  # noqa: BLE001 - whatever stops an act is its outcome
            _end_with(type(error).__name__)
        _end_with(WORKED)

    def _place(self, write: int, *, closing: bool) -> None:
        os.setsid()
        secret = _try_open(self._targets.secret, os.O_RDONLY)
        null_in, null_out = os.open(os.devnull, os.O_RDONLY), os.open(os.devnull, os.O_WRONLY)
        # Lifted out of the way first, so that none of them lies on another's place.
        if secret >= 0:
            os.dup2(secret, _LEAKED_READ)
        os.dup2(null_out, _LEAKED_WRITE)
        for target, descriptor in enumerate((null_in, write, null_out)):
            os.dup2(descriptor, target)
        self._targets.leaked_read, self._targets.leaked_write = _LEAKED_READ, _LEAKED_WRITE
        if closing:
            os.closerange(FIRST_DESCRIPTOR, os.sysconf("SC_OPEN_MAX"))


def _stopped(outcome: str) -> bool:
    """Say whether a layer has stopped an act: it did not work, and the layer could be put up."""
    return outcome != WORKED and not outcome.startswith(NOT_LOCKED)


def _try_open(path: str, flags: int) -> int:
    try:
        return os.open(path, flags)
    except OSError:
        return -1


def _print(line: str) -> None:
    os.write(1, line.encode() + b"\n")


def _end_with(outcome: str) -> NoReturn:
    _print(outcome)
    os._exit(0)


def _attempt_of(pid: int, descriptor: int) -> Attempt:
    lines = _read_lines(pid, descriptor)
    _, status = os.waitpid(pid, 0)
    confinement: dict[str, Any] = {}
    if lines and lines[0].startswith("{"):
        confinement = json.loads(lines.pop(0))
    if os.WIFSIGNALED(status):
        return Attempt(f"killed by {signal.Signals(os.WTERMSIG(status)).name}", confinement)
    return Attempt(lines[0] if lines else f"exit {os.waitstatus_to_exitcode(status)}", confinement)


def _read_lines(pid: int, descriptor: int) -> list[str]:
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    data = b""
    while True:
        if not waiting.poll(_LONGEST_MS):
            os.kill(pid, signal.SIGKILL)
            return data.decode("ascii", "replace").splitlines()
        part = os.read(descriptor, 4096)
        if not part:
            return data.decode("ascii", "replace").splitlines()
        data += part


def main() -> None:
    """Try every act and print what came of each as JSON."""
    told = json.loads(sys.argv[1])
    rows = []
    confinement: dict[str, Any] = {}
    refused = ""
    with targets() as made:
        runner = ActRunner(made, Limits(**told["limits"]), told["uid"])
        for act in ACTS:
            unlocked, locked = runner.unlocked(act), runner.locked(act)
            confinement = locked.confinement or confinement
            if not locked.confinement:
                refused = locked.outcome.removeprefix(NOT_LOCKED)
            if act.layer and act.layer not in locked.confinement.get("layers", ()):
                locked.outcome = f"{NOT_LOCKED}no {act.layer} layer"
            layers = runner.layers(act) if told["explain"] and unlocked.outcome == WORKED else []
            rows.append([act.name, unlocked.outcome, locked.outcome, layers])
    print(json.dumps({"rows": rows, "confinement": confinement, "refused": refused}))
