"""The server's handle on one locked child: its pipes, its CPU clock, and its end."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import signal
import time
from collections.abc import Callable
from typing import Any

from sandbox.limits import Limits
from sandbox.protocol import Frame, FrameReader, Kind, ProtocolFault, encode
from sandbox.verdict import Ending, Verdict, read_exit

_UNSENT_LIMIT = 8 << 20


class Worker:
    """One child; every method returns at once except `close`."""

    def __init__(
        self,
        pid: int,
        pidfd: int,
        pipes: tuple[int, int],
        limits: Limits,
        release: Callable[[], None],
    ) -> None:
        self.pid = pid
        self.confinement: dict[str, Any] = {}
        self.asked_at = 0.0
        self.asked_cpu = 0.0
        self.waiting_for: int | None = None
        # Each question may be answered once, in time or late; anything more is a forgery.
        self._unanswered: set[int] = set()
        self._closed = False
        self._pidfd = pidfd
        self._down, self._up = pipes
        self._limits = limits
        self._release = release
        self._reader = FrameReader(limits.frame_bytes)
        self._unsent = b""
        self._seq = 0
        self._allowance = float(limits.lifetime_cpu)
        self._killed_for: Ending | None = None
        self._ending: Ending | None = None
        self._status: int | None = None

    # -- asking -------------------------------------------------------------------------------

    def fileno(self) -> int:
        """Return the descriptor that becomes readable with an answer."""
        return self._up

    def allow_frame(self, size: int) -> None:
        """Set how large the next answers may be, in bytes."""
        self._reader.budget = size

    def ask(self, kind: Kind, payload: bytes) -> int:
        """Send a request and return its sequence number."""
        self._seq = (self._seq + 1) & 0xFFFFFFFF
        self.waiting_for = self._seq
        self._unanswered.add(self._seq)
        self.asked_at = time.monotonic()
        self.asked_cpu = self.cpu()
        if len(self._unsent) > _UNSENT_LIMIT:
            self.kill(Ending(Verdict.PROTOCOL_ERROR, "does not read its ticks"))
        self._unsent += encode(kind, self._seq, payload)
        self.flush()
        return self._seq

    @property
    def unsent(self) -> bool:
        """Say whether a part of the request still waits for the pipe."""
        return bool(self._unsent)

    @property
    def down_fileno(self) -> int:
        """Return the descriptor that becomes writable when the pipe has room."""
        return self._down

    def flush(self) -> None:
        """Write what the pipe takes."""
        while self._unsent:
            try:
                sent = os.write(self._down, self._unsent)
            except BlockingIOError:
                return
            except OSError:
                self._unsent = b""
                return
            self._unsent = self._unsent[sent:]

    def receive(self) -> Frame | Ending | None:
        """Return the answer to the last request, the worker's end, or None if neither is there.

        Answers to earlier requests are dropped: they came too late.
        """
        try:
            while True:
                frame = self._reader.next()
                if frame is not None:
                    accepted = self._accept(frame)
                    if accepted is not None:
                        return accepted
                    continue
                data = os.read(self._up, min(self._reader.wanted, 1 << 18))
                if not data:
                    return self._ended()
                self._reader.feed(data)
        except BlockingIOError:
            return None
        except ProtocolFault as fault:
            verdict = Verdict.OUTPUT_LIMIT if fault.oversize else Verdict.PROTOCOL_ERROR
            self.kill(Ending(verdict, f"broke the protocol: {fault}"))
            return self._ended()
        except OSError as error:
            if error.errno != errno.EBADF:
                raise
            return self._ended()

    def _accept(self, frame: Frame) -> Frame | Ending | None:
        if frame.kind is Kind.LOCKED and frame.seq == 0 and not self.confinement:
            self.confinement = _confinement(frame.payload)
            return None
        if frame.kind is Kind.FAULT and frame.seq == 0 and not self.confinement:
            reason = "could not be locked down: " + frame.payload[:300].decode("utf-8", "replace")
            self.kill(Ending(Verdict.EXITED, reason))
            return self._ended()
        if frame.seq not in self._unanswered:
            raise ProtocolFault("an answer that nobody asked for")
        self._unanswered.discard(frame.seq)
        if frame.seq != self.waiting_for:
            return None
        self.waiting_for = None
        return frame

    # -- measuring ----------------------------------------------------------------------------

    def cpu(self) -> float:
        """Return the CPU seconds this child has used, read from the kernel."""
        try:
            return time.clock_gettime((~self.pid << 3) | 2)
        except OSError:
            return self._allowance

    def cpu_since_asked(self) -> float:
        """Return the CPU seconds used since the last request."""
        return self.cpu() - self.asked_cpu

    def extend_lifetime(self) -> None:
        """Move the lifetime CPU limit forward for a bot that has aged honestly."""
        if self.cpu() * 2 > self._allowance:
            self._allowance = self.cpu() * 2 + self._limits.lifetime_cpu
            with contextlib.suppress(OSError, ValueError):
                _, hard = resource.prlimit(self.pid, resource.RLIMIT_CPU)
                resource.prlimit(self.pid, resource.RLIMIT_CPU, (int(self._allowance), hard))

    def demote(self) -> None:
        """Let it run only when nothing else wants the CPU, where that can be taken back again."""
        if os.geteuid() == 0 or resource.getrlimit(resource.RLIMIT_NICE)[0] >= 20 - self._limits.nice:
            self._schedule(os.SCHED_IDLE)

    def restore(self) -> None:
        """Give it its ordinary share again."""
        self._schedule(os.SCHED_OTHER)

    def _schedule(self, policy: int) -> None:
        with contextlib.suppress(OSError):
            os.sched_setscheduler(self.pid, policy, os.sched_param(0))

    # -- ending ---------------------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        """Say whether it has not been seen to end."""
        return self._ending is None and self._status is None

    def kill(self, reason: Ending) -> None:
        """End it now, for a stated reason; the first reason stands."""
        if self._closed:
            return
        if self._killed_for is None:
            self._killed_for = reason
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def exited(self, status: int) -> None:
        """Take the wait status that the zygote reported."""
        self._status = status

    def _ended(self) -> Ending:
        """Read the ending; where the status has not come yet, wait a moment for it."""
        if self._ending is None:
            deadline = time.monotonic() + 2.0
            while self._status is None and time.monotonic() < deadline:
                if self._killed_for is None:
                    self.kill(Ending(Verdict.EXITED, "closed its pipe"))
                time.sleep(0.0005)
            status = 9 if self._status is None else self._status
            self._ending = read_exit(status, killed_for=self._killed_for)
        return self._ending

    def close(self) -> None:
        """Kill it if it still runs, and give its descriptors and identity back."""
        if self._closed:
            return
        self.kill(Ending(Verdict.OK, "was stopped"))
        self._closed = True
        for descriptor in (self._down, self._up, self._pidfd):
            with contextlib.suppress(OSError):
                os.close(descriptor)
        self._release()


def _confinement(payload: bytes) -> dict[str, Any]:
    import json

    try:
        told = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise ProtocolFault("a confinement report that cannot be read") from error
    if not isinstance(told, dict):
        raise ProtocolFault("a confinement report that cannot be read")
    return told
