"""Getting at the bytes of a market file, whatever it is packed in, a piece at a time, and its `.CHECKSUM` file.

Binance puts a file in the form of `sha256sum` beside each archive.
"""

from __future__ import annotations

import bz2
import contextlib
import io
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol

from arena.errors import MarketDataError
from arena.feeds.files.memory import require_room
from arena.feeds.files.naming import clean, is_bulk
from arena.feeds.files.report import Report
from arena.feeds.recording.layout import MAGIC

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
        raise MarketDataError(
            f"{label} is a zstandard file of more than 64 MiB; convert it to .gz, which is read in pieces."
        )
    if most_of_zstandard(data, WHOLE) > WHOLE:
        raise MarketDataError(
            f"{label} may unpack to more than {WHOLE >> 30} GiB; convert it to .gz, which is read in pieces."
        )
    try:
        frame = pl.read_csv(
            data, has_header=False, separator="\x01", quote_char=None, schema={"line": pl.String},
            encoding="utf8-lossy", truncate_ragged_lines=True,
        )  # fmt: skip
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise MarketDataError(f"{label} is a damaged zstandard file: {error}.") from error
    return io.BytesIO((frame["line"].fill_null("").str.join("\n")[0] + "\n").encode())


_BLOCK = 128 << 10  # bytes that a block of zstandard holds at most
_RAW, _REPEATED = 0, 1  # kinds of blocks: as they are, and one byte so many times


def most_of_zstandard(data: bytes, enough: int) -> int:
    """Return what zstandard frames unpack to at most, as far as `enough`; their heads may lie, their blocks cannot.

    By RFC 8878, 3.1.1. What is no frame, or is cut off, ends it: the decoder says so itself.
    """
    most = place = 0
    with contextlib.suppress(struct.error):
        while place < len(data) and most <= enough:
            (magic,) = struct.unpack_from("<I", data, place)
            if magic & 0xFFFFFFF0 == 0x184D2A50:  # a frame to be skipped
                place += 8 + struct.unpack_from("<I", data, place + 4)[0]
                continue
            if magic != 0xFD2FB528:
                break
            (head,) = struct.unpack_from("<B", data, place + 4)
            single = head >> 5 & 1
            sizes = (single, 2, 4, 8)[head >> 6] + (0, 1, 2, 4)[head & 3] + 1 - single
            place += 5 + sizes
            last = False
            while not last and most <= enough:
                low, high = struct.unpack_from("<BH", data, place)
                block = low | high << 8
                last, kind, size = bool(block & 1), block >> 1 & 3, block >> 3
                most += size if kind in {_RAW, _REPEATED} else _BLOCK
                place += 3 + (1 if kind == _REPEATED else size)
            place += 4 * (head >> 2 & 1)
    return most


ACCEPTED = (
    "Accepted, plain or in .gz, .zip, .bz2, .xz or .zst: CSV `time,symbol,price`; Binance klines, trades and "
    "aggTrades; bars or trades as CSV, Parquet or Feather with a header; recorded websocket frames; Kraken, "
    "Coinbase, freqtrade and barter JSON; NinjaTrader, Yahoo and LEAN exports."
)
HEAD = 65536
DEEPEST = 4  # packings within one another
WHOLE = 1 << 30  # bytes of a document that is read as a whole

_PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz"}
_FOREIGN = {
    b"7z\xbc\xaf": "7-Zip",
    b"Rar!": "RAR",
    b"SQLite format 3": "an SQLite database",
    b"\x89HDF": "HDF5",
    b"FEA1": "Feather of the first version",
}
_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")

Opener = Callable[[], Readable]


