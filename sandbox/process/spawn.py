"""A child that has been asked of the zygote and has not been handed to anyone yet."""

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

# Descriptors that workers leave to all else: requests, the database, the handle by which one of them is killed.
_RESERVE = 100


@dataclass(slots=True)
class PipeEnds:
    """What connects the server with a child: our ends of two pipes, and the page where one is shared.

    `theirs` are the child's, open here until they have been sent to the zygote.
    """

    down: int
    up: int
    theirs: list[int]
    page: SharedPage | None = None

    def close_theirs(self) -> None:
        """Close the child's ends."""
        while self.theirs:
            os.close(self.theirs.pop())

    def close(self) -> None:
        """Close ours."""
        for descriptor in (self.down, self.up):
            with contextlib.suppress(OSError):
                os.close(descriptor)
        if self.page is not None:
            self.page.close()


@dataclass(slots=True)
class SpawnRequest:
    """One request to fork: the identity set aside for it, what will connect us with it, and what will come."""

    uid: int | None
    control: socket.socket
    ends: PipeEnds
    # The process id and its handle.
    future: Future[tuple[int, ProcessHandle]] = field(default_factory=Future)

    def drop(self) -> int | None:
        """Close what belongs to it; return the process id if there is one."""
        self.ends.close()
        if not self.future.done() or self.future.exception() is not None:
            return None
        pid, handle = self.future.result()
        handle.close()
        return pid


def open_ends(*, shared: bool = False) -> PipeEnds:
    """Return two pipes, of which our own ends do not block, and a page if one is to be shared."""
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
