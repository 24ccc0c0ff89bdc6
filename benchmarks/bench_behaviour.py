"""Does the behaviour suite find faults that are planted into sound bots, and does it leave the sound ones alone?

Sound bots are the shipped ones, and with `--completions` those of a folder of recorded answers. Each states what its
author would claim: its symbols, its sides, the largest share of the equity that one order takes, and that it has an
indicator. Then one fault at a time is planted into its program, the claims staying as they are.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Sequence
from pathlib import Path

from arena.submissions.behaviour.claims import Amount, Claims, Indicator, merged
from arena.submissions.behaviour.player import BotPlayer
from arena.submissions.behaviour.suite import Facts, Report, Subject, examine
from arena.submissions.behaviour.tapes import MarketSpec, tapes_for
from arena.submissions.extract import extract_bot
from benchmarks.telling import show, write
from sandbox.pool import Pool

RUNTIME = "arena.runtime.bot:BotRuntime"
BOTS = Path(__file__).parent.parent / "bots"
FACTS = Facts({"BTCUSDT": 60_000.0, "ETHUSDT": 3_000.0})
# Their orders follow the calendar, a weight or chance, so that there is no indicator to spoil.
WITHOUT_INDICATOR = {"buy_and_hold.py", "example_random.py", "A10", "A14", "B08"}
_WRAPPED = """

_planted_on_tick = on_tick
_planted_seen = {{}}


class _PlantedCtx:
    def __init__(self, ctx, prices):
        self.own, self.prices = ctx, prices

    def get_price(self, symbol):
        return self.prices.get(symbol)

    def get_cash(self):
        return self.own.get_cash()

    def get_position(self, symbol):
        return self.own.get_position(symbol)

    def log(self, message):
        self.own.log(message)

    def submit_order(self, symbol, side, size):
        {order}


def on_tick(ctx, tick):
    prices = dict(tick["prices"])
    {prices}
    _planted_on_tick(_PlantedCtx(ctx, prices), {{**tick, "prices": prices}})
"""
_AS_IS = "self.own.submit_order(symbol, side, size)"
_FROZEN = "prices = {s: _planted_seen.setdefault(s, p) for s, p in prices.items()}"
_LATE = "before = dict(_planted_seen)\n    _planted_seen.clear()\n    _planted_seen.update(prices)\n    prices = before"
FAULTS: dict[str, tuple[str, str]] = {
    "constant indicator": (_AS_IS, _FROZEN),
    "one side only": (f'if side == "BUY":\n            {_AS_IS}', "pass"),
    "wrong symbol": ('self.own.submit_order("{stranger}", side, size)', "pass"),
    "size x 10": ('self.own.submit_order(symbol, side, size * 10 if side == "BUY" else size)', "pass"),
    "never trades": ("pass", "pass"),
    "off by one tick": (_AS_IS, _LATE),
}


def planted(source: str, fault: str, symbols: Sequence[str]) -> str:
    """Return a bot with one fault in it."""
    order, prices = FAULTS[fault]
    stranger = next(name for name in ("ETHUSDT", "SOLUSDT", "XRPUSDT") if name not in symbols)
    return source + _WRAPPED.format(order=order.replace("{stranger}", stranger), prices=prices)


def largest_order(pool: Pool, subject: Subject) -> Amount | None:
    """Return what one order takes: units where all are the same, else the largest share of equity; None for none."""
    player = BotPlayer(pool, subject.program, subject.bot_name, "", FACTS.rules)
    sizes, share = set(), 0.0
    for tape in tapes_for(MarketSpec(tuple(FACTS.prices), FACTS.prices)):
        run = player.play(tape.market)
        for order in run.orders:
            if order.side == "BUY" and order.size and order.symbol in FACTS.prices:
                price = tape.market.marks[order.tick, tape.market.symbols.index(order.symbol) + 1]
                sizes.add(order.size)
                share = max(share, float(order.size * price / run.wealth(order.tick)[1]))
    if len(sizes) == 1:
        return Amount(kind="units", value=sizes.pop())
    return Amount(kind="equity_share", value=min(share, 1.0)) if sizes else None


def claims_of(name: str, report: Report, size: Amount | None) -> Claims:
    """Return what a sound bot's author would claim, given what it does."""
    signals = [signal for run in report.signals.values() for signal in run]
    sides = {side for _, _, side in signals}
    return Claims(
        symbols=tuple(sorted({symbol for _, symbol, _ in signals})),
        sides=tuple(side for side in ("BUY", "SELL") if side in sides),
        indicators=() if name in WITHOUT_INDICATOR else (Indicator(name="its own"),),
        order_size=size,
    )


