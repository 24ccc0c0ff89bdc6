"""All reads of the web and the commands; every list is bounded and paged by a cursor."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Engine, Label, Select, Table, bindparam, func, select

from arena.core.text import clean_line
from arena.errors import NotFoundError
from arena.store.bulk import table_of
from arena.store.models import (
    BoardSummary,
    Bot,
    Entry,
    LogRow,
    OrderRow,
    Receipt,
    Season,
    Standing,
    Submission,
    Tick,
    TickRow,
    Trade,
)
from arena.store.moved import KEPT_EVERY, moved_until

Row = dict[str, Any]

MAX_PAGE = 1000
MAX_CURSOR = 2**63 - 1  # the widest id that both databases keep
_HIDDEN = frozenset({"season_id", "bot_id", "order_id", "tick"})

_STANDINGS, _BOTS, _ENTRIES = table_of(Standing), table_of(Bot), table_of(Entry)
_SUBMISSIONS = table_of(Submission)


def _rows(engine: Engine, statement: Select[Any], given: Row | None = None) -> list[Row]:
    with engine.connect() as connection:
        found = connection.execute(statement, given)
        names = tuple(found.keys())
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def season_row(engine: Engine, season_id: str) -> Row:
    """Return a season; NotFoundError if there is none."""
    table = table_of(Season)
    found = _rows(engine, select(table).where(table.c.id == season_id))
    if not found:
        raise NotFoundError(f"There is no season {season_id}.")
    return found[0]


def season_by_number(engine: Engine, number: int) -> Row:
    """Return a season by its number; NotFoundError if there is none."""
    table = table_of(Season)
    found = _rows(engine, select(table).where(table.c.number == number))
    if not found:
        raise NotFoundError(f"There is no season {number}.")
    return found[0]


def last_tick(engine: Engine, season_id: str) -> Row | None:
    """Return the last recorded tick of a season, None if it has none."""
    table = table_of(Tick)
    columns = select(table.c.n, table.c.time, table.c.prices)
    found = _rows(engine, columns.where(table.c.season_id == season_id).order_by(table.c.n.desc()).limit(1))
    return found[0] if found else None


def season_rows(engine: Engine) -> list[Row]:
    """Return all seasons, newest first."""
    table = table_of(Season)
    return _rows(engine, select(table).order_by(table.c.number.desc()))


def _entry_columns() -> Select[Any]:
    """Select what a bot's row on the board and its own page share."""
    return (
        select(
            _STANDINGS.c.rank, _ENTRIES.c.bot_id, _ENTRIES.c.bot_name.label("name"), _BOTS.c.author,
            _BOTS.c.origin, _BOTS.c.model, _ENTRIES.c.status, _STANDINGS.c.equity,
            _STANDINGS.c.cash, _STANDINGS.c.return_pct, _STANDINGS.c.realized_pnl,
            _STANDINGS.c.unrealized_pnl, _STANDINGS.c.max_drawdown_pct, _STANDINGS.c.sharpe,
            _STANDINGS.c.trades, _STANDINGS.c.rejected, _STANDINGS.c.win_rate_pct,
            _STANDINGS.c.turnover, _STANDINGS.c.exposure_pct, _STANDINGS.c.fees, _STANDINGS.c.positions,
            _ENTRIES.c.errors, _ENTRIES.c.last_error, _STANDINGS.c.as_of,
            _STANDINGS.c.periods_a_year, _STANDINGS.c.note,
            _STANDINGS.c.periods, _STANDINGS.c.excess_pct, _STANDINGS.c.verdict, _STANDINGS.c.verdict_next,
            _STANDINGS.c.tie_first, _STANDINGS.c.tie_last, _STANDINGS.c.batches, _STANDINGS.c.ticks_to_separate,
            _ENTRIES.c.admitted_at,
            _BOTS.c.symbols, _BOTS.c.submission_id,
            _ENTRIES.c.verified_words.label("verified"), _ENTRIES.c.verified_tick, _ENTRIES.c.disqualified,
        )
        .join(_BOTS, _BOTS.c.id == _ENTRIES.c.bot_id)
        .outerjoin(
            _STANDINGS,
            (_STANDINGS.c.bot_id == _ENTRIES.c.bot_id) & (_STANDINGS.c.season_id == _ENTRIES.c.season_id),
        )
    )  # fmt: skip


