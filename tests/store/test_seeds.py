"""A season's seeds: random and apart from it, committed to from the start, revealed at its end."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine as Database
from sqlalchemy import text

from arena.core.seeds import seed_of
from arena.store import database as opening
from arena.store import queries
from arena.store.database import open_database, upgrade
from arena.store.seasons import close_season, resume_or_open, season_seeds
from tests.store.conftest import PLAN

RANDOM = dataclasses.replace(PLAN, seed=None)
MIGRATIONS = Path(opening.__file__).parent / "migrations"


def digest(seed: str) -> str:
    return hashlib.sha256(seed.encode()).hexdigest()


def test_seeds_are_random_and_tell_nothing_of_one_another(database: Database) -> None:
    found = set()
    for _ in range(3):
        season, _ = resume_or_open(database, RANDOM, runtime={})
        seeds = season_seeds(database, season.id)
        found |= {seeds.market, seeds.chance}
        close_season(database, season.id)
    assert len(found) == 6
    assert all(len(seed) == 32 and int(seed, 16) for seed in found)


def test_only_the_commitment_of_an_open_season_can_be_read_and_the_seed_of_a_closed_one(database: Database) -> None:
    season, _ = resume_or_open(database, RANDOM, runtime={})
    seeds = season_seeds(database, season.id)
    row = queries.season_row(database, season.id)
    assert (row["seed"], row["seed_sha256"], row["predictable"]) == (None, digest(seeds.market), False)
    assert seeds.market not in repr(row)
    assert seeds.chance not in repr(queries.season_rows(database))
    close_season(database, season.id)
    row = queries.season_row(database, season.id)
    assert (row["seed"], digest(row["seed"])) == (seeds.market, row["seed_sha256"])
    assert seeds.chance not in repr(row)


def test_a_set_seed_is_counted_on_by_season_and_marks_it_predictable(database: Database) -> None:
    markets = []
    for _ in range(2):
        season, _ = resume_or_open(database, PLAN, runtime={})
        assert season.predictable
        seeds = season_seeds(database, season.id)
        markets.append(seeds.market)
        assert len(seeds.chance) == 32
        close_season(database, season.id)
    assert markets == ["7", "8"]


def test_a_bots_seed_depends_on_the_chance_of_the_season_its_name_and_its_source() -> None:
    assert seed_of(7, "A", "x") == seed_of("7", "A", "x")
    assert len({seed_of(*given) for given in [("7", "A", "x"), ("8", "A", "x"), ("7", "B", "x"), ("7", "A", "y")]}) == 4
    assert seed_of("7", "A", "x") == int.from_bytes(hashlib.sha256(b"7\x00A\x00x").digest()[:8], "big")


@pytest.fixture
def old(empty_url: str) -> Database:
    """A database of the schema before, with an open synthetic season, a closed one, and a live one."""
    engine = open_database(empty_url)
    migrate(engine, "0002")
    names = (
        "id, number, key, status, feed, feed_note, symbols, interval, starting_cash, fee_bps, slippage_bps, "
        "rules_version, seed, isolation, runtime, opened_at"
    )
    with engine.begin() as connection:
        for number, (status, feed) in enumerate([("closed", "synthetic"), ("open", "synthetic"), ("open", "binance")]):
            connection.execute(text(
                f"INSERT INTO seasons ({names}) VALUES ('s{number}', {number}, 'k', '{status}', '{feed}', '', '[]', "
                f"1.0, 1e4, 0.0, 0.0, 1, {number + 5}, 'A', '{{}}', 0.0)"
            ))  # fmt: skip
    return engine


def migrate(engine: Database, revision: str, *, down: bool = False) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        (command.downgrade if down else command.upgrade)(config, revision)


def test_the_seasons_of_an_old_database_keep_their_chance_and_are_marked_predictable(old: Database) -> None:
    upgrade(old)
    rows = {row["id"]: row for row in queries.season_rows(old)}
    assert {name: row["predictable"] for name, row in rows.items()} == {"s0": True, "s1": True, "s2": False}
    assert {name: row["seed"] for name, row in rows.items()} == {"s0": "5", "s1": None, "s2": None}
    assert rows["s1"]["seed_sha256"] == digest("6")
    seeds = season_seeds(old, "s1")
    assert (seeds.market, seeds.chance) == ("6", "6")
    migrate(old, "0002", down=True)
    upgrade(old)
    old.dispose()
