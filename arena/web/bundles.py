"""Bundles as files: written a few rows at a time, kept until the next tick, sent in pieces."""

from __future__ import annotations

import os
import tempfile
import weakref
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import IO

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from starlette.responses import Response

from arena import __version__
from arena.errors import TooLargeError
from arena.store.bundle import copy_bundle
from arena.web.answers import file_tag, tag_headers, unchanged
from arena.web.context import AppState, ChosenSeason
from arena.web.limits import ConcurrencyLimits, Placed
from arena.web.proofs import last_tick

MAX_BYTES = 256 * 1024 * 1024  # of one bundle
MAX_KEPT_BYTES = 512 * 1024 * 1024
_PIECE = 64 * 1024

Key = tuple[str, str, int, str]


class BundleFile:
    """A bundle in a file without a name, which is gone with the last answer that reads it."""

    def __init__(self, file: IO[bytes]) -> None:
        self.size = file.seek(0, os.SEEK_END)
        self.tag = file_tag(file)
        self._descriptor = os.dup(file.fileno())
        weakref.finalize(self, os.close, self._descriptor)

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield its bytes; each reader has a place of its own."""
        at = 0
        while piece := os.pread(self._descriptor, _PIECE, at):
            yield piece
            at += len(piece)


@dataclass(slots=True)
class Bundles:
    """The newest bundles; used by the event loop only, but for the writing."""

    _kept: OrderedDict[Key, BundleFile] = field(default_factory=OrderedDict)
    builds: int = 0

    async def answer(self, request: Request, context: AppState, season: ChosenSeason, bot_id: str) -> Response:
        """Return a bot's bundle; those who ask for the same one at once wait for one writing of it."""
        lines: ConcurrencyLimits = request.app.state.lines
        # A closed season's last rows are written after its last tick.
        state = context.engine.season.status if season.played else ""
        key = season.id, bot_id, await run_in_threadpool(last_tick, context, season), state
        found = self._kept.get(key)
        if found is None:
            async with lines.bundles.place(request):
                found = self._kept.get(key)
                if found is None:
                    found = await run_in_threadpool(self._written, context, season.id, bot_id)
                    self._keep(key, found)
        known = unchanged(request, found.tag)
        if known is not None:
            return known
        headers = {
            **tag_headers(found.tag),
            "content-disposition": f'attachment; filename="arena-{bot_id}.zip"',
            "content-length": str(found.size),
        }
        answer = StreamingResponse(found.pieces(), media_type="application/zip", headers=headers)
        return Placed(lines.downloads, request, answer)

    def _written(self, context: AppState, season_id: str, bot_id: str) -> BundleFile:
        with tempfile.TemporaryFile(prefix="arena-bundle-") as file:
            try:
                copy_bundle(context.database, season_id, bot_id, __version__, file, MAX_BYTES, context.signer)
            except TooLargeError as error:
                raise TooLargeError(f"{error} Write it on the server's machine by `arena export`.") from None
            file.flush()
            self.builds += 1
            return BundleFile(file)

    def _keep(self, key: Key, made: BundleFile) -> None:
        # A bundle of the same bot from before is not asked for again.
        for old in [one for one in self._kept if one[:2] == key[:2]]:
            del self._kept[old]
        self._kept[key] = made
        while len(self._kept) > 1 and sum(one.size for one in self._kept.values()) > MAX_KEPT_BYTES:
            self._kept.popitem(last=False)
