"""Receipts: what a bot was before its first ranked tick, chained and signed, so that nobody can change it after.

A receipt holds the hashes of program and prompt, the season's rules, the engine's version, time and tick of admission,
and the hash of the receipt before it. It is signed with the server's Ed25519 key.
"""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from sqlalchemy import Connection, select

from arena.errors import StoreError
from arena.store.bulk import Row, insert_rows, table_of
from arena.store.models import Bot, Entry, Receipt, Season, Submission

_RULES = (
    "number", "feed", "symbols", "interval", "starting_cash", "fee_bps", "slippage_bps", "fills_a_day", "delay_ticks",
    "rules_version", "score_interval", "benchmark", "seed_sha256",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Signer:
    """The server's key."""

    key: Ed25519PrivateKey

    @property
    def public(self) -> str:
        """Return the public key, raw 32 bytes in base64."""
        return _text(self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    def sign(self, document: Any) -> str:
        """Return the signature of a JSON document in its canonical form, in base64."""
        return _text(self.key.sign(canonical(document)))


def canonical(document: Any) -> bytes:
    """Return a JSON document as the bytes that are hashed and signed: keys sorted, no white space."""
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def read_key(path: Path) -> Signer:
    """Return the key of a file; where there is none it is made, readable by its owner only."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        try:
            return Signer(Ed25519PrivateKey.from_private_bytes(path.read_bytes()))
        except ValueError as error:
            raise StoreError(f"{path} is no key of this server: it must have 32 bytes. Move it away.") from error
    key = Ed25519PrivateKey.generate()
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()))
    return Signer(key)


def is_signed(document: Any, signature: str, public: str) -> bool:
    """Say whether a document was signed by the key; False for whatever is no signature."""
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public, validate=True))
        key.verify(base64.b64decode(signature, validate=True), canonical(document))
    except (InvalidSignature, TypeError, ValueError):
        # Numbers and texts that no JSON of ours holds cannot be made canonical, so that they were never signed.
        return False
    return True


def hash_of(document: Any) -> str:
    """Return the SHA-256 of a document in its canonical form, in hex."""
    return hashlib.sha256(canonical(document)).hexdigest()


def add_receipt(connection: Connection, bot: Bot, entry: Entry, signer: Signer, engine_version: str) -> Row:
    """Write the receipt of a bot that comes in, within the transaction that lets it in."""
    receipts, seasons, submissions = table_of(Receipt), table_of(Season), table_of(Submission)
    last = connection.execute(select(receipts.c.n, receipts.c.hash).order_by(receipts.c.n.desc()).limit(1)).first()
    season = connection.execute(select(seasons).where(seasons.c.id == entry.season_id)).mappings().one()
    prompt: str | None = None
    if bot.submission_id is not None:
        query = select(submissions.c.prompt).where(submissions.c.id == bot.submission_id)
        prompt = connection.execute(query).scalar()
    rules = {name: season[name] for name in _RULES}
    document = {
        "bot_id": bot.id, "name": entry.bot_name, "author": bot.author, "season_id": entry.season_id,
        "code_sha256": bot.source_hash,
        "prompt_sha256": None if prompt is None else hashlib.sha256(prompt.encode()).hexdigest(),
        "rules": rules, "engine": engine_version,
        "admitted_at": entry.admitted_at, "admitted_tick": entry.admitted_tick,
        "previous": None if last is None else last.hash,
    }  # fmt: skip
    row = {
        "n": 0 if last is None else last.n + 1, "season_id": entry.season_id, "bot_id": bot.id, "document": document,
        "hash": hash_of(document), "signature": signer.sign(document), "key": signer.public,
    }  # fmt: skip
    insert_rows(connection, Receipt, [row])
    return row


def sealed(kind: str, document: Row, signer: Signer) -> Row:
    """Return a document under the name of its kind, with its signature and the key that it is checked with."""
    return {kind: document, "signature": signer.sign(document), "key": signer.public}


def seal_problems(document: Any, signature: Any, key: Any, public: str | None = None) -> list[str]:
    """Return what is wrong with a signature: not that of its key, or of another than the expected key."""
    if not (isinstance(signature, str) and isinstance(key, str)):
        return ["The signature cannot be read."]
    found = [] if is_signed(document, signature, key) else ["It was changed after it was signed."]
    return [*found, *(["It is signed by another key."] if public is not None and key != public else [])]


def receipt_problems(rows: list[Row], public: str | None = None) -> list[str]:
    """Return what is wrong with a chain of receipts, oldest first: hashes, signatures, links, the expected key."""
    found, previous = [], None
    for place, row in enumerate(rows):
        name = f"Receipt {row['n']}"
        if hash_of(row["document"]) != row["hash"]:
            found.append(f"{name} was changed: its hash differs.")
        if not is_signed(row["document"], row["signature"], row["key"]):
            found.append(f"{name} is not signed by its key.")
        if public is not None and row["key"] != public:
            found.append(f"{name} is signed by another key.")
        if place and row["document"]["previous"] != previous:
            found.append(f"{name} does not follow the one before it.")
        previous = row["hash"]
    return found
