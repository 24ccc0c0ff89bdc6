"""Ticks and equity in a compact form behind views of the same names; roll-ups; parts that were moved to files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import orjson
import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_BATCH = 5000

# Where no order is asked for, rows come as they went in: SQLite keeps the order of the tables in a CROSS JOIN, and an
# ORDER BY would make it read all of the view for one row; PostgreSQL must be told.
_EQUITY_VIEW = """
CREATE VIEW equity AS
SELECT e.id, e.time, k.bot_name, e.equity, e.realized_pnl, e.unrealized_pnl, e.cash, k.season_id, k.bot_id, e.tick
FROM equity_rows e {} entry_numbers k ON k.number = e.entry{}
"""

# Keys and prices are put together as they were written, so that no digit is lost.
_TICKS_VIEW = {
    "sqlite": """
CREATE VIEW ticks AS
SELECT s.id AS season_id, t.n, t.time,
  (SELECT '{' || coalesce(group_concat((m.symbols -> i.key) || ':' || (t.prices -> i.key), ','), '') || '}'
   FROM json_each(m.symbols) i) AS prices,
  t.conditions
FROM tick_rows t JOIN seasons s ON s.number = t.season JOIN symbol_sets m ON m.number = t.symbols
""",
    "postgresql": """
CREATE VIEW ticks AS
SELECT s.id AS season_id, t.n, t.time,
  (SELECT '{' || coalesce(
     string_agg((m.symbols::json -> i)::text || ':' || (t.prices::json -> i)::text, ',' ORDER BY i), '') || '}'
   FROM generate_series(0, json_array_length(m.symbols::json) - 1) i)::json AS prices,
  t.conditions
FROM tick_rows t JOIN seasons s ON s.number = t.season JOIN symbol_sets m ON m.number = t.symbols
""",
}


# The views are written like the tables they stand for, by hand or by another program; Arena writes the tables behind.
_SQLITE_TRIGGERS = (
    """
CREATE TRIGGER equity_insert INSTEAD OF INSERT ON equity BEGIN
  INSERT INTO entry_numbers (season_id, bot_id, bot_name) SELECT NEW.season_id, NEW.bot_id, NEW.bot_name
  WHERE NOT EXISTS (SELECT 1 FROM entry_numbers WHERE season_id = NEW.season_id AND bot_id = NEW.bot_id);
  INSERT INTO equity_rows (id, time, equity, realized_pnl, unrealized_pnl, cash, entry, tick)
  SELECT NEW.id, NEW.time, NEW.equity, NEW.realized_pnl, NEW.unrealized_pnl, NEW.cash, number, NEW.tick
  FROM entry_numbers WHERE season_id = NEW.season_id AND bot_id = NEW.bot_id;
END
""",
    """
CREATE TRIGGER equity_update INSTEAD OF UPDATE ON equity BEGIN
  SELECT raise(ABORT, 'bot_name, season_id and bot_id of equity are those of entry_numbers')
  WHERE (NEW.bot_name, NEW.season_id, NEW.bot_id) IS NOT (OLD.bot_name, OLD.season_id, OLD.bot_id);
  UPDATE equity_rows SET id = NEW.id, time = NEW.time, equity = NEW.equity, realized_pnl = NEW.realized_pnl,
    unrealized_pnl = NEW.unrealized_pnl, cash = NEW.cash, tick = NEW.tick WHERE id = OLD.id;
END
""",
    "CREATE TRIGGER equity_delete INSTEAD OF DELETE ON equity BEGIN DELETE FROM equity_rows WHERE id = OLD.id; END",
    """
CREATE TRIGGER ticks_insert INSTEAD OF INSERT ON ticks BEGIN
  INSERT INTO symbol_sets (symbols) SELECT json_group_array(key) FROM json_each(NEW.prices)
  WHERE true ON CONFLICT DO NOTHING;
  INSERT INTO tick_rows (time, season, n, symbols, prices, conditions) VALUES (
    NEW.time, (SELECT number FROM seasons WHERE id = NEW.season_id), NEW.n,
    (SELECT number FROM symbol_sets
     WHERE symbols = (SELECT json_group_array(key) FROM json_each(NEW.prices))),
    (SELECT '[' || coalesce(group_concat(NEW.prices -> fullkey, ','), '') || ']' FROM json_each(NEW.prices)),
    NEW.conditions);
END
""",
    """
