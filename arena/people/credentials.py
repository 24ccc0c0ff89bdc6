"""Secrets that are handed out: random, recognisable, and stored as hashes only."""

from __future__ import annotations

import hashlib
import secrets
import string
import zlib

_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
PREFIX = "arena_"
_RANDOM_LENGTH, _SUM_LENGTH = 43, 6  # characters of base 62 that hold 256 and 32 bits


def new_token() -> str:
    """Return a token: `arena_`, 256 random bits and their CRC-32, both in base 62."""
    random = _base62(secrets.randbits(256), _RANDOM_LENGTH)
    return f"{PREFIX}{random}{_sum(random)}"


def is_token(text: str) -> bool:
    """Say whether a text can be a token of an arena: its checksum fits, so that a misspelt one is told at once."""
    random, given = text[len(PREFIX) : -_SUM_LENGTH], text[-_SUM_LENGTH:]
    shaped = text.startswith(PREFIX) and len(random) == _RANDOM_LENGTH and text.isascii()
    return shaped and _sum(random) == given


def new_secret() -> str:
    """Return 256 random bits in URL-safe base 64: what a cookie or a link holds."""
    return secrets.token_urlsafe(32)


def hash_of(secret: str) -> str:
    """Return the SHA-256 of a secret in hex; what has 256 random bits needs no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _sum(text: str) -> str:
    return _base62(zlib.crc32(text.encode()), _SUM_LENGTH)


def _base62(number: int, length: int) -> str:
    found = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        found.append(_DIGITS[digit])
    return "".join(reversed(found))
