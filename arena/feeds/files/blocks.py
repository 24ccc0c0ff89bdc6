"""A text file in blocks of whole lines, so that only one block is in memory at a time."""

from __future__ import annotations

import io
import os
import re
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from arena.feeds.files.opening import Source
from arena.feeds.files.sniff import Shape
from arena.feeds.files.tape import Report
from arena.feeds.files.words import MARGIN, Text
from arena.feeds.files.wrapping import Readable

Done = TypeVar("Done")

_THREADS = min(4, len(os.sched_getaffinity(0)))
BLOCK = 2 << 20  # bytes; smaller ones make threads wait for one another, larger ones leave the cache
_KEPT = 8 << 20  # bytes


def line_end(head: bytes) -> bytes:
    """Return what ends the lines of a text; old Macs had carriage returns alone."""
    return b"\n" if b"\n" in head else b"\r"


def blocks_of(source: Source, shape: Shape, size: int) -> Iterator[Text]:
    """Yield the lines of data, without the header, about `size` bytes at a time."""
    skip = shape.skip
    for block in _whole_lines(source, size):
        if not skip and shape.separator != " ":
            yield block
            continue
        data = block.content()
        while skip and data:
            data = data[data.index(line_end(source.head)) + 1 :]
            skip -= 1
        if data:
            yield Text.of(_squeezed(data) if shape.separator == " " else data)


def _squeezed(block: bytes) -> bytes:
    """Return lines whose cells are parted by one blank; some writers line them up with many."""
    return re.sub(rb"(?m)^ | (?=\r?$)", b"", re.sub(rb" +", b" ", block))


def lines_of(source: Source, size: int = BLOCK) -> Iterator[bytes]:
    """Yield the lines of a text file."""
    for block in _whole_lines(source, size):
        yield from block.content().splitlines()


def _whole_lines(source: Source, size: int) -> Iterator[Text]:
    end = line_end(source.head)
    stream = source.open()
    rest = b""
    try:
        while True:
            raw = np.empty(MARGIN + len(rest) + size + MARGIN, np.uint8)
            begin = MARGIN + len(rest)
            raw[MARGIN:begin] = np.frombuffer(rest, np.uint8)
            stop = begin + _fill(stream, raw[begin : begin + size])
            if stop == begin:
                break
            cut = _after_last(raw, end, begin, stop)
            rest = raw[cut:stop].tobytes()
            if cut > MARGIN:
                yield Text(raw, cut)
    finally:
        stream.close()
    if rest:
        yield Text.of(rest + end)


def _fill(stream: Readable, room: npt.NDArray[np.uint8]) -> int:
    """Read into a stretch of memory; return how many bytes came."""
    if isinstance(stream, io.BufferedIOBase):
        return stream.readinto(room.data)
    piece = stream.read(len(room))
    room[: len(piece)] = np.frombuffer(piece, np.uint8)
    return len(piece)


def _after_last(raw: npt.NDArray[np.uint8], end: bytes, begin: int, stop: int) -> int:
    """Return the place behind the last line end, the margin's end if there is none."""
    high = stop
    while high > begin:
        low = max(begin, high - 4096)
        found = raw[low:high].tobytes().rfind(end)
        if found >= 0:
            return low + found + 1
        high = low
    return MARGIN


def side_by_side(work: Callable[[Text], Done], blocks: Iterator[Text]) -> Iterator[Done]:
    """Yield the work done on each block, in order; numpy lets several threads work at once."""
    _keep_freed_memory()
    first = next(blocks, None)
    second = None if first is None else next(blocks, None)
    if first is None or second is None or _THREADS < 2:
        yield from map(work, filter(None, chain((first, second), blocks)))
        return
    with ThreadPoolExecutor(_THREADS - 1, "market-file") as pool:
        waiting: deque[tuple[Text, Future[Done]]] = deque()
        for block in chain((first, second), blocks):
            waiting.append((block, pool.submit(work, block)))
            if len(waiting) > _THREADS:
                yield _first_done(work, waiting)
        while waiting:
            yield _first_done(work, waiting)


def _first_done(work: Callable[[Text], Done], waiting: deque[tuple[Text, Future[Done]]]) -> Done:
    """Return what becomes of the first block, and lend a hand with the others until it is there."""
    for n, (block, future) in enumerate(waiting):
        if waiting[0][1].done():
            break
        if future.cancel():
            own: Future[Done] = Future()
            own.set_result(work(block))
            waiting[n] = (block, own)
    return waiting.popleft()[1].result()


def _keep_freed_memory() -> None:
    """Free one large array, from which the allocator learns to keep the memory of a block for the next one."""
    # Until then glibc gives it back to the system each time, and to fetch it again page by page can cost
    # a third of the whole work.
    np.empty(_KEPT, np.uint8)


def mended(block: bytes, report: Report) -> bytes:
    """Return a block without blank lines, and without lines whose quote would swallow the next ones."""
    if b'"' not in block and not re.search(rb"\A\s*\n|\n\s*\n", block):
        return block
    lines = [line for line in block.splitlines(keepends=True) if line.strip()]
    whole = [line for line in lines if line.count(b'"') % 2 == 0]
    report.count("unparsable", len(lines) - len(whole))
    return b"".join(whole)
