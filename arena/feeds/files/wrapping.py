"""Compression taken off while reading, a piece at a time, so that no file has to fit into memory."""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from collections.abc import Callable
from typing import BinaryIO, Protocol

from arena.errors import MarketDataError
from arena.feeds.files.room import require_room

_PIECE = 65536
FREE = 16 << 20  # bytes that may come out of anything
RATIO = 200  # no market file is packed tighter

DAMAGE = (OSError, EOFError, zlib.error, lzma.LZMAError)


class Readable(Protocol):
    """What a reader of market files needs of a file."""

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, at most `size`; nothing at the end."""

    def close(self) -> None:
        """Close it."""


class Inflated:
    """The plain bytes of a compressed stream; `on_cut` is called where it ends too early."""

    def __init__(self, raw: Readable, packing: str, label: str, on_cut: Callable[[], None]) -> None:
        self._raw = raw
        self._packing = packing
        self._label = label
        self._on_cut = on_cut
        self._unit = _UNITS[packing]()
        self._ended = False
        self._in = self._out = 0

    def read(self, size: int, /) -> bytes:
        """Return the next bytes; a stream cut short gives what it holds."""
        try:
            while not self._ended:
                if self._unit.eof:
                    self._next_member()
                elif found := self._piece(size):
                    return found
        except DAMAGE as error:
            raise MarketDataError(f"{self._label} is a damaged {self._packing} file: {error}.") from error
        return b""

    def _piece(self, size: int) -> bytes:
        unit = self._unit
        waiting = unit.unconsumed_tail if hasattr(unit, "unconsumed_tail") else b""
        needy = not waiting if hasattr(unit, "unconsumed_tail") else unit.needs_input
        fed = self._raw.read(_PIECE) if needy else waiting
        found: bytes = unit.decompress(fed, size)
        self._in += len(fed) if needy else 0
        self._out += len(found)
        if self._out > FREE and self._out > RATIO * self._in:
            raise MarketDataError(
                f"{self._label} unpacks to more than {RATIO} times its size, as no market file does; unpack it first."
            )
        if needy and not fed and not found:
            # A recorder that was killed leaves a stream without an end; what it wrote is still good.
            self._ended = True
            self._on_cut()
        return found

    def _next_member(self) -> None:
        rest = (self._unit.unused_data or self._raw.read(_PIECE)).lstrip(b"\0")
        self._ended = not rest
        if rest:
            self._unit = _UNITS[self._packing]()
            self._raw = Chained(rest, self._raw)

    def close(self) -> None:
        """Close what it reads from."""
        self._raw.close()


_UNITS: dict[str, Callable[[], zlib._Decompress | bz2.BZ2Decompressor | lzma.LZMADecompressor]] = {
    "gzip": lambda: zlib.decompressobj(wbits=31),
    "bzip2": bz2.BZ2Decompressor,
    "xz": lzma.LZMADecompressor,
}


class Chained:
    """Bytes that were read already, before the rest of their stream."""

    def __init__(self, head: bytes, rest: Readable) -> None:
        self._head = io.BytesIO(head)
        self._rest = rest

    def read(self, size: int, /) -> bytes:
        """Return the next bytes."""
        return self._head.read(size) or self._rest.read(size)

    def close(self) -> None:
        """Close the rest."""
        self._rest.close()


def unpacked_zstandard(data: bytes, label: str) -> BinaryIO:
    """Return the text of a zstandard file, all of it; polars brings the only decoder at hand."""
    require_room(label)
    import polars as pl

    # Its text is made as a whole, so that what comes out is bounded by what goes in.
    if len(data) > 64 << 20:
        raise MarketDataError(f"{label} is a zstandard file of more than 64 MiB; convert it to .gz, which is read in pieces.")
    try:
        frame = pl.read_csv(
            data, has_header=False, separator="\x01", quote_char=None, schema={"line": pl.String},
            encoding="utf8-lossy", truncate_ragged_lines=True,
        )  # fmt: skip
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise MarketDataError(f"{label} is a damaged zstandard file: {error}.") from error
    return io.BytesIO((frame["line"].fill_null("").str.join("\n")[0] + "\n").encode())
