"""`arena users`, `arena tokens`, `arena activity`, on a database of their own."""

from __future__ import annotations

import io
import re
import sqlite3
import sys
from pathlib import Path

import pytest

from arena.people import accounts, tokens
from arena.store.database import open_database
from tests.cli.conftest import Run

PASSWORD = "correct horse battery"


def test_a_user_is_added_listed_disabled_and_let_in_again(run: Run, tmp_path: Path) -> None:
    added = run("users", "add", "ada", "--admin", ACCOUNTS="on")
    assert (added.code, added.err) == (0, "")
    link = re.search(r"http://127.0.0.1:8000/sign-in\?link=([\w-]+)", added.out)
    assert link
    database = open_database(f"sqlite:///{tmp_path / 'lab.db'}")
    found = accounts.use_link(database, link[1])
    assert found is not None
    assert found.name == "ada"
    listed = run("users", "list", "--json").json()["items"]
    assert [(one["name"], one["admin"], one["disabled_at"]) for one in listed] == [("ada", True, None)]
    assert "password" not in listed[0]
    assert run("users", "disable", "ADA").code == 0
    assert run("users", "list", "--json").json()["items"][0]["disabled_at"] is not None
    refused = run("users", "link", "ada")
    assert (refused.code, "disabled" in refused.err) == (1, True)
    assert run("users", "enable", "ada").code == 0
    assert "/sign-in?link=" in run("users", "link", "ada").out
    database.dispose()


def test_without_accounts_adding_a_user_says_what_is_missing(run: Run) -> None:
    assert "ACCOUNTS=on" in run("users", "add", "ada").err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("users", "add", "admin"), 3, "the arena's own"),
        (("users", "add", "A\u200bda"), 3, "visible"),
        (("users", "add", "ADA"), 1, "looks like"),
        (("users", "disable", "bob"), 4, "no user 'bob'"),
        (("tokens", "make", "x", "--user", "bob"), 4, "no user 'bob'"),
        (("tokens", "make", "x", "--user", "ada", "--scope", "root"), 3, "read, submit, manage-own, admin"),
        (("tokens", "make", "x", "--user", "ada", "--scope", "admin"), 3, "no admin"),
        (("tokens", "revoke", "none", "--user", "ada"), 4, "no token"),
        (("tokens", "make", "x"), 2, "--user"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(run: Run, arguments: tuple[str, ...], code: int, words: str) -> None:
    assert run("users", "add", "ada").code == 0
    done = run(*arguments)
    assert done.code == code, done.err
    assert words in done.err


def test_there_must_be_a_database(run: Run) -> None:
    for arguments in (("users", "list"), ("tokens", "list", "--user", "x"), ("activity",)):
        done = run(*arguments)
        assert (done.code, "no database" in done.err) == (4, True)


@pytest.mark.system
def test_a_password_is_read_from_stdin_and_never_an_argument(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("users", "add", "ada")
    monkeypatch.setattr(sys, "stdin", io.StringIO("short\n"))
    assert run("users", "password", "ada").code == 3
    monkeypatch.setattr(sys, "stdin", io.StringIO(PASSWORD + "\n"))
    assert run("users", "password", "ada").code == 0
    database = open_database(f"sqlite:///{tmp_path / 'lab.db'}")
    assert accounts.check_password(database, "ada", PASSWORD) is not None
    database.dispose()


def test_a_token_is_made_listed_and_revoked(run: Run, tmp_path: Path) -> None:
    run("users", "add", "ada")
    made = run("tokens", "make", "notebook", "--user", "ada", "--scope", "read", "--days", "0")
    token = made.out.strip()
    database = open_database(f"sqlite:///{tmp_path / 'lab.db'}")
    caller = tokens.caller_of(database, token)
    assert caller is not None
    assert (caller.name, sorted(caller.scopes)) == ("ada", ["read"])
    (row,) = run("tokens", "list", "--user", "ada", "--json").json()["items"]
    assert (row["name"], row["scopes"], row["expires_at"]) == ("notebook", ["read"], None)
    assert token not in str(row)
    assert run("tokens", "revoke", row["id"], "--user", "ada").code == 0
    assert tokens.caller_of(database, token) is None
    database.dispose()


def test_bots_that_belong_to_nobody_are_given(run: Run, tmp_path: Path) -> None:
    run("db", "upgrade")
    with sqlite3.connect(tmp_path / "lab.db") as connection:
        connection.execute(
            "INSERT INTO bots (id, name, bot_name, author, origin, version, source, source_hash, symbols, created_at)"
            " VALUES ('1', 'A', 'A', 'ada', 'upload', 1, '', '', '[]', 0)"
        )
    connection.close()
    assert run("users", "add", "ada", "--bots-of", "ada", "--json").json()["bots"] == 1
    with sqlite3.connect(tmp_path / "lab.db") as connection:
        ((owner,),) = connection.execute("SELECT owner_id FROM bots").fetchall()
    connection.close()
    assert owner == run("users", "list", "--json").json()["items"][0]["id"]


def test_what_was_done_is_shown_and_a_change_is_found(run: Run, tmp_path: Path) -> None:
    run("users", "add", "ada")
    made = run("tokens", "make", "n", "--user", "ada")
    rows = run("activity", "--json").json()["items"]
    assert [(one["actor"], one["action"]) for one in rows] == [
        ("command line", "make token"), ("command line", "add user"),
    ]  # fmt: skip
    assert made.out.strip() not in str(rows)
    whole = run("activity", "--verify")
    assert (whole.code, "2 rows, the chain is whole" in whole.out) == (0, True)
    with sqlite3.connect(tmp_path / "lab.db") as connection:
        connection.execute("DROP TRIGGER activity_no_UPDATE")
        connection.execute("UPDATE activity SET actor = 'somebody' WHERE n = 0")
    connection.close()
    broken = run("activity", "--verify")
    assert (broken.code, "Row 0 was changed" in broken.err) == (1, True)
