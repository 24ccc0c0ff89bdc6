"""Seasons, names and versions, on both databases."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy import Engine as Database
from sqlmodel import Session, select

from arena.core.exchange import Rules
from arena.errors import ConflictError, NotFoundError
from arena.store import queries, seasons
from arena.store.models import Bot, Entry
from arena.store.recovered import recover
from arena.store.seasons import (
    SeasonPlan,
    carry_over,
    close_season,
    open_season_with_key,
    resume_or_open,
    set_isolation,
)
from tests.store.conftest import PLAN, Books


def changed(**more: object) -> SeasonPlan:
    return dataclasses.replace(PLAN, **more)  # type: ignore[arg-type]


def test_the_first_season_is_opened(database: Database) -> None:
    season, words = resume_or_open(database, PLAN, runtime={"python": "3.11"}, note="made up")
    assert (season.number, season.status, season.feed_note) == (1, "open", "made up")
    assert season.runtime == {"python": "3.11"}
    assert uuid.UUID(season.id).version == 7
    assert "first" in words


def test_the_same_market_and_rules_go_on(books: Books) -> None:
    season, words = resume_or_open(books.database, PLAN, runtime={})
    assert season.id == books.season.id
    assert "goes on" in words


def test_neither_the_order_of_symbols_nor_the_seed_is_part_of_the_key(books: Books) -> None:
    plan = changed(symbols=("ETHUSDT", "BTCUSDT"), seed=99)
    assert resume_or_open(books.database, plan, runtime={})[0].id == books.season.id


@pytest.mark.parametrize(
    "plan",
    [
        changed(feed="binance"), changed(symbols=("BTCUSDT",)), changed(interval=2.0),
        changed(rules=Rules(starting_cash=5000.0)), changed(rules=Rules(fee_bps=10.0)),
        changed(rules=Rules(slippage_bps=5.0)),
    ],
)  # fmt: skip
def test_any_other_rule_opens_a_season_of_its_own_and_says_why(books: Books, plan: SeasonPlan) -> None:
    other, words = resume_or_open(books.database, plan, runtime={})
    assert other.number == 2
    assert "changed" in words
    # Going back to the old rules goes on with the old season: it was never closed.
    assert resume_or_open(books.database, PLAN, runtime={})[0].id == books.season.id


def test_a_closed_season_is_never_resumed(books: Books) -> None:
    close_season(books.database, books.season.id)
    assert not open_season_with_key(books.database, PLAN.key())
    season, words = resume_or_open(books.database, PLAN, runtime={})
    assert season.number == 2
    assert "closed" in words
    closed = queries.season_row(books.database, books.season.id)
    assert closed["status"] == "closed"
    assert closed["closed_at"] >= closed["opened_at"]


def test_seasons_are_listed_newest_first(books: Books) -> None:
    resume_or_open(books.database, changed(interval=2.0), runtime={})
    assert [row["number"] for row in queries.season_rows(books.database)] == [2, 1]


def test_an_unknown_season_is_not_found(database: Database) -> None:
    with pytest.raises(NotFoundError):
        queries.season_row(database, "nothing")


def test_the_isolation_level_is_kept_with_the_season(books: Books) -> None:
    set_isolation(books.database, books.season.id, "A")
    assert queries.season_row(books.database, books.season.id)["isolation"] == "A"


def test_uploaded_and_generated_bots_go_over_into_a_new_season(
    books: Books, set_status: Callable[[str, str], None]
) -> None:
    kept = [books.admit("Up"), books.admit("Made", "y", origin="generated")]
    books.admit("File", "z", "folder", origin="folder")
    set_status(books.admit("Gone", "w").id, "retired")
    set_status(books.admit("Bad", "v").id, "quarantined")
    close_season(books.database, books.season.id)
    season, _ = resume_or_open(books.database, PLAN, runtime={})
    assert carry_over(books.database, season) == 2
    found = recover(books.database, season.id)
    assert [bot.id for bot, _ in found.entries] == [bot.id for bot in kept]
    assert {entry.admitted_tick for _, entry in found.entries} == {0}
    assert found.trades == {}
    assert carry_over(books.database, season) == 0


def test_a_first_season_has_nothing_to_carry_over(books: Books) -> None:
    assert carry_over(books.database, books.season) == 0


# -- names -------------------------------------------------------------------------------------------------


def test_the_same_source_is_the_bot_that_is_there(books: Books) -> None:
    first = books.admit("A", "one")
    again = books.enrol("A", "one")
    assert (again.bot.id, again.created) == (first.id, False)


def test_another_source_of_the_same_author_is_the_next_version(books: Books) -> None:
    names = [books.admit("A", source).bot_name for source in ("one", "two", "three")]
    assert names == ["A", "A v2", "A v3"]


def test_a_new_version_replaces_the_one_before(books: Books, set_status: Callable[[str, str], None]) -> None:
    first = books.admit("A", "one")
    second = books.enrol("A", "two")
    assert second.replaces == first.id
    for bot in (first, second.bot):
        set_status(bot.id, "retired")
    assert books.enrol("A", "three").replaces is None


@pytest.mark.system
def test_the_name_of_another_author_is_refused(books: Books) -> None:
    books.admit("A", "one", author="Ann")
    with pytest.raises(ConflictError, match="'A'"):
        books.enrol("A", "two", author="Bob")
    with pytest.raises(ConflictError):
        books.enrol("A", "one", author="Bob")


def test_a_generated_bot_gives_way_to_a_taken_name(books: Books) -> None:
    books.admit("A", "one", author="Ann")
    names = [books.admit("A", source, "Bob", "generated").bot_name for source in ("two", "three", "four")]
    assert names == ["A #2", "A #3", "A #4"]


def test_a_generated_bot_is_no_new_version_of_its_authors_other_bots(books: Books) -> None:
    first = books.admit("A", "one", "Ann", "generated")
    second = books.enrol("A", "two", "Ann", "generated")
    assert (second.bot.bot_name, second.bot.version, second.replaces) == ("A #2", 1, None)
    assert first.bot_name == "A"


def test_a_name_that_only_begins_alike_is_another_name(books: Books) -> None:
    books.admit("AB", "one")
    names = [books.admit("A", source).bot_name for source in ("two", "three")]
    assert names == ["A", "A v2"]
    assert books.admit("a", "four").bot_name == "a"


def test_a_version_gives_way_to_a_bot_that_is_really_called_so(books: Books) -> None:
    books.admit("A v2", "zero", "Ann")
    books.admit("A", "one")
    assert books.admit("A", "two").bot_name == "A v2 #2"


def test_a_name_is_free_again_in_a_new_season(books: Books) -> None:
    books.admit("A", "one", author="Ann")
    season, _ = resume_or_open(books.database, changed(interval=9.0), runtime={})
    assert Books(books.database, season).admit("A", "two", author="Bob").bot_name == "A"


def test_a_bot_is_found_by_id_and_by_name(books: Books) -> None:
    bot = books.admit("A b/c")
    for wanted in (bot.id, "A b/c", "a B/C"):
        assert queries.find_bot(books.database, books.season.id, wanted) == bot.id
    with pytest.raises(NotFoundError):
        queries.find_bot(books.database, books.season.id, "A b/d")
    with pytest.raises(NotFoundError):
        queries.source_of(books.database, "nothing")


def test_a_bot_without_standings_is_on_the_board_behind_the_others(books: Books) -> None:
    books.admit("Fresh")
    (row,) = queries.board(books.database, books.season.id)
    assert (row["name"], row["equity"], row["trades"]) == ("Fresh", None, 0)


def test_a_bot_and_its_entry_are_written_together(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = seasons.insert_rows

    def die_before_the_entry(connection: Connection, model: Any, rows: Any) -> None:
        if model is Entry:
            raise KeyboardInterrupt
        whole(connection, model, rows)

    monkeypatch.setattr(seasons, "insert_rows", die_before_the_entry)
    with pytest.raises(KeyboardInterrupt):
        books.enrol("A", "one")
    monkeypatch.undo()
    again = books.enrol("A", "one")
    assert again.created
    with Session(books.database) as session:
        assert [bot.id for bot in session.exec(select(Bot)).all()] == [again.bot.id]


def test_what_is_shown_of_a_new_bot_is_what_the_database_has(books: Books) -> None:
    enrolled = books.enrol("A", "one")
    assert enrolled.entry is not None
    shown = queries.new_bot_row(enrolled.bot, enrolled.entry)
    assert shown == queries.bot_row(books.database, books.season.id, enrolled.bot.id)


def test_a_new_bot_and_its_entry_are_whole(books: Books) -> None:
    enrolled = books.enrol("A", "one")
    assert enrolled.entry is not None
    with Session(books.database) as session:
        bot, entry = session.exec(select(Bot)).one(), session.exec(select(Entry)).one()
    assert enrolled.bot.model_dump() == bot.model_dump()
    assert enrolled.entry.model_dump() == entry.model_dump()
    assert set(enrolled.bot.model_dump()) == set(Bot.model_fields)
    enrolled.entry.status = "paused"
    assert enrolled.entry.model_dump()["status"] == "paused"
