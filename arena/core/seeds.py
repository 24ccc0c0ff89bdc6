"""The seed of a bot's random numbers."""

from __future__ import annotations

import hashlib


def seed_of(chance: int | str, name: str, source_hash: str) -> int:
    """Return a bot's seed: the first 64 bits of SHA-256 of the season's seed of chance, NAME and source hash.

    A bot that works its own seed out of what `random` gives it learns nothing of the season's.
    """
    text = f"{chance}\x00{name}\x00{source_hash}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big")
