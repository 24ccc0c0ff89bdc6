"""A text file in blocks of whole lines, so that only one block is in memory at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator

from arena.feeds.files.opening import Source
from arena.feeds.files.sniff import Shape
from arena.feeds.files.tape import Report

BLOCK = 1 << 20  # bytes; the work on one block stays in the processor's cache


def line_end(head: bytes) -> bytes:
    """Return what ends the lines of a text; old Macs had carriage returns alone."""
    return b"\n" if b"\n" in head else b"\r"


def blocks_of(source: Source, shape: Shape, size: int) -> Iterator[bytes]:
    """Yield the lines of data, without the header, about `size` bytes at a time."""
    end = line_end(source.head)
    skip = shape.skip
    for block in _whole_lines(source, end, size):
        data = block
        while skip and data:
            data = data[data.index(end) + 1 :]
            skip -= 1
        if data:
            yield _squeezed(data) if shape.separator == " " else data


def _squeezed(block: bytes) -> bytes:
    """Return lines whose cells are parted by one blank; some writers line them up with many."""
    return re.sub(rb"(?m)^ | (?=\r?$)", b"", re.sub(rb" +", b" ", block))


def _whole_lines(source: Source, end: bytes, size: int) -> Iterator[bytes]:
    stream = source.open()
    waiting: list[bytes] = []
    try:
        while piece := stream.read(size):
            cut = piece.rfind(end) + 1
            if cut:
                yield b"".join([*waiting, piece[:cut]])
                waiting.clear()
            if cut < len(piece):
                waiting.append(piece[cut:])
    finally:
        stream.close()
    if waiting:
        yield b"".join([*waiting, end])


def lines_of(source: Source, size: int = BLOCK) -> Iterator[bytes]:
    """Yield the lines of a text file."""
    for block in _whole_lines(source, line_end(source.head), size):
        yield from block.splitlines()


def mended(block: bytes, report: Report) -> bytes:
    """Return a block without blank lines, and without lines whose quote would swallow the next ones."""
    if b'"' not in block and not re.search(rb"\A\s*\n|\n\s*\n", block):
        return block
    lines = [line for line in block.splitlines(keepends=True) if line.strip()]
    whole = [line for line in lines if line.count(b'"') % 2 == 0]
    report.count("unparsable", len(lines) - len(whole))
    return b"".join(whole)
