"""Executes a zygote, the process that forks workers, in an environment without secrets."""

from __future__ import annotations

import json
import resource
import socket
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from sandbox.errors import SandboxUnavailableError
from sandbox.process import kernel
from sandbox.process.limits import Limits
from sandbox.talk.protocol import CONTROL, Word
from sandbox.tuning.plan import TRICKS

ROOT = Path(__file__).resolve().parents[2]
_ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}
# As site calls them, and Debian.
_PACKAGES = ("site-packages", "dist-packages")
_START = "import sys; sys.path[:0] = sys.argv.pop(1).split(':'); from sandbox.process.start import main; main()"


def import_paths() -> str:
    """Return the import paths of an interpreter that runs without `site`, with `:` between."""
    return ":".join([str(ROOT), *(path for path in sys.path if path.endswith(_PACKAGES))])


def allow_descriptors() -> None:
    """Raise the limit of open files to its maximum: at two a worker, the usual 1024 would end at 450 bots."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class ZygoteLaunch:
    """A zygote that is starting; it prepares itself meanwhile, and then waits for its limits."""

    def __init__(self, runtime: str, tricks: Iterable[str] = TRICKS) -> None:
        # The server's own memory holds keys: no process of the same user may look into it.
        kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # Without `site`: it takes as long as the interpreter itself, and only finds the paths that stand here.
        command = [
            sys.executable,
            "-S",
            "-s",
            "-P",
            "-c",
            _START,
            import_paths(),
            str(theirs.fileno()),
            runtime,
            *tricks,
        ]
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command, env=_ENVIRONMENT, cwd="/", close_fds=True, pass_fds=(theirs.fileno(),),
            start_new_session=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        theirs.close()

    def finish(self, limits: Limits) -> tuple[subprocess.Popen[bytes], socket.socket]:
        """Send the limits and wait until the zygote is ready; return its process and control socket."""
        try:
            self._control.send(json.dumps(asdict(limits)).encode())
            data = self._control.recv(CONTROL.size)
        except OSError:
            data = b""
        if not data or CONTROL.unpack(data)[0] != Word.READY:
            self.drop()
            raise SandboxUnavailableError("the process that starts bots did not come up")
        return self._process, self._control

    def drop(self) -> None:
        """Kill it instead of using it."""
        self._process.kill()
        self._process.wait()
        self._control.close()


def wait_for_exit(process: subprocess.Popen[bytes]) -> None:
    """Wait for a zygote whose control socket is closed; kill it where it does not end by itself."""
    try:
        process.wait(timeout=3)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
