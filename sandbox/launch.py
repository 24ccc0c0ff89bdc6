"""Executes the process that forks workers, in an environment that holds nothing."""

from __future__ import annotations

import json
import resource
import socket
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from sandbox import kernel
from sandbox.errors import SandboxUnavailableError
from sandbox.limits import Limits
from sandbox.protocol import CONTROL, Word

ROOT = Path(__file__).resolve().parent.parent
_ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}
_START = "import sys; sys.path[:0] = sys.argv.pop(1).split(':'); from sandbox.zygote import main; main()"


def allow_descriptors() -> None:
    """Raise the limit as far as it goes: at three descriptors a worker the usual 1024 would end at 330 bots."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def launch(runtime: str, limits: Limits) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start a zygote and wait until it is ready; return it, and the control socket to it."""
    # The server's own memory holds keys: no process of the same user may look into it.
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    paths = ":".join([str(ROOT), *(path for path in sys.path if "site-packages" in path)])
    command = [
        sys.executable, "-s", "-P", "-B", "-c", _START, paths,
        str(theirs.fileno()), runtime, json.dumps(asdict(limits)),
    ]  # fmt: skip
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
        command, env=_ENVIRONMENT, cwd="/", close_fds=True, pass_fds=(theirs.fileno(),),
        start_new_session=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    theirs.close()
    data = ours.recv(CONTROL.size)
    if not data or CONTROL.unpack(data)[0] != Word.READY:
        process.kill()
        process.wait()
        ours.close()
        raise SandboxUnavailableError("the process that starts bots did not come up")
    return process, ours
