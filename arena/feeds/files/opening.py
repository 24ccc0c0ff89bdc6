"""Getting at the bytes of a market file, whatever it is wrapped in."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from arena.errors import MarketDataError
from arena.feeds.files.tape import Report

ACCEPTED = (
    "Accepted, plain or in .gz or .zip: CSV `time,symbol,price`; Binance klines, trades and "
    "aggTrades; bars or trades as CSV or Parquet with a header; recorded websocket frames; Kraken, "
    "freqtrade and barter JSON; NinjaTrader, Yahoo and LEAN exports."
)

_FOREIGN = {
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstandard",
    b"7z\xbc\xaf": "7-Zip",
    b"SQLite format 3": "an SQLite database",
}


@dataclass(frozen=True, slots=True)
class Source:
    """The bytes of one file, with its path and, inside an archive, the member's name."""

    path: str
    member: str
    data: bytes

    @property
    def label(self) -> str:
        """Return the name that notes use."""
        name = Path(self.path).name
        return f"{name}[{self.member}]" if self.member else name

    @property
    def names(self) -> tuple[str, ...]:
        """Return the file's own name, then the name it has inside its archive."""
        names = (Path(self.path).name, self.member.rsplit("/", 1)[-1])
        return tuple(name for name in names if name)


def open_sources(path: str) -> list[tuple[Source, Report]]:
    """Return all files that are found at `path`, each with a fresh report."""
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise MarketDataError(f"There is no market file {path}.", usage=True) from None
    except IsADirectoryError:
        raise MarketDataError(f"{path} is a folder; name the files in it.", usage=True) from None
    except OSError as error:
        raise MarketDataError(f"{path} cannot be read: {error.strerror}.") from error
    found = _unwrap(path, "", data, Report(Path(path).name))
    for source, report in found:
        report.name = source.label
    return found


def _unwrap(path: str, member: str, data: bytes, report: Report) -> list[tuple[Source, Report]]:
    """Take off compression until plain bytes are left."""
    if data.startswith(b"\x1f\x8b"):
        return _unwrap(path, member, _gunzip(path, data, report), report)
    if data.startswith(b"PK\x03\x04"):
        return _unzip(path, data)
    for magic, name in _FOREIGN.items():
        if data.startswith(magic):
            raise MarketDataError(f"{path} is {name}, which is not read. {ACCEPTED}")
    text = _as_utf8(data)
    if not text[:4096].strip() and not text.strip():
        raise MarketDataError(f"{path} is empty. {ACCEPTED}")
    return [(Source(path, member, text), report)]


def _as_utf8(data: bytes) -> bytes:
    """Return text without byte order mark; spreadsheets like to save UTF-16."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace").encode()
    return data.removeprefix(b"\xef\xbb\xbf")


def _gunzip(path: str, data: bytes, report: Report) -> bytes:
    try:
        return gzip.decompress(data)
    except EOFError:
        # A recorder that was killed leaves a stream without an end; what it wrote is still good.
        report.count("truncated_file")
        return zlib.decompressobj(wbits=31).decompress(data)
    except (OSError, zlib.error) as error:
        raise MarketDataError(f"{path} is a damaged gzip file: {error}.") from error


def _unzip(path: str, data: bytes) -> list[tuple[Source, Report]]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [
                (info.filename, archive.read(info))
                for info in archive.infolist()
                if not info.is_dir() and not info.filename.startswith("__MACOSX/")
            ]
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError) as error:
        raise MarketDataError(f"{path} is a zip file that cannot be read: {error}.") from error
    full = [(name, body) for name, body in members if body.strip()]
    if not full:
        raise MarketDataError(f"{path} is an empty zip file. {ACCEPTED}")
    return [pair for name, body in full for pair in _unwrap(path, name, body, Report(Path(path).name))]
