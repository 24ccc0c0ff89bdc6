"""`arena webhooks ...`: addresses that a running server sends events to."""

from __future__ import annotations

from typing import Annotated

import typer

from arena.cli.output import complain, console, print_json, print_table
from arena.cli.remote import AsJson, Url, connected

app = typer.Typer(help="Events of a running server, sent to addresses of yours.", no_args_is_help=True)

Webhook = Annotated[str, typer.Argument(help="Id of a webhook.", show_default=False)]


@app.command("add")
def add(
    address: Annotated[str, typer.Argument(help="https://… or an address of Apprise.", show_default=False)],
    event: Annotated[list[str] | None, typer.Option("--event", help="An event; may be given again; none: all.")] = None,
    bot: Annotated[str | None, typer.Option(help="Only this bot's events, by id or name.")] = None,
    as_json: AsJson = False,
    url: Url = "",
) -> None:
    """Have events sent to an address; its secret, which signs them, is shown this once."""
    with connected(url) as arena:
        found = arena.add_webhook(address, events=event or (), bot=bot)
    if as_json:
        print_json(found)
        return
    console.print(f"Webhook {found['id']} is added.", markup=False)
    console.print(f"Its secret, shown this once: {found['secret']}", markup=False, soft_wrap=True)


@app.command("list")
def list_them(as_json: AsJson = False, url: Url = "") -> None:
    """List your webhooks with what became of their newest event."""
    with connected(url) as arena:
        found = arena.webhooks()
    if as_json:
        print_json(found.document)
        return
    rows = [{**row, "events": row["events"] or "all", "last": _last(row["deliveries"])} for row in found]
    print_table((("id", "ID"), ("url", "ADDRESS"), ("events", "EVENTS"), ("bot_id", "BOT"), ("last", "LAST")), rows)


def _last(deliveries: list[dict[str, str]]) -> str:
    return f"{deliveries[0]['event']}: {deliveries[0]['status']} {deliveries[0]['answer']}" if deliveries else "-"


@app.command("test")
def send_test(webhook: Webhook, as_json: AsJson = False, url: Url = "") -> None:
    """Send an event `test` now and say what the receiver answered."""
    with connected(url) as arena:
        found = arena.test_webhook(webhook)
    if as_json:
        print_json(found)
    elif found["delivered"]:
        console.print(f"Taken: {found['answer']}", markup=False)
    else:
        complain(f"Not taken: {found['answer']}")
    if not found["delivered"]:
        raise typer.Exit(1)


@app.command("remove")
def remove(webhook: Webhook, url: Url = "") -> None:
    """Send nothing more to a webhook."""
    with connected(url) as arena:
        arena.remove_webhook(webhook)
    console.print("Removed.")
