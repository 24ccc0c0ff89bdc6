"""Commands about what a rank means: `arena audit`, `arena season report`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from arena.cli.output import console, print_json, print_table


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(audit)


def audit(
    boards: Annotated[int, typer.Option(min=1, max=10_000, help="Boards that each attack is played on.")] = 40,
    periods: Annotated[int, typer.Option(min=60, max=100_000, help="Periods of returns on each board.")] = 150,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the markets.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Play known attacks against the ranking's rules; exit with 1 if one of them gains rank."""
    from arena.trust.audit import audit as play

    found = play(boards, periods, seed)
    rows = [{**asdict(each), "result": "holds" if each.passes else "gains rank"} for each in found]
    if as_json:
        print_json({"items": rows, "holds": all(each.passes for each in found)})
    else:
        columns = (
            ("attack", "ATTACK"), ("boards", "BOARDS"), ("gained", "AHEAD ON"), ("allowed", "BY CHANCE AT MOST"),
            ("result", "RESULT"),
        )  # fmt: skip
        print_table(columns, rows)
        console.print("Ahead means: told apart from the benchmark or an honest bot at any look.", markup=False)
    if not all(each.passes for each in found):
        raise typer.Exit(1)


def season_report(
    number: Annotated[int, typer.Argument(min=1, help="Number of a closed season.")],
    out: Annotated[Path | None, typer.Option(help="Write here: .json, .html or .csv; else JSON to stdout.")] = None,
    db: Annotated[str, typer.Option(help="SQLite file; else the configured database.")] = "",
) -> None:
    """Write the signed report of a closed season, every figure with its formula."""
    import json

    from arena import config
    from arena.errors import NotFoundError
    from arena.store.database import open_database
    from arena.store.receipts import read_key
    from arena.trust.season_report import report_csv, report_page, signed_report
    from arena.trust.season_report import season_report as make

    settings = config.load(db_path=db or None)
    if not settings.database_url and not Path(settings.db_path).is_file():
        raise NotFoundError(f"There is no database {settings.db_path}; name one by --db or DB_PATH.")
    report = make(open_database(settings.url), number)
    if out is None or out.suffix == ".json":
        document = signed_report(report, read_key(Path(settings.key_file)))
        if out is None:
            print_json(document)
            return
        text = json.dumps(document, indent=2) + "\n"
    elif out.suffix == ".html":
        text = report_page(report)
    elif out.suffix == ".csv":
        text = report_csv(report)
    else:
        raise typer.BadParameter(f"{out}: name a file that ends in .json, .html or .csv.")
    out.write_text(text, "utf-8")
