"""Getting at the bytes of a market file, whatever it is wrapped in."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

from arena.errors import MarketDataError
from arena.feeds.files.naming import clean
from arena.feeds.files.tape import Report
from arena.feeds.files.wrapping import Inflated, Readable, unpacked_zstandard
from arena.feeds.recording.layout import MAGIC

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
                            f"{self.label} is read as a whole, and unpacks to more than {WHOLE >> 30} GiB; convert it to CSV."
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
        from arena.feeds.files import zipped

        return [plain for member in zipped.members(source, archive) for plain in _unwrap(member, depth=depth)]
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
