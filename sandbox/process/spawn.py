"""A child that has been ordered from the zygote and is not yet a `Worker`."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
from concurrent.futures import Future
from dataclasses import dataclass, field

from sandbox.errors import OutOfSlotsError
from sandbox.process.handle import ProcessHandle
from sandbox.talk.shared_page import SharedPage, new_page

# Descriptors left for everything else: requests, the database, the pidfd by which a worker is killed.
_RESERVE = 100


@dataclass(slots=True)
class PipeEnds:
    """The server's ends of a child's two pipes, and the shared page if there is one.

    `theirs` are the child's ends, open here until they have been sent to the zygote.
    """

    down: int
    up: int
    theirs: list[int]
    page: SharedPage | None = None

    def close_theirs(self) -> None:
        """Close the child's ends here; the zygote has its own copies."""
        while self.theirs:
            os.close(self.theirs.pop())

    def close(self) -> None:
        """Close the server's ends."""
        for descriptor in (self.down, self.up):
            with contextlib.suppress(OSError):
                os.close(descriptor)
        if self.page is not None:
            self.page.close()


@dataclass(slots=True)
class SpawnRequest:
    """A fork under way: the user id set aside for it, its pipes, and the future of its process id and handle."""

    uid: int | None
    control: socket.socket
    ends: PipeEnds
    future: Future[tuple[int, ProcessHandle]] = field(default_factory=Future)

    def drop(self) -> int | None:
        """Give the child up, which ends it; return its process id if it has one."""
        self.ends.close()
        if not self.future.done() or self.future.exception() is not None:
            return None
        pid, handle = self.future.result()
        handle.close()
        return pid


def open_ends(*, shared: bool = False) -> PipeEnds:
    """Open two pipes, whose server ends do not block, and a shared page if wanted."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.ExitStack() as undo:
        try:
            down_read, down_write = _kept(undo, *os.pipe2(os.O_CLOEXEC))
            up_read, up_write = _kept(undo, *os.pipe2(os.O_CLOEXEC))
            pages = _kept(undo, new_page()) if shared else ()
            page = SharedPage(*pages) if shared else None
        except OSError as error:
            raise OutOfSlotsError(f"cannot start a worker: {error.strerror}") from error
        if page is not None:
            undo.callback(page.close)
        if max((up_write, *pages)) >= allowed - _RESERVE:
            raise OutOfSlotsError(f"cannot start a worker: the limit of {allowed} open descriptors is near")
        os.set_blocking(down_write, False)
        os.set_blocking(up_read, False)
        undo.pop_all()
        return PipeEnds(down_write, up_read, [down_read, up_write, *pages], page)


def _kept(undo: contextlib.ExitStack, *opened: int) -> tuple[int, ...]:
    for descriptor in opened:
        undo.callback(os.close, descriptor)
    return opened
