"""The server's end of one locked child: its pipes, its CPU clock, and how it ended."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import signal
import time
from collections.abc import Callable

from sandbox.process.handle import ProcessHandle
from sandbox.process.limits import Limits
from sandbox.process.spawn import PipeEnds
from sandbox.talk.cpu_allowance import CpuAllowance
from sandbox.talk.plain_text import plain_text
from sandbox.talk.protocol import HEADER, Frame, FrameReader, Kind, ProtocolFault, encode, next_number
from sandbox.talk.verdict import Ending, Verdict, read_exit

# What a child says of its lock-down: level, layers, notes.
Confinement = dict[str, str | list[str]]

_UNSENT_LIMIT = 8 << 20
# Seconds that a process may take to end once its pipe is closed, and that its exit status may take to come.
_GRACE = 0.2
_STATUS_WAIT = 10.0
# Bytes. Most replies are shorter than this and come whole; such a buffer comes from CPython's own allocator.
_SHORT = 472
# Stands for a reply that was just what was expected.
EXPECTED_FRAME = Frame(Kind.REPLY, -1, b"")
_ANSWERS = {int(kind): kind for kind in (Kind.REPLY, Kind.STARTED, Kind.CHECKED)}


class Worker:
    """One child; every method returns at once except `close`."""

    def __init__(
        self,
        pid: int,
        handle: ProcessHandle,
        ends: PipeEnds,
        limits: Limits,
        release: Callable[[], None],
    ) -> None:
        self.pid = pid
        self.confinement: Confinement = {}
        self.asked_at = 0.0
        self.waiting_for: int | None = None
        self.demoted = False
        # Requests that missed their deadline: each may still be answered once; any other reply is a forgery.
        self._missed: set[int] = set()
        # Read when the clock is first read after a request, not at the request: most never need it.
        self._asked_cpu: float | None = None
        self._closed = False
        self._handle = handle
        self.page = ends.page
        self._ends = ends
        self._down, self._up = ends.down, ends.up
        self._limits = limits
        self._release = release
        self._reader = FrameReader(limits.frame_bytes)
        self._unsent = b""
        self._allowance = CpuAllowance(pid, limits.lifetime_cpu)
        self._killed_for: Ending | None = None
        self._ending: Ending | None = None
        self._status: int | None = None

    # -- asking -------------------------------------------------------------------------------

    def fileno(self) -> int:
        """Return the descriptor that becomes readable with a reply."""
        return self._up

    def allow_frame(self, size: int) -> None:
        """Set how large the next replies may be, in bytes."""
        self._reader.budget = size

    def ask(self, kind: Kind, payload: bytes, worst: float) -> None:
        """Send a request that may take up to `worst` seconds of CPU, counted from now."""
        seq = next_number()
        self.send(encode(kind, seq, payload), seq, time.monotonic(), worst)
        self._asked_cpu = self.cpu()

    def expect(self, seq: int, now: float, worst: float) -> None:
        """Note that a request is on its way; its CPU time counts from the first reading of the clock."""
        if self.waiting_for is not None:
            self._missed.add(self.waiting_for)
        self.waiting_for, self.asked_at, self._asked_cpu = seq, now, None
        self._allowance.charge(worst)

    def charge(self, seconds: float) -> None:
        """Count CPU seconds that many requests together may have used (see `PageChannel.repeat`)."""
        self._allowance.charge(seconds)

    def send(self, frame: bytes, seq: int, now: float, worst: float) -> None:
        """Send a request that has been encoded with this sequence number; lean, because it runs once a bot and tick."""
        self.expect(seq, now, worst)
        self.write(frame)

    def write(self, frame: bytes) -> None:
        """Write a frame, or as much of it as the pipe takes now."""
        if self._unsent:
            self._queue(frame)
            return
        try:
            sent = os.write(self._down, frame)
        except BlockingIOError:
            sent = 0
        except OSError:
            return
        if sent != len(frame):
            self._unsent = frame[sent:]

    def _queue(self, frame: bytes) -> None:
        if len(self._unsent) > _UNSENT_LIMIT:
            self.kill(Ending(Verdict.PROTOCOL_ERROR, "does not read its ticks"))
        self._unsent += frame
        self.flush()

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

    def receive(self, expected: bytes | None = None) -> Frame | Ending | None:
        """Return the reply to the last request, the worker's end, or None if neither is there.

        A frame that equals `expected` to the byte is not parsed: `EXPECTED_FRAME` stands for it. Replies to
        earlier requests are dropped: they came too late.
        """
        try:
            if self._reader.pending:
                return self._next()
            data = os.read(self._up, _SHORT)
            if data == expected:
                self.waiting_for = None
                return EXPECTED_FRAME
            return self._whole_answer(data) or self._next(data)
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

    def _next(self, data: bytes | None = None) -> Frame | Ending:
        """Return the next frame that counts, of bytes that have been read and of those to come."""
        reader = self._reader
        while True:
            if data is not None:
                if not data:
                    return self._ended()
                reader.feed(data)
            frame = reader.next()
            while frame is not None:
                accepted = self._accept(frame)
                if accepted is not None:
                    return accepted
                frame = reader.next()
            data = os.read(self._up, min(reader.wanted, 1 << 18))

    def _whole_answer(self, data: bytes) -> Frame | None:
        """Return the frame if the bytes are the expected reply, the whole of it, and nothing else."""
        if len(data) < HEADER.size:
            return None
        length, kind, seq = HEADER.unpack_from(data)
        if seq != self.waiting_for or length != len(data) - HEADER.size or length > self._reader.budget:
            return None
        known = _ANSWERS.get(kind)
        if known is None:
            return None
        self.waiting_for = None
        return Frame(known, seq, data[HEADER.size :])

    def _accept(self, frame: Frame) -> Frame | Ending | None:
        if frame.kind is Kind.LOCKED and frame.seq == 0 and not self.confinement:
            self.confinement = _confinement(frame.payload)
            return None
        if frame.kind is Kind.FAULT and frame.seq == 0 and not self.confinement:
            reason = "could not be locked down: " + plain_text(frame.payload.decode("utf-8", "replace"), 300)
            self.kill(Ending(Verdict.EXITED, reason))
            return self._ended()
        if frame.seq == self.waiting_for:
            self.waiting_for = None
            return frame
        if frame.seq not in self._missed:
            raise ProtocolFault("an answer that nobody asked for")
        self._missed.discard(frame.seq)
        return None

    def cpu(self) -> float:
        """Return the CPU seconds this child has used, read from the kernel."""
        return self._allowance.used()

    def cpu_since_asked(self) -> float:
        """Return the CPU seconds used since the last request, or since the first call after `send`."""
        used = self.cpu()
        if self._asked_cpu is None:
            self._asked_cpu = used
        return used - self._asked_cpu

    def demote(self) -> None:
        """Schedule it with SCHED_IDLE, where this process may undo that again."""
        self.demoted = True
        if os.geteuid() == 0 or resource.getrlimit(resource.RLIMIT_NICE)[0] >= 20 - self._limits.nice:
            self._schedule(os.SCHED_IDLE)

    def restore(self) -> None:
        """Schedule it as an ordinary process again."""
        self.demoted = False
        self._schedule(os.SCHED_OTHER)

    def _schedule(self, policy: int) -> None:
        with contextlib.suppress(OSError):
            os.sched_setscheduler(self.pid, policy, os.sched_param(0))

    def pause(self) -> bool:
        """Stop it with SIGSTOP until `resume`; say whether the signal was delivered."""
        return self.alive and not self._closed and self._handle.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused worker run again."""
        if not self._closed:
            self._handle.signal(signal.SIGCONT)

    # -- ending ---------------------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        """Say whether it has not been seen to end."""
        return self._ending is None and self._status is None

    @property
    def running(self) -> bool:
        """Ask the kernel whether the process runs: the zygote's report may not have come yet."""
        return self.alive and self._handle.running

    def kill(self, reason: Ending) -> None:
        """End it now, for a stated reason; the first reason stands."""
        if self._closed:
            return
        if self._killed_for is None:
            self._killed_for = reason
        self._handle.signal(signal.SIGKILL)

    def exited(self, status: int) -> None:
        """Take the wait status that the zygote reported."""
        self._status = status

    def _ended(self) -> Ending:
        """Return why it ended; wait a moment for the exit status where that has not come yet."""
        if self._ending is None:
            began, closed = time.monotonic(), None
            while self._status is None and (waited := time.monotonic() - began) < _STATUS_WAIT:
                # The zygote's report of the exit may be under way, or the zygote may have ended itself. Not `kill`:
                # if it has, that is the reason that counts, although it is heard of later.
                if waited > _GRACE and closed is None and not self._closed:
                    closed = Ending(Verdict.EXITED, "closed its pipe")
                    self._handle.signal(signal.SIGKILL)
                time.sleep(0.0005)
            status = 9 if self._status is None else self._status
            self._ending = read_exit(status, killed_for=self._killed_for or closed)
        return self._ending

    def close(self) -> None:
        """Kill it if it still runs, and give its descriptors and identity back."""
        if self._closed:
            return
        self.kill(Ending(Verdict.OK, "was stopped"))
        self._closed = True
        self._handle.close()
        self._ends.close()
        self._release()


def _confinement(payload: bytes) -> Confinement:
    level, layers, *notes = (payload.decode("ascii", "replace") + "\n").split("\n")
    return {
        "level": plain_text(level, 8),
        "layers": [plain_text(layer, 40) for layer in layers.split()],
        "notes": [plain_text(note, 300) for note in notes if note],
    }
