"""Guest runtimes for tests: what a fully escaped bot could do, done by the guest itself."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import mmap
import os
import random
import re
import threading
import time
import types
from collections.abc import Callable
from pathlib import Path

from arena.runtime.bot import BotRuntime
from sandbox.host import Host, Namespace
from sandbox.talk.protocol import HEADER, Kind, encode
from sandbox.talk.shared_page import ANSWER, ASLEEP, QUESTION, SharedPage

# Written so that neither this pattern nor its compiled form matches itself.
CANARY = re.compile(rb"ARENA[-]CANARY[-][0-9a-f]{32}")
_CHUNK = 1 << 20


def readable_memory() -> list[tuple[int, int]]:
    """Return the readable mappings of this process, where /proc may still be read."""
    regions = []
    for line in Path("/proc/self/maps").read_text(encoding="ascii").splitlines():
        span, rights, *rest = line.split(maxsplit=5)
        if rights[0] == "r" and not rest[-1].startswith("[v"):
            start, end = (int(edge, 16) for edge in span.split("-"))
            regions.append((start, end))
    return regions


def canaries_in(regions: list[tuple[int, int]]) -> int:
    """Count the canaries in readable memory."""
    found = 0
    for start, end in regions:
        for at in range(start, end, _CHUNK):
            found += len(CANARY.findall(ctypes.string_at(at, min(_CHUNK + 64, end - at))))
    return found


class Liar:
    """Does what the request names, by raw writes to the pipe where that is the point."""

    def __init__(self, host: Host) -> None:
        del host
        gc.collect()
        # Noted in the zygote, where this is made: a worker has the same layout and may not look itself.
        self._regions = readable_memory()

    def inspect(self, namespace: Namespace) -> tuple[list[tuple[str, str]], dict[str, object]]:
        if "RAW" in namespace:
            write_all(bytes.fromhex(namespace["RAW"]))
            block()
        return [], {}

    def start(self, meta: bytes, load: Callable[[], Namespace]) -> bytes:
        del meta
        load()
        return b"ready"

    def call(self, payload: bytes) -> bytes:
        name, *arguments = json.loads(payload)
        answer = getattr(self, name)(*arguments)
        return answer if isinstance(answer, bytes) else json.dumps(answer).encode()

    def echo(self, text: str) -> str:
        return text

    def raw(self, hexadecimal: str) -> bytes:
        write_all(bytes.fromhex(hexadecimal))
        return block()

    def forge(self, kind: int, seq: int, text: str, times: int) -> bytes:
        for _ in range(times):
            write_all(HEADER.pack(len(text), kind, seq) + text.encode())
        return block()

    def forge_forever(self, seq: int) -> bytes:
        frames = encode(Kind.REPLY, seq, b"late") * 4000
        while True:
            write_all(frames)

    def flood(self) -> bytes:
        while True:
            write_all(b"\xff" * 65536)

    def big(self, size: int) -> bytes:
        return b"x" * size

    def spin(self) -> bytes:
        while True:
            pass

    def burn(self, seconds: float, padding: str = "") -> float:
        del padding
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass
        return time.process_time()

    def stall(self) -> bytes:
        return block()

    def leave(self, code: int) -> None:
        os._exit(code)

    def close_pipe(self) -> str:
        try:
            os.close(1)
        except OSError as error:
            return str(error.errno)
        return "closed"

    def syscall(self, number: int) -> int:
        return ctypes.CDLL(None).syscall(number)

    def abort(self) -> None:
        os.abort()

    def peek(self, address: int) -> bytes:
        return ctypes.string_at(address, 1)

    def scribble(self, times: int) -> bytes:
        """Write what comes to mind all over the page shared with the server."""
        words, chance = page().words, random.Random(times)
        for _ in range(times):
            words[chance.randrange(len(words))] = chance.choice((0, 1, -1, 2**63 - 1, -(2**63), words[QUESTION]))
        return block()

    def foretell(self, number: int) -> bytes:
        """Say of a question to come that its answer is the last one again, and think no more."""
        page().words[ANSWER] = number
        return block()

    def pretend(self, number: int) -> bytes:
        """Say that an answer is in the pipe which is not."""
        page().words[ANSWER] = -number
        return block()

    def doze(self, times: int) -> bytes:
        """Answer each question by the page as the last one, and say all the while that this sleeps."""
        words = page().words
        for _ in range(times):
            words[ASLEEP], words[ANSWER] = 1, words[QUESTION]
            while words[ANSWER] == words[QUESTION]:
                words[ASLEEP] = 1
        return block()

    def punch(self) -> str:
        """Take the memory of the page away from under the server."""
        try:
            page().memory.madvise(mmap.MADV_REMOVE)
        except OSError as error:
            return os.strerror(error.errno or 0)
        return "gone"

    def shorten(self) -> list[str]:
        return [attempt(lambda number=number: os.ftruncate(number, 0)) for number in range(16)]

    def environment(self) -> list[str]:
        entries = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
        names = []
        index = 0
        while entries and entries[index]:
            names.append((entries[index] or b"").split(b"=")[0].decode())
            index += 1
        return sorted({*names, *os.environ})

    def canaries(self) -> int:
        return canaries_in(self._regions)

    def try_paths(self, *paths: str) -> list[str]:
        return [attempt(lambda path=path: os.open(path, os.O_RDONLY)) for path in paths]


class Naked(BotRuntime):
    """Runs a bot with Python's real built-ins and no tripwire: only the process wall is left."""

    # Its start is not the one that would be played to it.
    rehearsal = None

    def start(self, meta: bytes, load: Callable[[], Namespace]) -> bytes:
        del load
        told, _, source = meta.rpartition(b"\0")

        def unguarded() -> Namespace:
            real: Namespace = {"__name__": "bot"}
            exec(compile(source, "bot.py", "exec"), real)
            return real

        return super().start(told, unguarded)


def attempt(act: Callable[[], object]) -> str:
    try:
        act()
    except OSError as error:
        return os.strerror(error.errno or 0)
    return "worked"


def here() -> types.FrameType | None:
    """Return a frame of this thread without asking `sys` for it."""
    try:
        return 1 // 0  # type: ignore[return-value]
    except ZeroDivisionError as error:
        return error.__traceback__.tb_frame if error.__traceback__ else None


def page() -> SharedPage:
    """Return the page of this worker, found where no audit hook looks: in the frames of those who called."""
    frame = here()
    while frame is not None:
        for value in frame.f_locals.values():
            if isinstance(value, SharedPage):
                return value
        frame = frame.f_back
    raise AssertionError("no page is shared")


def block() -> bytes:
    """Wait for ever without using any CPU."""
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()
    return b""


def write_all(data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError):
        while data:
            data = data[os.write(1, data) :]
        return
    os._exit(0)


if __name__ == "__main__":
    print(canaries_in(readable_memory()))
