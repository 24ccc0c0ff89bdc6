"""What the forbidden acts are tried on: made for the examination and removed after it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sandbox.process import kernel

SPIN_FREE = 0.02
# Kernels before 5.3 round a CPU limit of nothing up to a second.
SPIN_LIMITED = 1.5


@dataclass(slots=True)
class Targets:
    """One folder, three listeners on this machine only, and a sibling that does nothing."""

    folder: Path
    tcp_port: int
    udp_port: int
    abstract_name: str
    parent: int
    sibling: int
    sibling_address: int
    leaked_read: int = -1
    leaked_write: int = -1
    spin: float = SPIN_FREE

    @property
    def secret(self) -> str:
        """Return the path of the file that must not be read."""
        return str(self.folder / "secret")


@dataclass(frozen=True, slots=True)
class ForbiddenAct:
    """One forbidden act: an attempt returns where it worked and raises what stopped it."""

    name: str
    attempt: Callable[[Targets], object]
    prepare: Callable[[], Callable[[], object]] | None = None
    # A layer that not every kernel allows: where it is missing, which is noted, the act proves nothing.
    layer: str = ""


# Bytes that the sibling has at the same address as the process it was forked from.
_MARK = ctypes.create_string_buffer(b"sibling", 64)


@contextlib.contextmanager
def targets() -> Iterator[Targets]:
    """Make the targets, and remove them afterwards."""
    with contextlib.ExitStack() as stack:
        folder = _folder(stack)
        tcp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        unix = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        name = f"\0arena-doctor-{secrets.token_hex(8)}"
        # A host without a loopback device cannot prove these acts; the others still count.
        with contextlib.suppress(OSError):
            tcp.bind(("127.0.0.1", 0))
            tcp.listen(64)
            udp.bind(("127.0.0.1", 0))
        unix.bind(name)
        unix.listen(64)
        sibling = _sibling()
        stack.callback(_end, sibling)
        yield Targets(
            folder, tcp.getsockname()[1], udp.getsockname()[1], name, os.getpid(), sibling,
            ctypes.addressof(_MARK),
        )  # fmt: skip


def _folder(stack: contextlib.ExitStack) -> Path:
    try:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="arena-doctor-")))
        (folder / "secret").write_bytes(b"not for bots")
    except OSError:
        return Path("/nonexistent-arena-doctor")
    return folder


def _sibling() -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
            while os.getppid() == parent:
                signal.pause()
        finally:
            os._exit(0)
    return pid


def _end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
