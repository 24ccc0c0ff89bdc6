"""A page of memory that the server shares with one worker, beside its pipes.

A look at it costs no system call and wakes nobody: two processes with a CPU each take turns over it several times as
fast as over a pipe. Questions go down by it. Of answers it says only that one is the last one over again, to the
byte, or waits in the pipe: nothing that a worker writes here is ever taken apart. No two workers share one.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Callable

from sandbox.process import kernel
from sandbox.talk.protocol import HEADER, Kind

_SIZE = 4096
# The page as 8-byte words. The server's: the number of a question, written last, how long it is, and that the worker
# is to look for more. On another line of the cache the worker's: the number it has answered, negative where the
# answer is in the pipe, and that it sleeps.
QUESTION, LENGTH, WANTED, ANSWER, ASLEEP = 0, 1, 2, 8, 9
# Where the question begins, and what there is room for.
BEGIN = 128
ROOM = _SIZE - BEGIN
# So often is looked before anything else is thought of, some ten microseconds, and so many times that before one
# side gives up.
LOOKS, ROUNDS = range(256), 80


class SharedPage:
    """One side's view of a shared page."""

    def __init__(self, descriptor: int) -> None:
        self.memory = mmap.mmap(descriptor, _SIZE)
        self.words = memoryview(self.memory).cast("q")
        self.words[ASLEEP] = 1

    @property
    def wanted(self) -> bool:
        """Say whether the server will ask by the page."""
        return bool(self.words[WANTED])

    def close(self) -> None:
        """Give the page back."""
        self.words.release()
        self.memory.close()

    def answer_calls(self, call: Callable[[bytes], bytes], last: bytes) -> bytes:
        """Answer what comes by the page until nothing has come for a while; return the last answer given.

        Runs in the worker. `last` is what it answered before.
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
    """Say whether it pays here, and holds: what is written first must be seen first, as on x86."""
    if kernel.machine() != "x86_64" or len(os.sched_getaffinity(0)) < 2:
        return False
    try:
        os.close(new_page())
    except OSError:
        return False
    return True


def new_page() -> int:
    """Return the descriptor of a page that nobody can shorten, not even who has the descriptor."""
    descriptor = os.memfd_create("page", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(descriptor, _SIZE)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