def board(engine: Engine, season_id: str) -> list[Row]:
    """Return the board by rank, as last recorded; bots without a row yet come last, then the disqualified, unranked."""
    shown = (_ENTRIES.c.status != "retired") | _ENTRIES.c.disqualified.is_not(None)
    rows = _rows(engine, _entry_columns().where(_ENTRIES.c.season_id == season_id, shown))
    out = "disqualified"
    rows.sort(key=lambda row: (row[out] is not None, row["rank"] is None, row["rank"] or 0, row["name"]))
    for number, row in enumerate(rows, 1):
        # A retired bot leaves a gap in the stored ranks until the next snapshot; readers see none.
        rank = None if row[out] is not None else number
        row.update(rank=rank, trades=row["trades"] or 0, rejected=row["rejected"] or 0)
    return rows


def board_summary(engine: Engine, season_id: str) -> Row:
    """Return what a season's board says beside its rows; empty before its first snapshot."""
    table = table_of(BoardSummary)
    found = _rows(engine, select(table.c.document).where(table.c.season_id == season_id))
    return dict(found[0]["document"]) if found else {}


# Made once: to build a statement of so many columns takes longer than to run it.
_BOT_ROW = (
    _entry_columns()
    .add_columns(
        _BOTS.c.version, _BOTS.c.source_hash, _BOTS.c.path, _ENTRIES.c.admitted_tick, _ENTRIES.c.reason,
        _ENTRIES.c.season_id, _SUBMISSIONS.c.prompt,
    )
    .outerjoin(_SUBMISSIONS, _SUBMISSIONS.c.id == _BOTS.c.submission_id)
    .where(_ENTRIES.c.season_id == bindparam("season"), _ENTRIES.c.bot_id == bindparam("bot"))
)  # fmt: skip


def bot_row(engine: Engine, season_id: str, bot_id: str) -> Row:
    """Return one bot with its program's facts; NotFoundError if it is not in the season."""
    found = _rows(engine, _BOT_ROW, {"season": season_id, "bot": bot_id})
    if not found:
        raise NotFoundError(f"There is no bot {bot_id} in this season.")
    row = found[0]
    row["trades"], row["rejected"] = row["trades"] or 0, row["rejected"] or 0
    return row


def last_season_of(engine: Engine, bot_id: str) -> str:
    """Return the id of the newest season that a bot is in; NotFoundError where there is no such bot."""
    seasons = table_of(Season)
    found = _rows(
        engine,
        select(_ENTRIES.c.season_id)
        .join(seasons, seasons.c.id == _ENTRIES.c.season_id)
        .where(_ENTRIES.c.bot_id == bot_id)
        .order_by(seasons.c.number.desc())
        .limit(1),
    )
    if not found:
        raise NotFoundError(f"There is no bot {bot_id}.")
    return str(found[0]["season_id"])


# Of each column above: its name there, its table, and its name in that table.
_BOT_ROW_SOURCES = [
    (str(each.key), column.table, str(column.key))
    for each in _BOT_ROW.selected_columns
    for column in [each.element if isinstance(each, Label) else each]
]


def new_bot_row(bot: Bot, entry: Entry) -> Row:
    """Return what `bot_row` finds of a bot that has come in just now and was uploaded, without asking the database."""
    written: dict[Any, Row] = {_BOTS: bot.model_dump(), _ENTRIES: entry.model_dump()}
    row = {name: written[table][key] if table in written else None for name, table, key in _BOT_ROW_SOURCES}
    return {**row, "trades": 0, "rejected": 0}


def receipts(engine: Engine, season_id: str, bot_id: str) -> list[Row]:
    """Return a bot's receipt in a season with the one before it in the chain, oldest first; empty if it has none."""
    table = table_of(Receipt)
    own = _rows(engine, select(table).where(table.c.season_id == season_id, table.c.bot_id == bot_id))
    return _rows(engine, select(table).where(table.c.n == own[0]["n"] - 1)) + own if own else []


def bot_submissions(engine: Engine, season_id: str) -> dict[str, str | None]:
    """Return the submission of each bot of a season, None where nobody wrote it for a prompt."""
    statement = (
        select(_BOTS.c.id, _BOTS.c.submission_id)
        .join(_ENTRIES, _ENTRIES.c.bot_id == _BOTS.c.id)
        .where(_ENTRIES.c.season_id == season_id)
    )
    return {row["id"]: row["submission_id"] for row in _rows(engine, statement)}


def bot_rows(engine: Engine, season_id: str) -> list[Row]:
    """Return every bot of a season, the retired included, in order of admission."""
    statement = _entry_columns().add_columns(_BOTS.c.version)
    statement = statement.where(_ENTRIES.c.season_id == season_id).order_by(_ENTRIES.c.admitted_at, _ENTRIES.c.bot_id)
    return _rows(engine, statement)


