"""Refers to one child process safely, without keeping a descriptor open where the kernel allows.

Process ids are reused, so a signal by id may reach another process. A pidfd is safe, but thousands of them use up the
limit of open files. Since Linux 6.9 each process's pidfd has an inode number that is never reused: there the number is
kept in place of the descriptor.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Iterator
from functools import cache


class ProcessHandle:
    """One child; whatever is asked of it concerns this process or none."""

    def __init__(self, pid: int, pidfd: int) -> None:
        """Take a pidfd over."""
        self._pid = pid
        self._number = 0
        self._kept: int | None = pidfd
        if _are_numbered():
            self._number = os.fstat(pidfd).st_ino
            self.close()

    @property
    def running(self) -> bool:
        """Say whether it has not ended."""
        with self._opened() as pidfd:
            if pidfd is None:
                return False
            waiting = select.poll()
            waiting.register(pidfd, select.POLLIN)
            return not waiting.poll(0)

    def signal(self, number: int) -> bool:
        """Send it a signal; False where it has ended."""
        with self._opened() as pidfd, contextlib.suppress(ProcessLookupError):
            if pidfd is not None:
                signal.pidfd_send_signal(pidfd, number)
                return True
        return False

    def close(self) -> None:
        """Give back what is kept; nothing may be asked afterwards where a descriptor was."""
        if self._kept is not None:
            kept, self._kept = self._kept, None
            os.close(kept)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int | None]:
        """Lend a pidfd; None where the process has been reaped."""
        if self._kept is not None or not self._number:
            yield self._kept
            return
        try:
            pidfd = os.pidfd_open(self._pid)
        except ProcessLookupError:
            yield None
            return
        try:
            yield pidfd if os.fstat(pidfd).st_ino == self._number else None
        finally:
            os.close(pidfd)


@cache
def _are_numbered() -> bool:
    """Say whether pidfds have a file system of their own; elsewhere they share one inode with what else is nameless."""
    pidfd, nameless = os.pidfd_open(os.getpid()), select.epoll()
    try:
        return os.fstat(pidfd).st_dev != os.fstat(nameless.fileno()).st_dev
    finally:
        os.close(pidfd)
        nameless.close()