CREATE TRIGGER ticks_update INSTEAD OF UPDATE ON ticks BEGIN
  INSERT INTO symbol_sets (symbols) SELECT json_group_array(key) FROM json_each(NEW.prices)
  WHERE true ON CONFLICT DO NOTHING;
  UPDATE tick_rows SET time = NEW.time, n = NEW.n, conditions = NEW.conditions,
    season = (SELECT number FROM seasons WHERE id = NEW.season_id),
    symbols = (SELECT number FROM symbol_sets
               WHERE symbols = (SELECT json_group_array(key) FROM json_each(NEW.prices))),
    prices = (SELECT '[' || coalesce(group_concat(NEW.prices -> fullkey, ','), '') || ']' FROM json_each(NEW.prices))
  WHERE season = (SELECT number FROM seasons WHERE id = OLD.season_id) AND n = OLD.n;
END
""",
    """
CREATE TRIGGER ticks_delete INSTEAD OF DELETE ON ticks BEGIN
  DELETE FROM tick_rows WHERE season = (SELECT number FROM seasons WHERE id = OLD.season_id) AND n = OLD.n;
END
""",
)
_POSTGRES_TRIGGERS = (
    """
CREATE FUNCTION write_equity() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE place integer;
BEGIN
  IF TG_OP = 'DELETE' THEN
    DELETE FROM equity_rows WHERE id = OLD.id;
    RETURN OLD;
  END IF;
  IF TG_OP = 'UPDATE' THEN
    IF (NEW.bot_name, NEW.season_id, NEW.bot_id) IS DISTINCT FROM (OLD.bot_name, OLD.season_id, OLD.bot_id) THEN
      RAISE EXCEPTION 'bot_name, season_id and bot_id of equity are those of entry_numbers';
    END IF;
    UPDATE equity_rows SET id = NEW.id, time = NEW.time, equity = NEW.equity, realized_pnl = NEW.realized_pnl,
      unrealized_pnl = NEW.unrealized_pnl, cash = NEW.cash, tick = NEW.tick WHERE id = OLD.id;
    RETURN NEW;
  END IF;
  SELECT number INTO place FROM entry_numbers WHERE season_id = NEW.season_id AND bot_id = NEW.bot_id;
  IF place IS NULL THEN
    INSERT INTO entry_numbers (season_id, bot_id, bot_name) VALUES (NEW.season_id, NEW.bot_id, NEW.bot_name)
    RETURNING number INTO place;
  END IF;
  NEW.id := coalesce(NEW.id, nextval(pg_get_serial_sequence('equity_rows', 'id')));
  INSERT INTO equity_rows (id, time, equity, realized_pnl, unrealized_pnl, cash, entry, tick)
  VALUES (NEW.id, NEW.time, NEW.equity, NEW.realized_pnl, NEW.unrealized_pnl, NEW.cash, place, NEW.tick);
  RETURN NEW;
END $$
""",
    """
CREATE FUNCTION write_tick() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE place integer; old_place integer; names text; numbers text; priced integer;
BEGIN
  IF TG_OP <> 'INSERT' THEN
    SELECT number INTO old_place FROM seasons WHERE id = OLD.season_id;
  END IF;
  IF TG_OP = 'DELETE' THEN
    DELETE FROM tick_rows WHERE season = old_place AND n = OLD.n;
    RETURN OLD;
  END IF;
  SELECT number INTO place FROM seasons WHERE id = NEW.season_id;
  SELECT '[' || coalesce(string_agg(to_json(key)::text, ',' ORDER BY i), '') || ']',
         '[' || coalesce(string_agg(value::text, ',' ORDER BY i), '') || ']' INTO names, numbers
  FROM json_each(NEW.prices) WITH ORDINALITY AS each(key, value, i);
  INSERT INTO symbol_sets (symbols) VALUES (names) ON CONFLICT DO NOTHING;
  SELECT number INTO priced FROM symbol_sets WHERE symbols = names;
  IF TG_OP = 'UPDATE' THEN
    UPDATE tick_rows SET time = NEW.time, n = NEW.n, conditions = NEW.conditions, season = place, symbols = priced,
      prices = numbers WHERE season = old_place AND n = OLD.n;
  ELSE
    INSERT INTO tick_rows (time, season, n, symbols, prices, conditions)
    VALUES (NEW.time, place, NEW.n, priced, numbers, NEW.conditions);
  END IF;
  RETURN NEW;
END $$
""",
    """
