"""`arena farm run` and `arena farm verify`: long work on any machine that reaches the database."""

from __future__ import annotations

import signal
import time
from collections import Counter
from typing import Annotated

import typer

from arena.cli.hosts import opened
from arena.cli.output import complain, console, plural, print_json, print_table
from arena.errors import ArenaError

app = typer.Typer(help="Long work that any machine with the same database may do.", no_args_is_help=True)

Db = Annotated[str, typer.Option(help="SQLite file; else the configured database.")]


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
    number: Annotated[int, typer.Argument(min=1, help="Number of the season.", show_default=False)],
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the results.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    db: Db = "",
) -> None:
    """Have every bot's record of a season proved by the machines that run `arena farm run`."""
    from arena import config
    from arena.hosts.farm import VERIFY, kind_of
    from arena.store import queries
    from arena.store.farm import farm_jobs, put_job
    from arena.store.recovered import recover

    database = opened(db)
    season = queries.season_by_number(database, number)
    last = queries.last_tick(database, season["id"])
    if last is None:
        raise ArenaError(f"Season {number} has no tick yet: there is nothing to prove.")
    kind = kind_of(VERIFY, config.load().limits)
    names = {
        put_job(database, kind, {"season_id": season["id"], "bot_id": bot.id, "tick": last["n"]}): entry.bot_name
        for bot, entry in recover(database, season["id"], 0).entries
    }
    complain(f"{plural(len(names), 'proof')} queued.")
    while wait and any(row["status"] in {"queued", "running"} for row in farm_jobs(database, list(names)).values()):
        time.sleep(0.5)
    rows = [
        {
            "bot": names[job_id], "status": row["status"],
            "proof": (row["result"] or {}).get("status", row["reason"] or ""),
        }
        for job_id, row in farm_jobs(database, list(names)).items()
    ]  # fmt: skip
    rows.sort(key=lambda row: row["bot"])
    if as_json:
        print_json(rows)
    else:
        print_table((("bot", "BOT"), ("status", "STATUS"), ("proof", "PROOF")), rows)
        counts = Counter(row["proof"] or row["status"] for row in rows)
        console.print(", ".join(f"{count} {word}" for word, count in sorted(counts.items())), markup=False)
