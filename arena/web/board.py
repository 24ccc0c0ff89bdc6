"""The board as bytes: read and encoded once whenever what it shows has changed, then handed out.

An *edition* is the board at one moment, its rows encoded one by one; a *page* is what one question gets
of it. Whether an edition is still true is asked in two steps. The cheap one compares a few numbers and
runs at each request. When they have moved on, the seats are compared with those the edition shows, because
most ticks change nothing on the board; only if these differ is the database read again.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from arena.core.scoring import RANKED_EVERY
from arena.store import queries
from arena.web import schemas
from arena.web.board_edition import BoardEdition, Question, takes_gzip
from arena.web.context import AppState, ChosenSeason
from arena.web.views import DISQUALIFIED

PATH = "/api/v1/leaderboard"
MAX_PAGES = 64
MAX_PAGE_BYTES = 16 * 1024 * 1024
MAX_KNOWN = 256
MAX_WORDS = 2000  # bytes of a request's words that are worth keeping
MAX_PAST = 4  # boards of past seasons that are kept
PAST_SECONDS = 60.0  # after which another process's proof of a past bot is seen
RECHECK_SECONDS = 1.0  # within which is seen what no counter tells, as that a bot has recovered

_FIELDS = tuple(schemas.BoardItem.model_fields)


class Ready(Response):
    """An answer whose headers are encoded already; FastAPI and the front both send it."""

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        self.status_code = status
        self.background = None
        self.body = body
        # `SecurityMiddleware` adds its own to the list.
        self.raw_headers = headers.copy()


@dataclass(slots=True)
class Page:
    """One answer, with and without its bytes."""

    tag: str
    body: bytes
    found: list[tuple[bytes, bytes]] = field(init=False)
    unchanged: list[tuple[bytes, bytes]] = field(init=False)

    def dress(self, asked: Question) -> Page:
        """Encode the headers once."""
        self.unchanged = [
            (b"etag", self.tag.encode()),
            (b"cache-control", b"no-cache"),
            (b"vary", b"Accept, Accept-Encoding"),
        ]
        kind = b"text/csv; charset=utf-8" if asked.csv else b"application/json"
        self.found = [*self.unchanged, (b"content-type", kind), (b"content-length", str(len(self.body)).encode())]
        if asked.gzip:
            self.found.append((b"content-encoding", b"gzip"))
        return self


class BoardCache:
    """The present edition and its pages; used by the event loop only, which alone changes it."""

    def __init__(self, context: AppState) -> None:
        self._context = context
        self._key: tuple[Any, ...] = ()
        self._edition: BoardEdition | None = None
        self._pages: OrderedDict[Question, Page] = OrderedDict()
        self._bytes = 0
        self._known: dict[tuple[bytes, str, str], Question] = {}
        self._building = asyncio.Lock()
        self._past: OrderedDict[str, tuple[tuple[int, int], BoardEdition]] = OrderedDict()
        self.builds = 0

    async def first(
        self, scope: Scope, season: ChosenSeason, sort: str, order: str, limit: int, cursor: int
    ) -> Response:
        """Answer a request whose question has just been checked, and know it from now on."""
        wanted = _wanted(scope)
        packed = takes_gzip(wanted.accept_encoding)
        asked = Question(sort, order, limit, cursor, "text/csv" in wanted.accept, packed)
        if not season.played:
            return await self._answer_of_the_past(asked._replace(season_id=season.id), wanted.if_none_match)
        # A season that was named is another one as soon as the next is opened.
        if not season.named and sum(map(len, wanted.words)) <= MAX_WORDS:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            self._known[wanted.words] = asked
        return await self._answer(asked, wanted.if_none_match)

    async def again(self, scope: Scope) -> Response | None:
        """Answer a request whose very words have been checked before, else None."""
        wanted = _wanted(scope)
        asked = self._known.get(wanted.words)
        return None if asked is None else await self._answer(asked, wanted.if_none_match)

    async def _answer(self, asked: Question, if_none_match: str) -> Response:
        page = self._pages.get(asked) if self._key == self._present() else None
        if page is not None:
            self._pages.move_to_end(asked)
        else:
            async with self._building:
                page = await self._built(asked)
        return _response(page, if_none_match)

    async def _answer_of_the_past(self, asked: Question, if_none_match: str) -> Response:
        """Answer from a season that is not played: its rows stand still, but for proofs."""
        revision = self._context.engine.roster.revision, int(time.monotonic() / PAST_SECONDS)
        async with self._building:
            known = self._past.get(asked.season_id)
            if known is None or known[0] != revision:
                edition = await run_in_threadpool(self._read, (), asked.season_id)
                self._past[asked.season_id] = known = revision, edition
            self._past.move_to_end(asked.season_id)
            while len(self._past) > MAX_PAST:
                self._past.popitem(last=False)
            page = await run_in_threadpool(_page, known[1], asked)
        return _response(page, if_none_match)

    def _present(self) -> tuple[Any, ...]:
        engine = self._context.engine
        season = engine.season
        slot = int(time.monotonic() / RECHECK_SECONDS)
        return season.id, season.status, engine.market.n, engine.roster.revision, slot

    async def _built(self, asked: Question) -> Page:
        # The key is taken before the data: what changes in between makes the next request look again.
        key = self._present()
        if key != self._key:
            shown = _shown(self._context)
            if self._edition is None or self._edition.shown != shown:
                self._edition = await run_in_threadpool(self._read, shown, self._context.season_id)
                self._pages.clear()
                self._bytes = 0
            self._key = key
        assert self._edition is not None
        page = self._pages.get(asked)
        if page is None:
            page = await run_in_threadpool(_page, self._edition, asked)
            self._keep(asked, page)
        return page

    def _keep(self, asked: Question, page: Page) -> None:
        self._pages[asked] = page
        self._bytes += len(page.body)
        while len(self._pages) > MAX_PAGES or self._bytes > MAX_PAGE_BYTES:
            _, dropped = self._pages.popitem(last=False)
            self._bytes -= len(dropped.body)

    def _read(self, shown: tuple[Any, ...], season_id: str) -> BoardEdition:
        context, engine = self._context, self._context.engine
        self.builds += 1
        season = queries.season_row(context.database, season_id)
        rows = queries.board(context.database, season_id)
        played = season_id == engine.season.id
        present = {seat.id: (seat.status, seat.recovered) for seat in engine.roster.seats()} if played else {}
        for row in rows:
            row["status"], row["recovered"] = present.get(row["bot_id"], (row["status"], None))
            if row["disqualified"] is not None:
                row["status"] = DISQUALIFIED
            row["positions"] = row["positions"] or {}
        return BoardEdition(
            shown,
            orjson.dumps(schemas.SeasonDetail.model_validate(season).model_dump()),
            orjson.dumps(queries.board_summary(context.database, season_id) or None),
            [{name: row[name] for name in _FIELDS} for row in rows],
            [row["as_of"] for row in rows],
        )


class CacheMiddleware:
    """Middleware before the framework: it routes and checks the same words once, not five thousand times a second."""

    def __init__(self, app: ASGIApp, board: BoardCache) -> None:
        self._app = app
        self._board = board

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what the board knows, hand on the rest."""
        if scope["type"] == "http" and scope["path"] == PATH and scope["method"] == "GET":
            response = await self._board.again(scope)
            if response is not None:
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)


