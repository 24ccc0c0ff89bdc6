"""Copies the pages that a worker will write to ahead of time, before any bot waits for a page fault.

After a fork parent and child share every page until one of them writes to it; then the kernel copies that
page, which costs several microseconds on a virtual machine. A bot's start, first order and first fill write
to some two hundred, and where many bots see their first signal at the same tick, all of them wait. One child
that plays the rehearsal shows which pages these are; in the others they are copied by a few system calls.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path

from sandbox.process import child, kernel
from sandbox.process.child import ChildKit
from sandbox.talk.protocol import HEADER

Range = tuple[int, int]
_PAGE = os.sysconf("SC_PAGE_SIZE")
_ENTRY = 8
_RANGE = struct.Struct("<QQ")
# Of an entry of /proc/PID/pagemap (kernel documentation, admin-guide/mm/pagemap): present, and mapped by no other.
_OWN = 1 << 63 | 1 << 56
# Reserved and never touched, as numpy's arenas are.
_MOST = 1 << 30


def find_written_pages(kit: ChildKit, frames: list[bytes]) -> bytes:
    """Return address and size of the memory that a child writes to while it answers these frames.

    Packed, because to read objects is to write to them.
    """
    if not frames:
        return b""
    # A page that we write to is shared by the two, and so is not taken for the player's.
    bystander, player = _Sibling(kit), _Sibling(kit)
    try:
        for frame in frames:
            player.ask(frame)
        return b"".join(_RANGE.pack(*found) for found in _merged(player.own_pages()))
    except OSError:
        return b""
    finally:
        player.end()
        bystander.end()


def copy_pages(ranges: bytes) -> None:
    """Copy these pages into this process now; does nothing on a kernel before 5.14."""
    try:
        for address, size in _RANGE.iter_unpack(ranges):
            kernel.populate(address, size)
    except OSError:
        return


class _Sibling:
    """A short-lived child that serves frames as a worker does, without a lock-down."""

    def __init__(self, kit: ChildKit) -> None:
        down_read, self._down = os.pipe()
        self._up, up_write = os.pipe()
        self._pid = kernel.fork()
        if self._pid == 0:
            try:
                os.dup2(down_read, 0)
                os.dup2(up_write, 1)
                os.close(self._down)
                child.serve(kit)
            finally:
                os._exit(0)
        os.close(down_read)
        os.close(up_write)

    def ask(self, frame: bytes) -> None:
        """Send a frame and wait for the whole answer."""
        os.write(self._down, frame)
        length, _, _ = HEADER.unpack(self._read(HEADER.size))
        self._read(length)

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = os.read(self._up, size - len(data))
            if not more:
                raise OSError("the child has ended")
            data += more
        return data

    def own_pages(self) -> Iterator[int]:
        """Yield the addresses of the pages that no other process shares, in order."""
        maps = Path(f"/proc/{self._pid}/maps").read_text("utf-8", "replace")
        entries = os.open(f"/proc/{self._pid}/pagemap", os.O_RDONLY)
        try:
            for line in maps.splitlines():
                addresses, access, *_ = line.split()
                first, end = (int(part, 16) for part in addresses.split("-"))
                # Where in malloc's heap things come to lie depends on their sizes: each bot's lie elsewhere.
                if access.startswith("rw") and access.endswith("p") and end - first < _MOST and "[heap]" not in line:
                    data = os.pread(entries, (end - first) // _PAGE * _ENTRY, first // _PAGE * _ENTRY)
                    for place, (entry,) in enumerate(struct.iter_unpack("<Q", data)):
                        if entry & _OWN == _OWN:
                            yield first + place * _PAGE
        finally:
            os.close(entries)

    def end(self) -> None:
        """Close its pipes, upon which it ends."""
        os.close(self._down)
        os.close(self._up)
        os.waitpid(self._pid, 0)


def _merged(pages: Iterator[int]) -> Iterator[Range]:
    begin = end = 0
    for page in pages:
        if page != end:
            if end:
                yield begin, end - begin
            begin = page
        end = page + _PAGE
    if end:
        yield begin, end - begin