def find_bot(engine: Engine, season_id: str, wanted: str) -> str:
    """Return the id of a bot given by id or by name; case matters only where names differ by nothing else."""
    names = select(_ENTRIES.c.bot_id, _ENTRIES.c.bot_name).where(_ENTRIES.c.season_id == season_id)
    found = _rows(engine, names.where((_ENTRIES.c.bot_id == wanted) | (_ENTRIES.c.bot_name == wanted)))
    if not found:
        # Neither database folds the case of every letter, so that it is done here.
        folded = wanted.casefold()
        found = [row for row in _rows(engine, names) if row["bot_name"].casefold() == folded]
    if not found:
        raise NotFoundError(f"There is no bot '{clean_line(wanted, 80)}' in this season.")
    # A bot that is called like another's id does not hide that one.
    found = [row for row in found if row["bot_id"] == wanted] or found
    if len(found) > 1:
        alike = ", ".join(sorted(f"'{row['bot_name']}'" for row in found))
        raise NotFoundError(f"Several bots are called like that: {alike}; write the name exactly.")
    return str(found[0]["bot_id"])


def source_of(engine: Engine, bot_id: str) -> str:
    """Return a bot's source."""
    found = _rows(engine, select(_BOTS.c.source).where(_BOTS.c.id == bot_id))
    if not found:
        raise NotFoundError(f"There is no bot {bot_id}.")
    return str(found[0]["source"])


def versions(engine: Engine, bot_id: str) -> list[Row]:
    """Return all versions of a bot with their sources, oldest first: the programs of one name and author."""
    one = select(_BOTS.c.name, _BOTS.c.author).where(_BOTS.c.id == bot_id).subquery()
    columns = (_BOTS.c.id, _BOTS.c.version, _BOTS.c.created_at, _BOTS.c.source_hash, _BOTS.c.source)
    found = select(*columns).where(_BOTS.c.name == one.c.name, _BOTS.c.author == one.c.author)
    return _rows(engine, found.order_by(_BOTS.c.version, _BOTS.c.created_at, _BOTS.c.id))


def tick_span(connection: Connection, season_id: str) -> tuple[int | None, int | None]:
    """Return the numbers of a season's first and last tick that are in the database, None where there is none."""
    rows, seasons = table_of(TickRow), table_of(Season)
    number = select(seasons.c.number).where(seasons.c.id == season_id).scalar_subquery()
    # Asked for one by one, each is a step in the key; together they would read all that lies between.
    first, last = (
        connection.execute(select(end(rows.c.n)).where(rows.c.season == number)).scalar()
        for end in (func.min, func.max)
    )
    return first, last


def price_history(engine: Engine, season_id: str, limit: int) -> list[Row]:
    """Return a season's prices oldest first, thinned evenly to at most `limit` ticks."""
    with engine.connect() as connection:
        first, last = tick_span(connection, season_id)
        moved = moved_until(connection, season_id, "ticks")
    if first is None or last is None:
        return []
    # Ticks are numbered without gaps, so that a few of many are looked up and the others are not read.
    count = min(limit, last - first + 1)
    evenly = [first + round(place * (last - first) / max(1, count - 1)) for place in range(count)]
    # Of those that were moved to files, some have stayed.
    picked = sorted({n if n > moved else n - n % KEPT_EVERY for n in evenly})
    table = table_of(Tick)
    columns = select(table.c.n, table.c.time, table.c.prices)
    return _rows(engine, columns.where(table.c.season_id == season_id, table.c.n.in_(picked)).order_by(table.c.n))


def page(
    engine: Engine, model: Any, season_id: str, *, bot_id: str | None = None, limit: int = 100,
    cursor: int | None = None,
) -> tuple[list[Row], int | None]:  # fmt: skip
    """Return rows newest first and the cursor of the next page, None at the end."""
    table: Table = table_of(model)
    limit = max(1, min(limit, MAX_PAGE))
    statement = select(table).where(table.c.season_id == season_id)
    if bot_id is not None:
        statement = statement.where(table.c.bot_id == bot_id)
    if cursor is not None:
        statement = statement.where(table.c.id < cursor)
    rows = _rows(engine, statement.order_by(table.c.id.desc()).limit(limit + 1))
    more = len(rows) > limit
    rows = rows[:limit]
    keep = set(table.c.keys()) - (_HIDDEN - {"tick"})
    shown = [{name: row[name] for name in row if name in keep or name == "bot_id"} for row in rows]
    return shown, rows[-1]["id"] if more else None


TABLES = {"trades": Trade, "orders": OrderRow, "logs": LogRow}


def count_submissions(engine: Engine, statuses: Collection[str]) -> dict[str, int]:
    """Return how many submissions are in each of some states; a state that none is in is left out."""
    status = _SUBMISSIONS.c.status
    query = select(status, func.count()).where(status.in_([str(one) for one in statuses])).group_by(status)
    with engine.connect() as connection:
        return {str(name): int(count) for name, count in connection.execute(query)}
