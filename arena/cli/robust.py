"""`arena robust`: what is left of a bot's result under costs, delays, and changes that should not matter."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from arena import config
from arena.cli.early import RUNTIME, taken
from arena.cli.local import read_source
from arena.cli.output import complain, console, moment, plural, print_json, print_table
from arena.cli.remote import AsJson, Url, connected


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("robust")(robust)


def robust(
    bot: Annotated[str, typer.Argument(help="A bot file (.py), or a bot of the server by id or name.")],
    data: Annotated[
        list[str] | None, typer.Option("--data", help="Market file for a bot file, [SYMBOL=]PATH; may be repeated.")
    ] = None,
    interval: Annotated[float | None, typer.Option(help="Resample the market, seconds.")] = None,
    fee_bps: Annotated[float | None, typer.Option(help="Fee per fill, basis points; else FEE_BPS.")] = None,
    slippage_bps: Annotated[float | None, typer.Option(help="Slippage, basis points; else SLIPPAGE_BPS.")] = None,
    delay: Annotated[int | None, typer.Option(help="Ticks from an order to its fill; else DELAY_TICKS.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the bot's chance.")] = 0,
    as_json: AsJson = False,
    url: Url = "",
) -> None:
    """Say which fee, slippage and delay end a bot's edge, and whether it has memorised its tape."""
    if Path(bot).is_file() or bot.endswith(".py"):
        if not data:
            raise typer.BadParameter(f"Name the market that {bot} is to play on: --data FILE.")
        rules = config.load(fee_bps=fee_bps, slippage_bps=slippage_bps, delay_ticks=delay)
        found = _local(rules, Path(bot), data, interval, seed)
    elif data or any(each is not None for each in (fee_bps, slippage_bps, delay, interval)):
        raise typer.BadParameter(f"{bot} is no file: the server's bots play on their own season and by its rules.")
    else:
        found = _remote(url, bot)
    if as_json:
        print_json(found)
    else:
        show(found)


def _local(settings: config.Settings, path: Path, data: list[str], interval: float | None, seed: int) -> dict[str, Any]:
    from arena.engine.backtest.market import read_market
    from arena.trust.robust import robustness
    from sandbox.pool import Pool

    source = read_source(path)
    market = read_market(data, interval, settings.tick_interval_seconds, complain)
    pool = Pool(RUNTIME, settings.limits, begun=taken(), pages=True, tuned=settings.sandbox_tuning)
    pool.start()
    try:
        return robustness(pool, source, market, settings.rules, seed=seed, pin=True)
    finally:
        pool.stop()


def _remote(url: str, bot: str) -> dict[str, Any]:
    with connected(url) as arena:
        return arena.robust(bot).wait().result


def show(found: dict[str, Any]) -> None:
    """Print the result in words and tables."""
    console.print(f"{found['bot']}: {found['words']}", markup=False, soft_wrap=True)
    console.print(
        f"{found['return_pct']:+.2f} % in {found['ticks']:,} ticks, {plural(found['trades'], 'trade')}; buy and hold "
        f"{found['buy_and_hold_pct'] or 0.0:+.2f} %.", markup=False,
    )  # fmt: skip
    for each in (*found["costs"], *found["variants"]):
        console.print(f"  {each['words']}", markup=False, soft_wrap=True)
    for each in found["delays"]:
        words = f"  Fills {plural(each['ticks'], 'tick')} later, of the same orders: {each['return_pct']:+.2f} %"
        # What a server has found before it played them again has the first figure only.
        if "played_again_pct" in each:
            words += f"; played again so: {each['played_again_pct']:+.2f} %"
        console.print(f"{words}.", markup=False)
    for name, word in (("own_chance", "Other draws of its own chance"), ("resampled", "Returns reordered")):
        values = ", ".join(f"{value:+.2f} %" for value in found[name]["return_pct"])
        console.print(f"  {word}: {values}.", markup=False, soft_wrap=True)
    rows = [{**each, "from": moment(each["from"]), "to": moment(each["to"])} for each in found["windows"]]
    columns = (("from", "FROM"), ("to", "TO"), ("return_pct", "RETURN %"), ("buy_and_hold_pct", "BUY AND HOLD %"))
    print_table(columns, rows)
    if found.get("record"):
        console.print(found["record"]["words"], markup=False, soft_wrap=True)
