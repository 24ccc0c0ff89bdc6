"""`arena bots behaviour/explain/revise/lineage` and `arena answer`: what bots do, why, and how to change them."""

from __future__ import annotations

from typing import Annotated

import typer

from arena.cli.author import show_report
from arena.cli.bots import Bot, app
from arena.cli.output import cell, complain, console, moment, plural, print_json
from arena.cli.remote import AsJson, Url, connected


def register(root: typer.Typer) -> None:
    """Add the commands."""
    root.command("answer")(answer)


@app.command("behaviour")
def behaviour(bot: Bot, as_json: AsJson = False, url: Url = "") -> None:
    """Say what a bot does on made-up markets, beside what was said of it."""
    with connected(url) as arena:
        found = arena.behaviour(bot)
    if as_json:
        print_json(found)
    else:
        show_report(bot, found)


@app.command("explain")
def explain(
    bot: Bot,
    trade: Annotated[int | None, typer.Option(help="Id of a trade; else its newest.")] = None,
    tick: Annotated[int | None, typer.Option(help="A tick, also one at which it did not trade.")] = None,
    as_json: AsJson = False,
    url: Url = "",
) -> None:
    """Say why a bot traded, or why it did not."""
    if trade is not None and tick is not None:
        raise typer.BadParameter("Name a trade or a tick, not both.")
    with connected(url) as arena:
        if tick is None and trade is None:
            newest = arena.trades(bot, limit=1)
            if not newest:
                raise typer.BadParameter("The bot has no trade yet: name a tick by --tick.")
            trade = newest[0]["id"]
        found = arena.explain_tick(bot, tick) if tick is not None else arena.explain_trade(bot, trade or 0)
    if as_json:
        print_json(found)
        return
    console.print(found["sentence"])
    for each in found["conditions"]:
        held = {True: "held", False: "did not hold", None: "cannot be told"}[each["held"]]
        console.print(f"  line {each['line']}: {each['text']} {held}")
        for part in each["parts"]:
            values = ", ".join(f"{name} = {value}" for name, value in part["values"].items())
            if values:
                console.print(f"      {values}", style="dim")
    for line in found["logs"]:
        console.print(f"  log: {line}")
    if found["without"]:
        console.print(found["without"]["sentence"])


@app.command("revise")
def revise(
    bot: Bot,
    words: Annotated[str, typer.Argument(help="What is to change, in plain words.")],
    author: Annotated[str, typer.Option(help="Whose the new version is.")] = "local",
    model: Annotated[str | None, typer.Option(help="Model to write it; else the configured one.")] = None,
    as_json: AsJson = False,
    url: Url = "",
) -> None:
    """Have a new version of a bot written; it plays beside the present one with an account of its own."""
    with connected(url) as arena:
        found = arena.revise(bot, words, author=author, model=model).document
    if as_json:
        print_json(found)
    else:
        console.print(f"Submission {found['id']}: {found['status']}")


@app.command("lineage")
def lineage(bot: Bot, as_json: AsJson = False, url: Url = "") -> None:
    """Show a bot's versions: who asked for each, by which words, and what changed."""
    with connected(url) as arena:
        found = arena.lineage(bot).document
    if as_json:
        print_json(found)
        return
    for item in found["items"]:
        console.print(f"{item['name']}  {moment(item['created_at'])}  by {item['asked_by'] or item['author']}")
        if item["words"]:
            console.print(f"  asked: {cell(item['words'])}")
        for line in (item["diff"] or "").splitlines():
            console.print(f"  {line}", style="dim")


def answer(
    submission: Annotated[str, typer.Argument(help="Id of one of the samples.")],
    choice: Annotated[
        int | None, typer.Argument(help="Number of the choice; without it the question is shown.")
    ] = None,
    as_json: AsJson = False,
    url: Url = "",
) -> None:
    """Answer the question that tells several samples apart, or show it."""
    with connected(url) as arena:
        handed_in = arena.submission(submission)
        found = handed_in.question() if choice is None else handed_in.answer(choice)
    if as_json:
        print_json(found)
        return
    if found["question"] is None:
        complain("All samples do the same: one of them plays.")
        return
    console.print(found["question"])
    if found["decided"]:
        complain(found["decided"])
    elif found["chosen"] is None and found["answer_by"]:
        complain(f"Unanswered until {moment(found['answer_by'])}, the first one is taken.")
    for each in found["choices"]:
        chosen = "  (chosen)" if each["choice"] == found["chosen"] else ""
        console.print(f"  {each['choice']}: {plural(len(each['bots']), 'sample')}{chosen}")
