"""A text file in blocks of whole lines, so that only one block is in memory at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator

from arena.errors import MarketDataError
from arena.feeds.files.opening import Source
from arena.feeds.files.sniff import Shape
from arena.feeds.files.tape import Report

BLOCK = 4 << 20  # bytes
_LONGEST = 16 << 20  # bytes of one line


def line_end(head: bytes) -> bytes:
    """Return what ends the lines of a text; old Macs had carriage returns alone."""
    return b"\n" if b"\n" in head else b"\r"


def blocks_of(source: Source, shape: Shape, size: int) -> Iterator[bytes]:
    """Yield the lines of data, without the header, about `size` bytes at a time."""
    skip, end = shape.skip, line_end(source.head)
    for block in _whole_lines(source, size):
        data = block
        while skip and data:
            data = data[data.index(end) + 1 :]
            skip -= 1
        if data:
            yield _squeezed(data) if shape.separator == " " else data


def _squeezed(block: bytes) -> bytes:
    """Return lines whose cells are parted by one blank; some writers line them up with many."""
    return re.sub(rb"(?m)^ | (?=\r?$)", b"", re.sub(rb" +", b" ", block))


def lines_of(source: Source, size: int = BLOCK) -> Iterator[bytes]:
    """Yield the lines of a text file."""
    for block in _whole_lines(source, size):
        yield from block.splitlines()


def _whole_lines(source: Source, size: int) -> Iterator[bytes]:
    end = line_end(source.head)
    stream = source.open()
    rest = b""
    try:
        while piece := stream.read(size):
            cut = piece.rfind(end) + 1
            if cut:
                yield rest + piece[:cut]
                rest = piece[cut:]
            else:
                rest += piece
                if len(rest) > _LONGEST:
                    raise MarketDataError(f"{source.label} has a line of more than {_LONGEST >> 20} MiB; it is no table.")
    finally:
        stream.close()
    if rest:
        yield rest + end


def mended(block: bytes, report: Report) -> bytes:
    """Return a block without blank lines, and without lines whose quote would swallow the next ones."""
    lines = [line for line in block.splitlines(keepends=True) if line.strip()]
    whole = [line for line in lines if line.count(b'"') % 2 == 0]
    report.count("unparsable", len(lines) - len(whole))
    return b"".join(whole)
