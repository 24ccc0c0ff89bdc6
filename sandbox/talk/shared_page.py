"""A page of memory that the server shares with one worker, beside its pipes: its layout, and the worker's side.

Polling it costs no system call and wakes nobody: two processes with a CPU each exchange requests over it several times
as fast as over a pipe. Requests go down through the page. Of replies it holds only whether the last one is repeated to
the byte or a new one waits in the pipe: nothing that a worker writes here is ever parsed. No two workers share a page.
The server's side is `page_channel`, which this module must not import: it is loaded into every worker.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Callable

from sandbox.process import kernel
from sandbox.talk.protocol import HEADER, Kind

_SIZE = 4096
# The page as 8-byte words. The server's: the sequence number of a request, written last; its length; whether the worker
# shall poll. On another cache line the worker's: the number it has answered, negative where the reply is in the pipe,
# and whether it sleeps.
QUESTION, LENGTH, WANTED, ANSWER, ASLEEP = 0, 1, 2, 8, 9
# Where the payload begins, and how large it may be.
BEGIN = 128
ROOM = _SIZE - BEGIN
# Polls in one burst, some ten microseconds, and bursts before a side gives up and sleeps at its pipe.
LOOKS, ROUNDS = range(256), 80


class SharedPage:
    """One side's view of a shared page."""

    def __init__(self, descriptor: int) -> None:
        self.memory = mmap.mmap(descriptor, _SIZE)
        self.words = memoryview(self.memory).cast("q")
        self.words[ASLEEP] = 1

    @property
    def wanted(self) -> bool:
        """Say whether the server will ask through the page."""
        return bool(self.words[WANTED])

    def close(self) -> None:
        """Unmap the page."""
        self.words.release()
        self.memory.close()

    def answer_calls(self, call: Callable[[bytes], bytes], last: bytes) -> bytes:
        """Answer requests from the page until none has come for a while; return the last reply given.

        Runs in the worker. `last` is its reply to the request before.
        """
        words, memory = self.words, self.memory
        words[ASLEEP], seen, idle = 0, abs(words[ANSWER]), 0
        while True:
            for _ in LOOKS:
                if words[QUESTION] != seen:
                    break
            else:
                idle += 1
                if words[WANTED] and idle < ROUNDS:
                    continue
                words[ASLEEP] = 1
                if words[QUESTION] == seen:
                    return last
                words[ASLEEP] = 0
            seen, idle = words[QUESTION], 0
            answer = call(memory[BEGIN : BEGIN + words[LENGTH]])
            if answer == last:
                words[ANSWER] = seen
                continue
            last = answer
            frame = HEADER.pack(len(answer), Kind.REPLY, seen) + answer
            while frame:
                frame = frame[os.write(1, frame) :]
            words[ANSWER] = -seen


def can_share() -> bool:
    """Say whether shared pages work here and pay: x86 memory ordering, two CPUs, and a kernel that seals."""
    if kernel.machine() != "x86_64" or len(os.sched_getaffinity(0)) < 2:
        return False
    try:
        os.close(new_page())
    except OSError:
        return False
    return True


def new_page() -> int:
    """Return the descriptor of a page that is sealed: nobody can shorten it, not even through the descriptor."""
    descriptor = os.memfd_create("page", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(descriptor, _SIZE)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
