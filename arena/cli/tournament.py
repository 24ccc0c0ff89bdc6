"""`arena tournament`: many short rounds over blocks of tapes and made-up stress windows."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated, Any

import typer

from arena import config
from arena.cli.early import RUNTIME, taken
from arena.cli.local import read_source
from arena.cli.output import complain, console, errors, print_table, write_json
from arena.errors import MarketDataError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("tournament")(tournament)


def tournament(
    bots: Annotated[list[Path], typer.Argument(help="Bot files.")],
    data: Annotated[
        list[str] | None, typer.Option("--data", help="A tape, [SYMBOL=]PATH; each is a market of its own.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, max=10_000, help="Rounds to play.")] = 24,
    ticks: Annotated[int, typer.Option(max=1_000_000, help="Ticks of a round.")] = 600,
    tiers: Annotated[
        str, typer.Option(help="Made-up windows: calm, trend, jumps, crash, halt, whipsaw, thin; none: tapes only.")
    ] = "all",
    interval: Annotated[float | None, typer.Option(help="Resample the tapes, seconds.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Draws the blocks, the windows and the bots' chance.")] = 0,
    json_out: Annotated[Path | None, typer.Option("--json", help="Write the result here; - is stdout.")] = None,
    csv_out: Annotated[Path | None, typer.Option("--csv", help="Write the table here (CSV).")] = None,
    page: Annotated[Path | None, typer.Option("--report", help="Write one HTML page that opens offline.")] = None,
    fee_bps: Annotated[float | None, typer.Option(help="Fee per fill, basis points; else FEE_BPS.")] = None,
    slippage_bps: Annotated[float | None, typer.Option(help="Slippage, basis points; else SLIPPAGE_BPS.")] = None,
    delay: Annotated[int | None, typer.Option(help="Ticks from an order to its fill; else DELAY_TICKS.")] = None,
) -> None:
    """Rate bots over many short rounds: parts of tapes, and made-up windows from calm to crash."""
    from arena.engine.backtest.market import read_market
    from arena.engine.backtest.run import BotSource, check_candidates
    from arena.trust.tournament import draw_rounds
    from arena.trust.tournament import tournament as play
    from arena.trust.tournament_page import table_csv, write_page
    from sandbox.pool import Pool

    settings = config.load(fee_bps=fee_bps, slippage_bps=slippage_bps, delay_ticks=delay)
    sources = [BotSource(str(path), read_source(path)) for path in bots]
    chosen = _tiers(tiers)
    tapes = [
        (Path(spec.rpartition("=")[2]).name, read_market([spec], interval, settings.tick_interval_seconds, complain))
        for spec in data or ()
    ]
    pool = Pool(RUNTIME, settings.limits, begun=taken(), pages=True, tuned=settings.sandbox_tuning)
    pool.start()
    try:
        symbols = sorted({symbol for entry in check_candidates(pool, sources) for symbol in entry.symbols})
        drawn = draw_rounds(tapes, symbols or ["BTCUSDT"], rounds, ticks, seed, chosen)
        with _progress() as told:
            found = play(pool, sources, drawn, settings.rules, seed=seed, told=told, pin=True)
    finally:
        pool.stop()
    if json_out is not None:
        write_json(json_out, found)
    if csv_out is not None:
        csv_out.write_text(table_csv(found), "utf-8")
    if page is not None:
        write_page(page, found)
        complain(f"The report is in {page}.")
    if json_out is None or str(json_out) != "-":
        show(found)


def _tiers(words: str) -> list[str]:
    from arena.feeds.synthetic_tiers import TIERS

    if words in {"all", "none"}:
        return list(TIERS) if words == "all" else []
    chosen = [word.strip() for word in words.split(",") if word.strip()]
    unknown = [word for word in chosen if word not in TIERS]
    if unknown or not chosen:
        raise MarketDataError(
            f"There is no tier '{', '.join(unknown)}'; there are {', '.join(TIERS)}, all and none.", usage=True
        )
    return chosen


@contextlib.contextmanager
def _progress() -> Any:
    """Show a bar where a person watches."""
    if not errors.is_terminal:
        yield lambda _: None
        return
    from rich.progress import Progress

    with Progress(console=errors, transient=True) as progress:
        task = progress.add_task("rounds", total=1.0)
        yield lambda share: progress.update(task, completed=share)


def show(found: dict[str, Any]) -> None:
    """Print the table and what it means."""
    regimes = [(f"regime {name}", name.upper()) for name in found["regimes"]]
    rows = [{**row, **{f"regime {name}": value for name, value in row["regimes"].items()}} for row in found["table"]]
    columns = (
        ("rank", "#"), ("name", "BOT"), ("rating", "RATING"), ("uncertainty", "+-"), ("rounds", "ROUNDS"),
        ("mean_return_pct", "RETURN %"), ("mean_difference_pct", "TO THE FIELD"), ("difference_low_pct", "LOW"),
        ("difference_high_pct", "HIGH"), *regimes,
    )  # fmt: skip
    print_table(columns, rows, optional=tuple(name for name, _ in reversed(regimes)))
    console.print(found["words"], markup=False, soft_wrap=True)