class _Wanted(NamedTuple):
    """What of a request decides its answer."""

    query: bytes
    accept: str
    accept_encoding: str
    if_none_match: str

    @property
    def words(self) -> tuple[bytes, str, str]:
        return self.query, self.accept, self.accept_encoding


def as_json(scope: Scope) -> Scope:
    """Return a request for the same page as JSON, whole and not packed, whatever the given one takes."""
    dropped = {b"accept", b"accept-encoding", b"if-none-match"}
    return {**scope, "headers": [(name, value) for name, value in scope["headers"] if name not in dropped]}


def _wanted(scope: Scope) -> _Wanted:
    found = {b"accept": "", b"accept-encoding": "", b"if-none-match": ""}
    for name, value in scope["headers"]:
        if name in found:
            text = value.decode("latin-1")
            found[name] = f"{found[name]}, {text}" if found[name] else text
    return _Wanted(scope["query_string"], found[b"accept"], found[b"accept-encoding"], found[b"if-none-match"])


def _response(page: Page, if_none_match: str) -> Response:
    if if_none_match and _matches(if_none_match, page.tag):
        return Ready(304, page.unchanged, b"")
    return Ready(200, page.found, page.body)


def _page(edition: BoardEdition, asked: Question) -> Page:
    return Page(edition.tag(asked), edition.body(asked)).dress(asked)


def _shown(context: AppState) -> tuple[Any, ...]:
    """Return all that can change on the board, as the engine holds it."""
    engine = context.engine
    seats = [
        (seat.id, seat.status, seat.recovered, seat.entry.errors, seat.entry.last_error)
        for seat in engine.roster.seats()
    ]  # fmt: skip
    ranking = engine.market.n // RANKED_EVERY
    return engine.season.id, engine.season.status, engine.roster.revision, ranking, seats


def _matches(given: str, tag: str) -> bool:
    """Say whether If-None-Match names this tag; RFC 9110 compares weakly here."""
    return given == tag or given.strip() == "*" or tag in {one.strip().removeprefix("W/") for one in given.split(",")}