class Source:
    """One file of plain bytes, with its path and, inside an archive, the member's name.

    `content` is all of it, or opens a fresh stream of it. Once it was peeked at, `head` holds the first
    bytes and `whole` tells whether there are no more. `cut` becomes true where compression ends too early.
    """

    def __init__(self, path: str, member: str, content: bytes | Opener) -> None:
        self.path = path
        self.member = member
        self.cut = False
        self._data = content if isinstance(content, bytes) else None
        self._opener = (lambda: io.BytesIO(content)) if isinstance(content, bytes) else content
        self.head = b""
        self.whole = False

    def peek(self) -> bytes:
        """Read and return the head."""
        stream = self.open()
        try:
            found = read_fully(stream, HEAD + 1)
        finally:
            stream.close()
        self.head, self.whole = found[:HEAD], len(found) <= HEAD
        return self.head

    def open(self) -> Readable:
        """Return a fresh stream of the plain bytes."""
        return self._opener()

    @property
    def data(self) -> bytes:
        """Return all bytes, for formats that cannot be read piece by piece."""
        if self._data is None:
            stream = self.open()
            try:
                parts, size = [], 0
                while part := stream.read(1 << 20):
                    parts.append(part)
                    size += len(part)
                    if size > WHOLE:
                        raise MarketDataError(
                            f"{self.label} is read as a whole, and unpacks to more than {WHOLE >> 30} GiB; "
                            "convert it to CSV."
                        )
                self._data = b"".join(parts)
            finally:
                stream.close()
        return self._data

    def note_cut(self) -> None:
        """Take note that the file ends too early."""
        self.cut = True

    @property
    def label(self) -> str:
        """Return the name that notes use."""
        name = clean(Path(self.path).name)
        return f"{name}[{clean(self.member)}]" if self.member else name

    @property
    def names(self) -> tuple[str, ...]:
        """Return the file's own name, then the name it has inside its archive."""
        names = (Path(self.path).name, self.member.rsplit("/", 1)[-1])
        return tuple(name for name in names if name)


