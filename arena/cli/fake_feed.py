"""`arena fake-feed`: a made-up venue on this machine, which speaks the real one's protocol."""

from __future__ import annotations

import asyncio
import random
import shlex
import time
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from arena.feeds.fakes.simulation import VenueSimulation


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("fake-feed")(fake_feed)


def fake_feed(
    venue: Annotated[str, typer.Argument(help="binance, alpaca, manifold or stockdata.", show_default=False)],
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on; 0 takes a free one.")] = 0,
    symbols: Annotated[str, typer.Option(help="Symbols, separated by commas; empty means the usual ones.")] = "",
    fault_every: Annotated[float, typer.Option(min=0.0, help="Seconds between two random faults; 0 means none.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Seed of prices and faults.")] = 1,
    every: Annotated[float, typer.Option(min=0.001, help="Seconds between two prices of a symbol.")] = 0.25,
) -> None:
    """Run a made-up venue on this machine until Ctrl-C, with faults if wanted."""
    from arena.feeds.fakes.simulation import NAMES, make_simulation

    if venue not in NAMES:
        raise typer.BadParameter(f"'{venue}' has no fake; use {', '.join(NAMES)}.")
    wanted = [name.strip() for name in symbols.split(",") if name.strip()]
    asyncio.run(_drive(make_simulation(venue, wanted, seed=seed, port=port), every, fault_every, seed))


async def _drive(simulation: VenueSimulation, every: float, fault_every: float, seed: int) -> None:
    async with simulation, asyncio.TaskGroup() as group:
        _say(f"# A made-up {simulation.name} is listening. These settings point an arena at it; Ctrl-C ends it.")
        for name, value in simulation.settings().items():
            _say(f"{name}={shlex.quote(value)}")
        group.create_task(_trade(simulation, every))
        if fault_every:
            group.create_task(_make_faults(simulation, fault_every, random.Random(seed)))


async def _trade(simulation: VenueSimulation, every: float) -> None:
    while True:
        for symbol in simulation.walk.made:
            await simulation.publish(symbol)
        await asyncio.sleep(every)


async def _make_faults(simulation: VenueSimulation, fault_every: float, chance: random.Random) -> None:
    while True:
        await asyncio.sleep(chance.uniform(0.5, 1.5) * fault_every)
        fault = chance.choice(sorted(simulation.faults))
        lasts = chance.uniform(1.0, 2.0) * fault_every if fault in simulation.lasting else 0.0
        _say(f"# {time.strftime('%H:%M:%S')} fault: {fault}{f', for {lasts:.1f} s' if lasts else ''}")
        await simulation.faults[fault]()
        if lasts:
            await asyncio.sleep(lasts)
            await simulation.restore()


def _say(line: str) -> None:
    # Whoever started this may be reading a pipe, and waits for the settings.
    print(line, flush=True)
