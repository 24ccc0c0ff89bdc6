"""The record of what was done: a chain that shows every change, and a table that the database guards."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine as Database
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from arena.people.activity import COMMAND_LINE, Deed, list_activity, record, verify_activity
from arena.people.rights import Caller

ADA = Caller("token", "ada", "id-of-ada")


def unlocked(database: Database, statement: str) -> None:
    """Run a statement as whoever holds the file can: with the guards taken away."""
    with database.begin() as connection:
        if database.dialect.name == "postgresql":
            connection.execute(text("DROP TRIGGER activity_append_only ON activity"))
        else:
            connection.execute(text("DROP TRIGGER activity_no_UPDATE"))
            connection.execute(text("DROP TRIGGER activity_no_DELETE"))
        connection.execute(text(statement))


def test_rows_are_chained_and_listed_newest_first(database: Database) -> None:
    for number in range(5):
        record(database, ADA if number % 2 else COMMAND_LINE, "127.0.0.1", Deed("pause bot", f"bot {number}"))
    rows, following = list_activity(database, limit=2)
    assert [row["object"] for row in rows] == ["bot 4", "bot 3"]
    rows, following = list_activity(database, limit=2, cursor=following)
    assert [row["object"] for row in rows] == ["bot 2", "bot 1"]
    assert [row["object"] for row in list_activity(database, actor="ada")[0]] == ["bot 3", "bot 1"]
    assert verify_activity(database) == (5, [])


def test_many_at_once_make_one_chain(database: Database) -> None:
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda number: record(database, ADA, "", Deed("upload bot", str(number))), range(24)))
    assert verify_activity(database) == (24, [])
    assert {row["object"] for row in list_activity(database)[0]} == {str(number) for number in range(24)}


@pytest.mark.parametrize("statement", ["UPDATE activity SET actor = 'x'", "DELETE FROM activity"])
def test_the_database_takes_no_change(database: Database, statement: str) -> None:
    record(database, ADA, "", Deed("upload bot", "x"))
    with pytest.raises(DBAPIError, match="append-only"), database.begin() as connection:
        connection.execute(text(statement))


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("UPDATE activity SET actor = 'bob' WHERE n = 1", "Row 1 was changed"),
        ("UPDATE activity SET time = time + 1 WHERE n = 2", "Row 2 was changed"),
        ("DELETE FROM activity WHERE n = 1", "Row 1 is missing"),
        ("DELETE FROM activity WHERE n = 0", "Row 0 is missing"),
    ],
)
def test_a_change_is_found(database: Database, statement: str, sentence: str) -> None:
    for number in range(4):
        record(database, ADA, "10.0.0.7", Deed("pause bot", str(number), detail={"why": "a test"}))
    unlocked(database, statement)
    count, problems = verify_activity(database)
    assert count in {3, 4}
    assert any(one.startswith(sentence) for one in problems), problems


def test_what_strangers_write_cannot_move_a_cursor(database: Database) -> None:
    record(database, Caller("anonymous", "\x1b[2Jada\u202e"), "1.2.3.4\n", Deed("sign in", "a\nb\x00", 401))
    (row,) = list_activity(database)[0]
    assert row["actor"] == "[2Jada"
    assert row["object"] == "a | b"
    assert row["address"] == "1.2.3.4"
    assert verify_activity(database) == (1, [])
