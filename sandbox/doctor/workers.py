"""The part of the examination that tries acts in real workers of a real pool, with this process as the server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from typing import Any

from sandbox.doctor.guest import BOT, CANARY, LEAKED, LEGAL, trade
from sandbox.errors import SandboxError
from sandbox.pool import Pool
from sandbox.process.limits import Limits
from sandbox.talk.gather import gather
from sandbox.talk.protocol import Kind
from sandbox.talk.request import WorkerReply, WorkerRequest

RUNTIME = "sandbox.doctor.guest:Probe"
BREAKOUTS = {
    "run os.system in a worker": "os.system",
    "run the C library's system in a worker": "libc",
    "find a secret of the server's environment": "environment",
    "read a descriptor of the server": "descriptor",
}
# Tried before the tripwire is armed, which would end the worker for merely looking.
_UNARMED = {"environment", "descriptor"}


def _controls() -> dict[str, str]:
    """Try the same acts where no wall is: here, and in a child that inherits what we have."""
    leak = subprocess.run(  # noqa: S603 - a fixed command
        ["/bin/sh", "-c", f'test -n "${CANARY}" && echo env; read -r x <&{LEAKED} && echo leak'],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, pass_fds=(LEAKED,), check=False,
    ).stdout  # fmt: skip
    ran = os.system("exit 0") == 0  # noqa: S605, S607 - the act itself
    namespace: dict[str, Any] = {}
    exec(BOT, namespace)  # noqa: S102 - our own constant
    worked = {
        "os.system": ran,
        "libc": ran,
        "environment": b"env" in leak,
        "descriptor": b"leak" in leak,
        LEGAL: trade(namespace, 101.0) == [["BUY", 101.0]],
    }
    return {name: "worked" if happened else "failed" for name, happened in worked.items()}


def _breakouts(pool: Pool, program: bytes) -> dict[str, str]:
    found = {}
    for name in BREAKOUTS.values():
        worker, start = pool.spawn(program, b"")
        try:
            if name not in _UNARMED:
                gather([start])
            answer = gather([_ask(worker, json.dumps(name))])[0]
        finally:
            worker.close()
        found[name] = _outcome(answer)
    return found


def _legal(pool: Pool, program: bytes) -> str:
    worker, start = pool.spawn(program, b"")
    try:
        gather([start])
        answers = [gather([_ask(worker, json.dumps(price))])[0] for price in (99.0, 101.0)]
    finally:
        worker.close()
    orders = [answer.payload for answer in answers]
    return "worked" if orders == [b"[]", b'[["BUY", 101.0]]'] else answers[-1].reason or "failed"


def _ask(worker: Any, text: str) -> WorkerRequest:
    # A minute by the wall clock: that a crowded machine is slow to answer says nothing of the sandbox.
    return WorkerRequest(worker, Kind.CALL, text.encode(), 1.0, 1.0, 60.0)


def _outcome(answer: WorkerReply) -> str:
    if answer.payload is None:
        return answer.verdict.name
    return answer.payload.decode("ascii", "replace")


def main() -> None:
    """Run the end-to-end part and print what came of it as JSON."""
    told = json.loads(sys.argv[1])
    with tempfile.TemporaryFile() as secret:
        secret.write(b"not for bots\n")
        secret.flush()
        secret.seek(0)
        os.dup2(secret.fileno(), LEAKED, inheritable=True)
        controls = _controls()
        pool = Pool(RUNTIME, Limits(**told["limits"]), tuned=told["tuned"])
        try:
            found = _examine(pool)
        except SandboxError as error:
            print(json.dumps({"failed": str(error)}))
            return
        finally:
            pool.stop()
    rows = [[row, controls[key], found[key], []] for row, key in (*BREAKOUTS.items(), (LEGAL, LEGAL))]
    print(json.dumps({"rows": rows, "confinement": pool.confinement}))


def _examine(pool: Pool) -> dict[str, str]:
    pool.start()
    checked = pool.check(BOT)
    return {**_breakouts(pool, checked.program), LEGAL: _legal(pool, checked.program)}