def read_fully(stream: Readable, size: int) -> bytes:
    """Return the next `size` bytes, fewer only at the end."""
    parts = []
    while size > 0 and (part := stream.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def is_recording(path: str) -> bool:
    """Tell whether there is a recording of our own at a path."""
    try:
        with Path(path).open("rb") as stream:
            return stream.read(len(MAGIC)) == MAGIC
    except OSError:
        return False  # opening it as another file says why not


def open_sources(path: str) -> list[tuple[Source, Report]]:
    """Return all files that are found at `path`, each with a fresh report."""
    try:
        with Path(path).open("rb"):
            pass
    except FileNotFoundError:
        raise MarketDataError(f"There is no market file {path}.", usage=True) from None
    except IsADirectoryError:
        raise MarketDataError(f"{path} is a folder; name the files in it.", usage=True) from None
    except OSError as error:
        raise MarketDataError(f"{path} cannot be read: {error.strerror}.") from error
    found = _unwrap(Source(path, "", lambda: _plain(path)), archive=path)
    return [(source, Report(source.label)) for source in found]


def _plain(path: str) -> Readable:
    return Path(path).open("rb")


def _unwrap(source: Source, *, archive: str = "", depth: int = 0) -> list[Source]:
    """Take off compression until plain bytes are left; `archive` is a path that could be opened as one."""
    head = source.peek()
    if depth > DEEPEST:
        raise MarketDataError(f"{source.label} is packed more than {DEEPEST} times over; unpack it first.")
    depth += 1
    for magic, packing in _PACKED.items():
        if head.startswith(magic):
            return _unwrap(_inflated(source, packing), depth=depth)
    if head.startswith(b"PK\x03\x04"):
        return [plain for member in members(source, archive) for plain in _unwrap(member, depth=depth)]
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        return _unwrap(_rewrapped(source, lambda: unpacked_zstandard(source.data, source.path)), depth=depth)
    for magic, name in _FOREIGN.items():
        if head.startswith(magic):
            raise MarketDataError(f"{source.path} is {name}, which is not read. {ACCEPTED}")
    if head.startswith(_MARKS):
        return _unwrap(_unmarked(source, head), depth=depth)
    if source.whole and not head.strip():
        wrong = "is cut short before its first line" if source.cut else "is empty"
        raise MarketDataError(f"{source.path} {wrong}. {ACCEPTED}")
    return [source]


def _rewrapped(source: Source, opener: Opener) -> Source:
    return Source(source.path, source.member, opener)


def _inflated(source: Source, packing: str) -> Source:
    def opener() -> Readable:
        return Inflated(source.open(), packing, source.path, found.note_cut)

    found = _rewrapped(source, opener)
    return found


def _unmarked(source: Source, head: bytes) -> Source:
    """Return text without byte order mark; spreadsheets like to save UTF-16."""
    if not head.startswith(_MARKS[0]):
        return _rewrapped(source, lambda: io.BytesIO(source.data.decode("utf-16", errors="replace").encode()))

    def opener() -> Readable:
        stream = source.open()
        read_fully(stream, len(_MARKS[0]))
        return stream

    return _rewrapped(source, opener)


_MOST = 2_000  # members
_BROKEN = (
    OSError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    RuntimeError,
    NotImplementedError,
)


def members(source: Source, path: str) -> list[Source]:
    """Open the files of an archive at `path`; one within another has none and is read as a whole."""

    def archive() -> zipfile.ZipFile:
        return zipfile.ZipFile(path or io.BytesIO(source.data))

    try:
        with archive() as listed:
            infos = [info for info in listed.infolist() if _is_content(info)]
            for info in infos:
                _refuse_bomb(source, info)
        if len(infos) > _MOST:
            raise MarketDataError(
                f"{source.path} holds {len(infos):,} files, more than {_MOST:,}; unpack those you need."
            )
        names = [info.filename for info in infos]
        found = [_member(source, archive, name) for name in names]
        full = [member for member in found if member.peek().strip() or not member.whole]
    except _BROKEN as error:
        raise MarketDataError(f"{source.path} is a zip file that cannot be read: {error}.") from error
    if not full:
        raise MarketDataError(f"{source.path} is an empty zip file. {ACCEPTED}")
    return full


def _refuse_bomb(source: Source, info: zipfile.ZipInfo) -> None:
    if info.file_size > FREE and info.file_size > RATIO * info.compress_size:
        raise MarketDataError(
            f"{source.path} holds a file that unpacks to more than {RATIO} times its size, as no market file does; "
            "unpack it first."
        )


def _is_content(info: zipfile.ZipInfo) -> bool:
    return bool(not info.is_dir() and info.file_size and not info.filename.startswith("__MACOSX/"))


def _member(source: Source, archive: Callable[[], zipfile.ZipFile], name: str) -> Source:
    return Source(source.path, name, lambda: _Member(archive(), name, source.path))


class _Member:
    """One file of an archive, which is closed with it."""

    def __init__(self, archive: zipfile.ZipFile, name: str, path: str) -> None:
        self._archive = archive
        self._path = path
        try:
            self._file = archive.open(name)
        except BaseException:
            archive.close()
            raise

    def read(self, size: int, /) -> bytes:
        """Return the next bytes."""
        try:
            return self._file.read(size)
        except _BROKEN as error:
            raise MarketDataError(f"{self._path} is a zip file that cannot be read: {error}.") from error

    def close(self) -> None:
        """Close the file and its archive."""
        self._file.close()
        self._archive.close()


CHECKSUM_ENDING = ".CHECKSUM"


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, as hex."""
    import hashlib  # most files have no checksum, and it brings OpenSSL with it

    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def stated_checksum(text: str) -> str | None:
    """Return the digest that a checksum file states, or None if it states none."""
    match = re.match(r"\s*([0-9a-fA-F]{64})(\s|$)", text)
    return match.group(1).lower() if match else None


def checksum_difference(path: Path, stated: str) -> str:
    """Return a sentence that names both digests if a file is not the stated one, else nothing."""
    found = digest_of(path)
    if found == stated:
        return ""
    return f"{path.name} does not match its checksum: SHA-256 should be {stated}, but is {found}."


def verify_checksum(path: str) -> str:
    """Compare a file with the checksum beside it; return what there is to say.

    MarketDataError where they differ. Without a checksum something is said of Binance's archives only.
    """
    file, beside = Path(path), Path(path + CHECKSUM_ENDING)
    if not beside.is_file():
        lacks = file.suffix == ".zip" and is_bulk(file.name)
        return f"There is no {beside.name} beside it, so the archive was not verified." if lacks else ""
    stated = stated_checksum(beside.read_text("utf-8", errors="replace"))
    if stated is None:
        raise MarketDataError(f"{beside} holds no SHA-256 in the form of sha256sum.")
    if wrong := checksum_difference(file, stated):
        raise MarketDataError(f"{wrong} Download it again.")
    return "Its SHA-256 is the one in the checksum beside it."
