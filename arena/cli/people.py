"""Commands about accounts, on the server's own database: `arena users`, `arena tokens`, `arena activity`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from arena.cli.output import complain, console, moment, plural, print_json, print_table

users_app = typer.Typer(help="The accounts of an arena with ACCOUNTS=on.", no_args_is_help=True)
tokens_app = typer.Typer(help="The tokens by which programs act for a user.", no_args_is_help=True)

Db = Annotated[str, typer.Option(help="SQLite file; else the configured database.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Name = Annotated[str, typer.Argument(help="The user's name.", show_default=False)]
User = Annotated[str, typer.Option("--user", help="Whose token it is.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(users_app, name="users")
    app.add_typer(tokens_app, name="tokens")
    app.command()(activity)


def _opened(db: str, *, must_exist: bool = True) -> tuple[Any, Any]:
    """Return the settings and the database, brought up to date."""
    from arena import config
    from arena.errors import NotFoundError
    from arena.store.database import open_database, upgrade

    settings = config.load(db_path=db or None)
    if must_exist and not settings.database_url and not Path(settings.db_path).is_file():
        raise NotFoundError(f"There is no database {settings.db_path}; name one by --db or DB_PATH.")
    database = open_database(settings.url)
    upgrade(database)
    return settings, database


def _note(database: Any, action: str, name: str) -> None:
    from arena.people.activity import COMMAND_LINE, Deed, record

    record(database, COMMAND_LINE, "", Deed(action, name, 0))


def _link(database: Any, user_id: str) -> str:
    from arena.config import client_defaults
    from arena.people.accounts import make_link

    return f"{client_defaults()[0].rstrip('/')}/sign-in?link={make_link(database, user_id)}"


# -- users


@users_app.command("add")
def add(
    name: Name,
    admin: Annotated[bool, typer.Option("--admin", help="An admin may change seasons, users and every bot.")] = False,
    bots_of: Annotated[str, typer.Option(help="Give the user the bots of this author that belong to nobody.")] = "",
    db: Db = "",
    as_json: AsJson = False,
) -> None:
    """Add a user and print a link that signs in once."""
    from arena.people.accounts import add_user, give_bots

    settings, database = _opened(db, must_exist=False)
    account = add_user(database, name, admin=admin)
    _note(database, "add user", account.name)
    given = give_bots(database, account.id, bots_of) if bots_of else 0
    link = _link(database, account.id)
    if as_json:
        print_json({**asdict(account), "link": link, "bots": given})
        return
    console.print(f"{account.name} is added.", markup=False)
    if bots_of:
        console.print(f"{plural(given, 'bot')} of '{bots_of}' now belong to {account.name}.", markup=False)
    console.print(f"Sign in once, within a day: {link}", markup=False, soft_wrap=True)
    if not settings.accounts:
        complain("ACCOUNTS is off: set ACCOUNTS=on and start the server anew, or nobody can sign in.")


@users_app.command("list")
def list_them(db: Db = "", as_json: AsJson = False) -> None:
    """List the users."""
    from arena.people.accounts import list_users

    _, database = _opened(db)
    rows = [asdict(one) for one in list_users(database)]
    if as_json:
        print_json({"items": rows})
        return
    shown = [
        {"name": row["name"], "role": "admin" if row["admin"] else "user", "added": moment(row["created_at"]),
         "password": "yes" if row["has_password"] else "no", "status": "disabled" if row["disabled_at"] else "active"}
        for row in rows
    ]  # fmt: skip
    columns = (("name", "NAME"), ("role", "ROLE"), ("password", "PASSWORD"), ("status", "STATUS"), ("added", "ADDED"))
    print_table(columns, shown)


@users_app.command("disable")
def disable(name: Name, db: Db = "") -> None:
    """Disable a user: sessions end, tokens stop working, the bots go on."""
    from arena.people.accounts import disable_user, find_user

    _, database = _opened(db)
    account = find_user(database, name)
    disable_user(database, account.id)
    _note(database, "disable user", account.name)
    console.print(f"{account.name} is disabled.", markup=False)


@users_app.command("enable")
def enable(name: Name, db: Db = "") -> None:
    """Let a disabled user in again."""
    from arena.people.accounts import enable_user, find_user

    _, database = _opened(db)
    account = find_user(database, name)
    enable_user(database, account.id)
    _note(database, "enable user", account.name)
    console.print(f"{account.name} may sign in again.", markup=False)


@users_app.command("link")
def link(name: Name, db: Db = "") -> None:
    """Print a link that signs a user in once, within a day; earlier links stop working."""
    from arena.errors import ConflictError
    from arena.people.accounts import find_user

    _, database = _opened(db)
    account = find_user(database, name)
    if account.disabled_at is not None:
        raise ConflictError(f"{account.name} is disabled: `arena users enable` comes first.")
    shown = _link(database, account.id)
    _note(database, "make sign-in link", account.name)
    console.print(shown, markup=False, soft_wrap=True)


@users_app.command("password")
def password(name: Name, db: Db = "") -> None:
    """Set a user's password, asked for or read from a pipe; the user's sessions end."""
    from arena.people.accounts import find_user, set_password

    _, database = _opened(db)
    account = find_user(database, name)
    # Never an argument: every user of the machine sees those.
    if sys.stdin.isatty():
        secret = str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    else:
        secret = sys.stdin.readline().rstrip("\r\n")
    set_password(database, account.id, secret)
    _note(database, "set password", account.name)
    console.print(f"The password of {account.name} is set.", markup=False)


# -- tokens


@tokens_app.command("make")
def make(
    name: Annotated[str, typer.Argument(help="What it is for.", show_default=False)],
    user: User,
    scope: Annotated[list[str] | None, typer.Option(help="read, submit, manage-own or admin; may be repeated.")] = None,
    days: Annotated[float, typer.Option(min=0, max=366, help="Days until it ends; 0: never.")] = 90,
    db: Db = "",
    as_json: AsJson = False,
) -> None:
    """Make a token and print it; it is not shown again."""
    from arena.people.accounts import find_user
    from arena.people.tokens import make_token

    _, database = _opened(db)
    account = find_user(database, user)
    token, row = make_token(database, account, name, scope or ["read", "submit"], days or None)
    _note(database, "make token", f"{account.name}: {row['name']}")
    if as_json:
        print_json({**row, "token": token})
        return
    console.print(token, markup=False, highlight=False, soft_wrap=True)
    complain(f"It may {', '.join(row['scopes'])} for {account.name}. It is shown this once.")


@tokens_app.command("list")
def list_tokens(user: User, db: Db = "", as_json: AsJson = False) -> None:
    """List a user's tokens, without the secrets."""
    from arena.people.accounts import find_user
    from arena.people.tokens import list_tokens as found

    _, database = _opened(db)
    rows = found(database, find_user(database, user).id)
    if as_json:
        print_json({"items": rows})
        return
    shown = [
        {"id": row["id"], "name": row["name"], "scopes": ", ".join(row["scopes"]),
         "ends": "revoked" if row["revoked_at"] else (moment(row["expires_at"]) if row["expires_at"] else "never"),
         "used": moment(row["last_used_at"]) if row["last_used_at"] else "never"}
        for row in rows
    ]  # fmt: skip
    print_table((("id", "ID"), ("name", "NAME"), ("scopes", "SCOPES"), ("ends", "ENDS"), ("used", "LAST USED")), shown)


