"""The `.CHECKSUM` files that stand beside Binance's archives, in the form of `sha256sum`."""

from __future__ import annotations

import re
from pathlib import Path

from arena.errors import MarketDataError
from arena.feeds.files.naming import is_bulk

ENDING = ".CHECKSUM"


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, as hex."""
    import hashlib  # most files have no checksum, and it brings OpenSSL with it

    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def stated_in(text: str) -> str | None:
    """Return the digest that a checksum file states, or None if it states none."""
    match = re.match(r"\s*([0-9a-fA-F]{64})(\s|$)", text)
    return match.group(1).lower() if match else None


def difference(path: Path, stated: str) -> str:
    """Return a sentence that names both digests if a file is not the stated one, else nothing."""
    found = digest_of(path)
    if found == stated:
        return ""
    return f"{path.name} does not match its checksum: SHA-256 should be {stated}, but is {found}."


def check(path: str) -> str:
    """Compare a file with the checksum beside it; return what there is to say.

    MarketDataError where they differ. Without a checksum something is said of Binance's archives only.
    """
    file, beside = Path(path), Path(path + ENDING)
    if not beside.is_file():
        lacks = file.suffix == ".zip" and is_bulk(file.name)
        return f"There is no {beside.name} beside it, so the archive was not verified." if lacks else ""
    stated = stated_in(beside.read_text("utf-8", errors="replace"))
    if stated is None:
        raise MarketDataError(f"{beside} holds no SHA-256 in the form of sha256sum.")
    if wrong := difference(file, stated):
        raise MarketDataError(f"{wrong} Download it again.")
    return "Its SHA-256 is the one in the checksum beside it."
