"""The files of a zip archive, each read as if it stood alone."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable

from arena.errors import MarketDataError
from arena.feeds.files.opening import ACCEPTED, Source
from arena.feeds.files.wrapping import FREE, RATIO

_MOST = 2_000  # members
_BROKEN = (OSError, ValueError, struct.error, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError)


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
            raise MarketDataError(f"{source.path} holds {len(infos):,} files, more than {_MOST:,}; unpack those you need.")
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
