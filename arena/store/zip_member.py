"""Members of ZIP files that are made again of the same rows are the same bytes, so that an ETag holds."""

from __future__ import annotations

import zipfile

_FIRST = (1980, 1, 1, 0, 0, 0)  # the first time that a ZIP file can name


def timeless(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    """Return the head of a member to be written: packed as its archive is, and without the time of writing."""
    info = zipfile.ZipInfo(name, _FIRST)
    info.compress_type = archive.compression
    info.external_attr = 0o600 << 16
    # ZipFile.open() takes the level from here only; Python 3.13 keeps the name beside its public one.
    info._compresslevel = archive.compresslevel  # type: ignore[attr-defined]  # noqa: SLF001
    return info