CREATE TRIGGER write_equity INSTEAD OF INSERT OR UPDATE OR DELETE ON equity
FOR EACH ROW EXECUTE FUNCTION write_equity()
""",
    """
CREATE TRIGGER write_tick INSTEAD OF INSERT OR UPDATE OR DELETE ON ticks
FOR EACH ROW EXECUTE FUNCTION write_tick()
""",
)


def _make_tables() -> None:
    op.create_table(
        "symbol_sets",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("symbols", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("symbols"),
    )
    op.create_table(
        "tick_rows",
        sa.Column("time", sa.Float(), nullable=False),
        sa.Column("season", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("symbols", sa.Integer(), nullable=False),
        sa.Column("prices", sa.Text(), nullable=False),
        sa.Column("conditions", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("season", "n"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "entry_numbers",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("season_id", sa.String(), nullable=False),
        sa.Column("bot_id", sa.String(), nullable=False),
        sa.Column("bot_name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("season_id", "bot_id"),
    )
    op.create_table(
        "equity_rows",
        sa.Column("id", _BIG, autoincrement=True, nullable=False),
        sa.Column("time", sa.Float(), nullable=False),
        sa.Column("equity", sa.Float(), nullable=False),
        sa.Column("realized_pnl", sa.Float(), nullable=False),
        sa.Column("unrealized_pnl", sa.Float(), nullable=False),
        sa.Column("cash", sa.Float(), nullable=False),
        sa.Column("entry", sa.Integer(), nullable=False),
        sa.Column("tick", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "equity_rollups",
        sa.Column("start", _BIG, autoincrement=False, nullable=False),
        sa.Column("entry", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seconds", sa.Integer(), autoincrement=False, nullable=False),
        *(
            sa.Column(name, sa.Float(), nullable=False)
            for name in ("open", "high", "low", "close", "realized_pnl", "unrealized_pnl", "time")
        ),
        sa.Column("tick", sa.Integer(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("entry", "seconds", "start"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "archive_parts",
        sa.Column("id", _BIG, autoincrement=True, nullable=False),
        sa.Column("season_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("first", _BIG, nullable=False),
        sa.Column("last", _BIG, nullable=False),
        sa.Column("last_time", sa.Float(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("file", sa.String(), nullable=False),
        sa.Column("folder", sa.String(), nullable=False),
        sa.Column("bytes", _BIG, nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_archive_parts_season", "archive_parts", ["season_id", "kind", "first"])


def upgrade() -> None:
    """Make the tables, move the rows over in their order, and put views in place of the old tables."""
    _make_tables()
    connection = op.get_bind()
    _move_ticks(connection)
    connection.execute(sa.text(
        "INSERT INTO entry_numbers (season_id, bot_id, bot_name)"
        " SELECT season_id, bot_id, bot_name FROM equity WHERE id IN (SELECT min(id) FROM equity"
        " GROUP BY season_id, bot_id) ORDER BY id"
    ))  # fmt: skip
    connection.execute(sa.text(
        "INSERT INTO equity_rows (id, time, equity, realized_pnl, unrealized_pnl, cash, entry, tick)"
        " SELECT e.id, e.time, e.equity, e.realized_pnl, e.unrealized_pnl, e.cash, k.number, e.tick"
        " FROM equity e JOIN entry_numbers k ON k.season_id = e.season_id AND k.bot_id = e.bot_id ORDER BY e.id"
    ))  # fmt: skip
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text(
            "SELECT setval(pg_get_serial_sequence('equity_rows', 'id'), coalesce((SELECT max(id) FROM equity), 0) + 1,"
            " false)"
        ))  # fmt: skip
    op.drop_table("ticks")
    op.drop_table("equity")
    op.create_index("ix_equity_rows_entry", "equity_rows", ["entry", "time"])
    op.create_index("ix_trades_season", "trades", ["season_id", "id"])
    sqlite = connection.dialect.name == "sqlite"
    op.execute(_EQUITY_VIEW.format("CROSS JOIN", "") if sqlite else _EQUITY_VIEW.format("JOIN", " ORDER BY e.id"))
    # Past SQLAlchemy, which would take a colon for a parameter.
    connection.exec_driver_sql(_TICKS_VIEW[connection.dialect.name])
    for trigger in _SQLITE_TRIGGERS if sqlite else _POSTGRES_TRIGGERS:
        connection.exec_driver_sql(trigger)


def _move_ticks(connection: sa.Connection) -> None:
    numbers = {row.id: row.number for row in connection.execute(sa.text("SELECT id, number FROM seasons")).all()}
    sets: dict[str, int] = {}
    conditions_as = "CAST(:conditions AS JSON)" if connection.dialect.name == "postgresql" else ":conditions"
    for season_id, number in numbers.items():
        for rows in _old_ticks(connection, season_id):
            moved = []
            for n, time, prices, conditions in rows:
                symbols, values = _split(prices)
                if symbols not in sets:
                    sets[symbols] = len(sets) + 1
                    row = {"number": sets[symbols], "symbols": symbols}
                    connection.execute(
                        sa.text("INSERT INTO symbol_sets (number, symbols) VALUES (:number, :symbols)"), row
                    )
                moved.append({
                    "time": time, "season": number, "n": n, "symbols": sets[symbols], "prices": values,
                    "conditions": conditions,
                })  # fmt: skip
            connection.execute(
                sa.text(
                    "INSERT INTO tick_rows (time, season, n, symbols, prices, conditions)"  # noqa: S608 - one of two words
                    f" VALUES (:time, :season, :n, :symbols, :prices, {conditions_as})"
                ),
                moved,
            )
    if sets and connection.dialect.name == "postgresql":
        connection.execute(sa.text(
            "SELECT setval(pg_get_serial_sequence('symbol_sets', 'number'), (SELECT max(number) FROM symbol_sets))"
        ))  # fmt: skip


def _old_ticks(connection: sa.Connection, season_id: str) -> Iterator[list[Any]]:
    last = -(2**62)
    query = sa.text(
        "SELECT n, time, CAST(prices AS TEXT), CAST(conditions AS TEXT) FROM ticks"
        " WHERE season_id = :season AND n > :last ORDER BY n LIMIT :batch"
    )
    while found := connection.execute(query, {"season": season_id, "last": last, "batch": _BATCH}).all():
        yield [tuple(row) for row in found]
        last = found[-1][0]


def _split(prices: str) -> tuple[str, str]:
    """Return the symbols and the prices of a JSON object as two JSON arrays."""
    try:
        found = orjson.loads(prices)
        return orjson.dumps(list(found)).decode(), orjson.dumps(list(found.values())).decode()
    except orjson.JSONDecodeError:
        found = json.loads(prices)
        return json.dumps(list(found)), json.dumps(list(found.values()))


def downgrade() -> None:
    """Put the old tables back; what was moved to files stays there, and roll-ups are lost."""
    op.execute("CREATE TABLE old_ticks AS SELECT season_id, n, time, prices, conditions FROM ticks")
    op.execute(
        "CREATE TABLE old_equity AS SELECT id, time, bot_name, equity, realized_pnl, unrealized_pnl, cash, season_id,"
        " bot_id, tick FROM equity"
    )
    op.execute("DROP VIEW ticks")
    op.execute("DROP VIEW equity")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION write_equity")
        op.execute("DROP FUNCTION write_tick")
    for table in ("equity_rollups", "equity_rows", "entry_numbers", "tick_rows", "symbol_sets", "archive_parts"):
        op.drop_table(table)
    op.create_table(
        "ticks",
        sa.Column("season_id", sa.String(), sa.ForeignKey("seasons.id"), nullable=False),
        sa.Column("n", _BIG, autoincrement=False, nullable=False),
        sa.Column("time", sa.Float(), nullable=False),
        sa.Column("prices", sa.JSON(), nullable=False),
        sa.Column("conditions", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("season_id", "n"),
    )
    op.create_table(
        "equity",
        sa.Column("id", _BIG, autoincrement=True, nullable=False),
        sa.Column("time", sa.Float(), nullable=False),
        sa.Column("bot_name", sa.String(), nullable=False),
        *(sa.Column(name, sa.Float(), nullable=False) for name in ("equity", "realized_pnl", "unrealized_pnl", "cash")),
        sa.Column("season_id", sa.String(), nullable=False),
        sa.Column("bot_id", sa.String(), nullable=False),
        sa.Column("tick", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_equity_season_bot", "equity", ["season_id", "bot_id", "id"])
    op.execute("INSERT INTO ticks SELECT * FROM old_ticks")
    op.execute("INSERT INTO equity SELECT * FROM old_equity")
    op.execute("DROP TABLE old_ticks")
    op.execute("DROP TABLE old_equity")
    op.drop_index("ix_trades_season", "trades")