@tokens_app.command("revoke")
def revoke(
    token_id: Annotated[str, typer.Argument(help="Its id, as `arena tokens list` shows it.", show_default=False)],
    user: User,
    db: Db = "",
) -> None:
    """Revoke a token: it stops working at once."""
    from arena.people.accounts import find_user
    from arena.people.tokens import revoke_token

    _, database = _opened(db)
    account = find_user(database, user)
    row = revoke_token(database, account.id, token_id)
    _note(database, "revoke token", f"{account.name}: {row['name']}")
    console.print(f"The token '{row['name']}' of {account.name} is revoked.", markup=False)


# -- what was done


def activity(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Rows, newest first.")] = 50,
    actor: Annotated[str, typer.Option(help="Only what this user has done.")] = "",
    verify: Annotated[
        bool, typer.Option("--verify", help="Check the chain of hashes; exit with 1 if it broke.")
    ] = False,
    db: Db = "",
    as_json: AsJson = False,
) -> None:
    """Show who did what, when, from where and to what."""
    from arena.people.activity import list_activity, verify_activity

    _, database = _opened(db)
    if verify:
        _verify(verify_activity(database), list_activity(database, limit=1)[0], as_json=as_json)
        return
    rows, _ = list_activity(database, limit=limit, actor=actor or None)
    if as_json:
        print_json({"items": rows})
        return
    shown = [{**row, "when": moment(row["time"])} for row in rows]
    columns = (
        ("n", "#"), ("when", "WHEN"), ("actor", "WHO"), ("by", "BY"), ("address", "FROM"), ("action", "WHAT"),
        ("object", "OBJECT"), ("outcome", "OUTCOME"),
    )  # fmt: skip
    print_table(columns, shown, "", ("by", "outcome"))


def _verify(found: tuple[int, list[str]], newest: list[dict[str, Any]], *, as_json: bool) -> None:
    count, problems = found
    head = newest[0]["hash"] if newest else ""
    if as_json:
        print_json({"rows": count, "problems": problems, "hash": head})
    elif problems:
        for sentence in problems[:20]:
            complain(sentence)
    else:
        console.print(f"{plural(count, 'row')}, the chain is whole. Newest hash: {head or 'none'}", markup=False)
    if problems:
        raise typer.Exit(1)
