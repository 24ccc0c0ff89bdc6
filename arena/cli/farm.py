"""`arena farm run`, `verify` and `statistics`: long work on any machine that reaches the database."""

from __future__ import annotations

import signal
import time
from collections import Counter
from typing import Annotated, Any

import typer

from arena.cli.hosts import opened
from arena.cli.output import complain, console, plural, print_json, print_table
from arena.errors import ArenaError

app = typer.Typer(help="Long work that any machine with the same database may do.", no_args_is_help=True)

Db = Annotated[str, typer.Option(help="SQLite file; else the configured database.")]
Season = Annotated[int, typer.Argument(min=1, help="Number of the season.", show_default=False)]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the results.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def register(root: typer.Typer) -> None:
    """Add the commands."""
    root.add_typer(app, name="farm")


@app.command("run")
def run(db: Db = "") -> None:
    """Do queued work in this machine's own locked workers until Ctrl-C."""
    from arena import config
    from arena.app import RUNTIME
    from arena.hosts.farm import FarmWorker
    from arena.web.farm import works
    from sandbox.pool import Pool

    settings = config.load(db_path=db or None)
    database = opened(db)
    pool = Pool(RUNTIME, settings.limits, tuned=settings.sandbox_tuning)
    pool.start()
    worker = FarmWorker(database, pool, works())
    signal.signal(signal.SIGTERM, lambda *_: worker.stop())
    complain(f"{worker.name} takes work from the queue. Ctrl-C ends; what is under way is then taken by another.")
    try:
        worker.run()
    finally:
        pool.stop()
        database.dispose()


@app.command("verify")
def verify(
    number: Season,
    wait: Wait = True,
    as_json: AsJson = False,
    db: Db = "",
) -> None:
    """Have every bot's record of a season proved by the machines that run `arena farm run`."""
    from arena.hosts.farm import VERIFY

    rows = [
        {"bot": name, "status": row["status"], "proof": (row["result"] or {}).get("status", row["reason"] or "")}
        for name, row in _asked(VERIFY, number, "proof", wait=wait, db=db)
    ]
    if as_json:
        print_json(rows)
    else:
        print_table((("bot", "BOT"), ("status", "STATUS"), ("proof", "PROOF")), rows)
        counts = Counter(row["proof"] or row["status"] for row in rows)
        console.print(", ".join(f"{count} {word}" for word, count in sorted(counts.items())), markup=False)


@app.command("statistics")
def statistics(
    number: Season,
    wait: Wait = True,
    as_json: AsJson = False,
    db: Db = "",
) -> None:
    """Have the figures of every bot of a season worked out by the machines that run `arena farm run`."""
    from arena.web.farm import STATISTICS

    found = _asked(STATISTICS, number, "bot", wait=wait, db=db)
    if as_json:
        print_json([{"bot": name, "status": row["status"], "statistics": row["result"]} for name, row in found])
        return
    rows = []
    for name, row in found:
        told = row["result"] or {}
        interval = told.get("sharpe_a_period_interval")
        rows.append({
            "bot": name, "status": row["status"], "words": told.get("words", row["reason"] or ""),
            "sharpe": "" if interval is None else f"{interval[0]:.3f} to {interval[1]:.3f}",
            "luck": told.get("luck", {}).get("words", ""),
        })  # fmt: skip
    columns = (
        ("bot", "BOT"), ("status", "STATUS"), ("sharpe", "SHARPE A PERIOD, 95 %"), ("words", "IN WORDS"),
        ("luck", "LUCK"),
    )  # fmt: skip
    print_table(columns, rows)


def _asked(work: str, number: int, word: str, *, wait: bool, db: str) -> list[tuple[str, dict[str, Any]]]:
    """Queue work of one kind for every bot of a season and return each bot's job, by name."""
    from arena import config
    from arena.hosts.farm import kind_of
    from arena.store import queries
    from arena.store.farm import farm_jobs, job_states, put_job
    from arena.store.recovered import recover

    database = opened(db)
    season = queries.season_by_number(database, number)
    last = queries.last_tick(database, season["id"])
    if last is None:
        raise ArenaError(f"Season {number} has no tick yet: there is nothing to work out.")
    kind = kind_of(work, config.load().limits)
    names = {
        put_job(database, kind, {"season_id": season["id"], "bot_id": bot.id, "tick": last["n"]}): entry.bot_name
        for bot, entry in recover(database, season["id"], 0).entries
    }
    complain(f"{plural(len(names), word)} queued.")
    while wait and any(status in {"queued", "running"} for status in job_states(database, list(names)).values()):
        time.sleep(0.5)
    rows = farm_jobs(database, list(names))
    return sorted(((names[job_id], row) for job_id, row in rows.items()), key=lambda each: each[0])
