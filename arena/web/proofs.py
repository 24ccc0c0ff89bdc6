"""Proofs asked for over the web: one at a time, and none repeated while its season has not moved on."""

from __future__ import annotations

import io
import threading

from arena import __version__
from arena.engine.proof import UNPROVED, Proof, verify
from arena.errors import ConflictError
from arena.store import queries
from arena.store.bundle import mark_verified, read_bundle, write_bundle
from arena.web.context import Context

_FRESH_TICKS = 10
_busy = threading.Lock()


def bundle_file(context: Context, season_id: str, bot_id: str) -> bytes:
    """Return a bot's bundle as the bytes of its file."""
    file = io.BytesIO()
    write_bundle(read_bundle(context.database, season_id, bot_id, __version__), file)
    return file.getvalue()


def prove(context: Context, wanted: str) -> Proof:
    """Run a bot again and say whether its record comes out; what was shown a moment ago is not run again."""
    if not _busy.acquire(blocking=False):
        raise ConflictError("Another record is being proved; try again in a moment.")
    try:
        bot_id = queries.find_bot(context.database, context.season_id, wanted)
        row = queries.bot_row(context.database, context.season_id, bot_id)
        tick = row["verified_tick"]
        if tick is not None and 0 <= context.engine.market.n - tick < _FRESH_TICKS:
            return Proof(str(row["verified"]), int(tick))
        bundle = read_bundle(context.database, context.season_id, bot_id, __version__)
        proof = verify(context.pool, bundle)
        if proof.status != UNPROVED:
            mark_verified(context.database, context.season_id, bot_id, proof.tick, proof.status)
            context.engine.roster.changed()
    finally:
        _busy.release()
    return proof
