"""Commands about what a rank means: `arena audit`, `arena season report`."""

from __future__ import annotations

from dataclasses import asdict
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
