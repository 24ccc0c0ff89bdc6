"""Tries on this host everything that a bot must not do.

Every forbidden act is tried twice: in an unlocked child, where it should work, and in a locked one, where it
must not. All children are forked from clean processes that are started for the purpose, never from the caller.
What cannot be proved counts against the host: where the examination itself fails, no bot runs.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

from sandbox.process.launch import import_paths
from sandbox.process.limits import Limits

WORKED, NOT_LOCKED = "worked", "not locked: "
# The only outcomes that prove a wall; anything else, a hang or an oddity, counts as open.
PROOFS = {
    "EPERM", "EACCES", "EBADF", "MemoryError", "killed by SIGSYS", "killed by SIGXCPU",
    "SECURITY", "gone",
}  # fmt: skip
STOPPED, OPEN, UNPROVED, WORKS = "stopped", "OPEN", "not provable here", "works"
TIMEOUT = 60
_ENVIRONMENT = {"PYTHONHASHSEED": "0", "LANG": "C.UTF-8", "TZ": "UTC"}
_START = "import sys; sys.path[:0] = sys.argv.pop(1).split(':'); from sandbox.doctor.{} import main; main()"


@dataclass(frozen=True, slots=True)
class Row:
    """One act: what came of it unlocked and locked, the verdict, and the layers that stop it alone."""

    act: str
    unlocked: str
    locked: str
    verdict: str
    layer: str


@dataclass(frozen=True, slots=True)
class Findings:
    """What this host offers: A is everything, B lacks a layer, none means that no bots may run."""

    level: str
    layers: tuple[str, ...]
    notes: tuple[str, ...]
    seconds: float
    acts: tuple[Row, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the findings as plain JSON values."""
        return {
            "level": self.level,
            "layers": list(self.layers),
            "notes": list(self.notes),
            "seconds": self.seconds,
            "acts": [asdict(row) for row in self.acts],
        }


class _ExaminationError(Exception):
    """A part of the examination did not come to an end."""


def examine(*, explain: bool = False, limits: Limits | None = None, tuned: bool = True) -> Findings:
    """Try everything; `explain` also finds out which layers stop an act on their own, `tuned` is as of `Pool`."""
    began = time.monotonic()
    limits = limits or Limits()
    if sys.platform != "linux":
        note = "bots run on Linux only: this system has no seccomp (see README)"
        return Findings("none", (), (note,), 0.0, ())
    told: dict[str, Any] = {"limits": asdict(limits), "explain": explain, "uid": None, "tuned": tuned}
    secret = {"ARENA_DOCTOR_CANARY": secrets.token_hex(16)}
    try:
        worker_part = _start("workers", told, {**_ENVIRONMENT, **secret})
        try:
            told["uid"] = _spare_uid(limits)
            attempts = _finish(_start("attempts", told, _ENVIRONMENT))
        finally:
            # Waited for in any case, so that nothing outlives the examination.
            output = _output(worker_part)
        workers = _read("workers", worker_part.returncode, output)
    except _ExaminationError as error:
        return Findings("none", (), (str(error),), _since(began), ())
    return _conclude(attempts, workers, began)


def _spare_uid(limits: Limits) -> int | None:
    """Return the last free uid, which a running server reaches last."""
    if os.geteuid() != 0:
        return None
    from sandbox.errors import SandboxUnavailableError
    from sandbox.process.identities import free_uids

    try:
        return free_uids(limits)[-1]
    except SandboxUnavailableError as error:
        raise _ExaminationError(str(error)) from error


def _start(module: str, told: dict[str, Any], environment: dict[str, str]) -> subprocess.Popen[str]:
    command = [
        sys.executable, "-s", "-P", "-B", "-c", _START.format(module), import_paths(), json.dumps(told),
    ]  # fmt: skip
    try:
        return subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command, env=environment, cwd="/", close_fds=True, start_new_session=True, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
    except OSError as error:
        raise _ExaminationError(f"cannot start the examination: {error.strerror}") from error


def _output(process: subprocess.Popen[str]) -> tuple[str, str]:
    try:
        return process.communicate(timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()


def _finish(process: subprocess.Popen[str]) -> dict[str, Any]:
    output = _output(process)
    return _read("attempts", process.returncode, output)


def _read(part: str, code: int, output: tuple[str, str]) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = json.loads(output[0])
    except ValueError as error:
        last = (output[1].strip().splitlines() or [f"exit {code}"])[-1]
        raise _ExaminationError(f"the examination itself failed ({part}: {last[:300]})") from error
    return answer


def _conclude(attempts: dict[str, Any], workers: dict[str, Any], began: float) -> Findings:
    from sandbox.doctor.guest import LEGAL

    rows = [_row(*row) for row in attempts["rows"]]
    rows += [_row(*row, wanted=row[0] == LEGAL) for row in workers.get("rows", ())]
    confined = [attempts["confinement"], workers.get("confinement") or {}]
    notes = list(dict.fromkeys(note for each in confined for note in each.get("notes", ())))
    refusals = [text for text in (attempts["refused"], workers.get("failed", "")) if text]
    failed = [row.act for row in rows if row.verdict == OPEN]
    if failed:
        refusals.append(f"not as it must be: {', '.join(failed)}")
    # A before B before none, as it happens.
    level = "none" if refusals else max(str(each.get("level", "none")) for each in confined)
    layers = () if refusals else tuple(confined[0].get("layers", ()))
    return Findings(level, layers, tuple(dict.fromkeys([*refusals, *notes])), _since(began), tuple(rows))


def _row(act: str, unlocked: str, locked: str, layers: list[str], *, wanted: bool = False) -> Row:
    if wanted:
        verdict = WORKS if locked == WORKED else OPEN
    elif unlocked != WORKED or locked.startswith(NOT_LOCKED):
        verdict = UNPROVED
    else:
        verdict = STOPPED if locked in PROOFS else OPEN
    return Row(act, unlocked, locked, verdict, ", ".join(layers))


def _since(began: float) -> float:
    return round(time.monotonic() - began, 3)


__all__ = ["Findings", "Row", "examine"]