def suits(fault: str, name: str, claims: Claims) -> bool:
    """Say whether a fault changes anything in this bot."""
    if fault in {"constant indicator", "off by one tick"}:
        return name not in WITHOUT_INDICATOR
    return fault != "one side only" or len(claims.sides) == 2


def sound_bots(completions: Path | None) -> list[tuple[str, str, str]]:
    """Return name, source and request of every sound bot."""
    found = [(path.name, path.read_text("utf-8"), "") for path in sorted(BOTS.glob("*.py"))]
    for path in sorted(completions.glob("*.json")) if completions else ():
        answer = json.loads(path.read_text("utf-8"))
        source = extract_bot(answer["completion"]).source
        if source is not None and answer["defect"] is None:
            found.append((answer["id"], source, answer["prompt"]))
    return found


def checked(pool: Pool, source: str) -> Subject | None:
    """Return a source with its program, None where the check refuses it."""
    found = pool.check(source.encode())
    if not found.accepted:
        return None
    return Subject(source, found.facts["name"], tuple(found.facts["symbols"]), found.program)


def main() -> None:
    """Examine the sound and the spoilt, and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--completions", type=Path, help="a folder of recorded answers, one JSON file each")
    parser.add_argument("--bots", type=int, default=None, help="take the first so many bots only")
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    pool = Pool(RUNTIME)
    pool.start()
    counts = {fault: [0, 0] for fault in FAULTS}
    refused, seconds, missed = [], [], []
    try:
        for name, source, request in sound_bots(options.completions)[: options.bots]:
            subject = checked(pool, source)
            assert subject is not None, name
            claims = claims_of(name, examine(pool, subject, Claims(), request, FACTS), largest_order(pool, subject))
            sound = examine(pool, subject, claims, request, FACTS)
            seconds.append(sound.cpu_seconds)
            print(f"{name}: {sound.cpu_seconds:.2f} s, {[each.message for each in sound.hard]}", flush=True)
            if sound.hard:
                refused.append(f"{name}: {sound.hard[0].message}")
            for fault in FAULTS:
                if not suits(fault, name, merged(sound.said, claims)):
                    continue
                spoilt = checked(pool, planted(source, fault, claims.symbols))
                counts[fault][1] += 1
                if spoilt is None or not examine(pool, spoilt, claims, request, FACTS).hard:
                    missed.append(f"{fault} in {name}" + (" (refused by the check)" if spoilt is None else ""))
                    print(f"  missed: {missed[-1]}", flush=True)
                else:
                    counts[fault][0] += 1
    finally:
        pool.stop()
    found, planted_in_all = (sum(each[n] for each in counts.values()) for n in (0, 1))
    figures = {
        "sound_bots": len(seconds), "sound_refused": len(refused), "planted": planted_in_all, "found": found,
        "found_pct": 100.0 * found / max(planted_in_all, 1),
        **{f"found_{fault.replace(' ', '_')}": f"{a} of {b}" for fault, (a, b) in counts.items()},
        "cpu_s_median": statistics.median(seconds), "cpu_s_most": max(seconds),
        "missed": missed, "refused": refused,
    }  # fmt: skip
    show(figures)
    write(figures, options.json)


if __name__ == "__main__":
    main()
