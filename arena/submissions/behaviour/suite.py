"""The behaviour suite: plays a checked bot over the tapes and says what of its claims is met.

It costs a usual bot well under two seconds of CPU. A bot that needs more than twice that is not played further, and
what was not seen by then cannot be told.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from arena.core.exchange import Rules
from arena.core.orders import OrderStatus
from arena.core.text import clean_line
from arena.engine.backtest.account import OrderRecord, RecordedMarket
from arena.engine.backtest.run import hash_source
from arena.runtime.wire import Where
from arena.submissions.behaviour.claims import Amount, Claims, claims_of_words, contradictions, merged
from arena.submissions.behaviour.exits import exit_findings
from arena.submissions.behaviour.findings import Check, Finding, Outcome
from arena.submissions.behaviour.indicators import found_as, known_kind, numbers_of
from arena.submissions.behaviour.inline_values import with_names
from arena.submissions.behaviour.player import BotPlayer, Run
from arena.submissions.behaviour.tapes import MarketSpec, Tape, busy_week, cut, slow, tapes_for, week
from sandbox.pool import Pool
from sandbox.talk.verdict import Verdict

CPU_BUDGET = 2.0
_SAMPLES = 24
_TRADED_MOST = 0.9
_SLACK = 1.05
# Orders whose tick is tried with another price, at first and where that is not clear, and the moves of the price.
_PICKS = 3
_MORE_PICKS = 9
_MOVES = (0.9, 1.1)
_SALES = frozenset({Check.STOP, Check.TAKE_PROFIT})
_LONGEST_WARM_UP = 400
_LEAST_TICKS = 800


@dataclass(frozen=True, slots=True)
class Subject:
    """A bot that has been checked: its source, name, symbols, and program."""

    source: str
    bot_name: str
    symbols: tuple[str, ...]
    program: bytes


@dataclass(frozen=True, slots=True)
class Facts:
    """The season a bot is examined for: its symbols with their prices, seconds a tick, rules, and last ticks."""

    prices: dict[str, float]
    interval: float = 1.0
    rules: Rules = field(default_factory=Rules)
    last_ticks: RecordedMarket | None = None


@dataclass(slots=True)
class Report:
    """What the suite has found; `signals` are tick, symbol and side of the orders on each tape."""

    claims: Claims
    said: Claims
    findings: list[Finding] = field(default_factory=list)
    tapes: list[str] = field(default_factory=list)
    cpu_seconds: float = 0.0
    signals: dict[str, list[tuple[int, str, str]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def hard(self) -> list[Finding]:
        """Return what a generated bot should be written again for."""
        return [each for each in self.findings if each.hard and each.outcome is Outcome.NOT_MET]

    @property
    def unmet(self) -> list[Finding]:
        """Return everything that is not met."""
        return [each for each in self.findings if each.outcome is Outcome.NOT_MET]

    def as_dict(self) -> dict[str, Any]:
        """Return the report as the API shows it."""
        return {
            "claims": self.claims.model_dump(exclude_defaults=True, mode="json"),
            "said": self.said.model_dump(exclude_defaults=True, mode="json"),
            "findings": [each.as_dict() for each in self.findings],
            "tapes": self.tapes, "cpu_seconds": round(self.cpu_seconds, 4), "notes": self.notes,
        }  # fmt: skip


def examine(
    pool: Pool, subject: Subject, claims: Claims, words: str, facts: Facts, notes: Sequence[str] = ()
) -> Report:
    """Play a bot over the tapes and return what is met of its claims and of the words of its request.

    `notes` are sentences about the claims themselves, shown with the report.
    """
    known = tuple(facts.prices) or subject.symbols
    said = claims_of_words(words, known, facts.interval)
    report = Report(claims, said, notes=list(notes))
    _Suite(pool, subject, report, facts, asked=bool(words.strip())).run()
    return report


class _Suite:
    def __init__(self, pool: Pool, subject: Subject, report: Report, facts: Facts, *, asked: bool) -> None:
        self._pool, self._subject, self._report, self._facts, self._asked = pool, subject, report, facts, asked
        self._claims = merged(report.said, report.claims)
        self._tree = ast.parse(subject.source)
        source_hash = hash_source(subject.source.encode())
        self._player = BotPlayer(pool, subject.program, subject.bot_name, source_hash, facts.rules)
        self._runs: list[tuple[Tape, Run]] = []
        traded = tuple(dict.fromkeys([*(self._claims.symbols or subject.symbols), *subject.symbols]))
        self._spec = MarketSpec(
            traded[:8], facts.prices, facts.interval, self._warm_up(), levels=self._levels(traded[0])
        )
        self._skipped = False
        self._sold_by_exit = False
        self._lines: dict[tuple[str, int], tuple[int | None, dict[str, Any]]] = {}

    def run(self) -> None:
        """Play all tapes, then judge."""
        for tape in tapes_for(self._spec):
            self._play(tape)
        if self._facts.last_ticks is not None and len(self._facts.last_ticks):
            self._play(Tape("season", self._facts.last_ticks))
        # A bot that waits for the clock, for bars or for a long move is given these before it is called idle.
        if not any(run.signals() for _, run in self._runs) or not self._sides_reached():
            for make in (week, busy_week, slow):
                if not self._sides_reached():
                    self._play(self._affordable(make(self._spec)), 2 * CPU_BUDGET)
        report = self._report
        exits = self._exits()
        # An exit that no tape's own moves reach is tried by moving the price there.
        self._sold_by_exit = any(each.outcome is Outcome.MET and each.check in _SALES for each in exits)
        report.findings = [
            self._runs_well(), self._trades(), self._both_sides(), *self._indicators(), self._on_time(),
            self._order_size(), self._position(), *exits, self._symbols(), self._accepted(), self._speed(),
            self._calm(), self._scale(), *self._agreement(),
        ]  # fmt: skip
        report.tapes = [tape.name for tape, _ in self._runs]
        report.signals = {tape.name: run.signals() for tape, run in self._runs}
        report.cpu_seconds = self._player.cpu

    def _play(self, tape: Tape, budget: float = CPU_BUDGET) -> None:
        if self._player.cpu < budget:
            self._runs.append((tape, self._player.play(tape.market)))
        else:
            self._skipped = True

    def _affordable(self, tape: Tape) -> Tape:
        """Return a long tape, cut to what the bot can be played over within the budget once more."""
        each = self._player.cpu / max(1, sum(len(played) for played, _ in self._runs))
        ticks = int(max(_LEAST_TICKS, CPU_BUDGET / max(each, 1e-9)))
        return tape if ticks >= len(tape) else Tape(tape.name, cut(tape.market, ticks, {}), tape.usual)

    @property
    def _whole(self) -> bool:
        """Say whether every tape was played to its end."""
        return not self._skipped and all(run.ending is None for _, run in self._runs)

    # -- what the source says ---------------------------------------------------------------------------

    def _warm_up(self) -> int:
        """Return how many ticks the bot may need before it can act: as claimed, else its largest whole constant."""
        periods = [period for each in self._claims.indicators for period in each.periods]
        told = [*periods, self._claims.warm_up_ticks or 0]
        numbers = [
            node.value for node in ast.walk(self._tree)
            if isinstance(node, ast.Constant) and type(node.value) is int and 2 <= node.value <= _LONGEST_WARM_UP
        ]  # fmt: skip
        return min(max([20, *told, *numbers]), _LONGEST_WARM_UP)

    def _levels(self, symbol: str) -> tuple[float, ...]:
        """Return prices that the bot watches: as claimed, else constants near the present price."""
        if self._claims.price_levels:
            return self._claims.price_levels
        price = self._facts.prices.get(symbol)
        if price is None or price < 10:
            return ()
        found = {
            float(node.value) for node in ast.walk(self._tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, int | float)
            and 0.4 * price <= node.value <= 2.5 * price
        }  # fmt: skip
        return tuple(sorted(found)[:20])

    @property
    def _meant(self) -> set[str]:
        """Return the sides that the bot means to trade: as claimed, else those that its source names."""
        if self._claims.sides:
            return set(self._claims.sides)
        return {side for side in ("BUY", "SELL") if self._names(side)}

    def _names(self, text: str) -> bool:
        return any(isinstance(node, ast.Constant) and node.value == text for node in ast.walk(self._tree))

    def _reached(self) -> set[str]:
        found = {side for _, run in self._runs for _, _, side in run.signals()}
        return found | {"SELL"} if self._sold_by_exit else found

    def _sides_reached(self) -> bool:
        return self._meant <= self._reached() and bool(self._reached())

    # -- what shows a finding ---------------------------------------------------------------------------

    def _point(self, tape: Tape, tick: int) -> tuple[int | None, dict[str, Any]]:
        """Return the line that ordered at a tick, and the values it saw."""
        key = (tape.name, tick)
        if key not in self._lines:
            rows = min(tick + 1, len(tape))
            trace = self._player.play(cut(tape.market, rows, {}), {tick}).traces.get(tick)
            line, values = None, {}
            for step in trace["steps"] if trace else ():
                if step[0] == "ctx" and step[2] == "submit_order":
                    line = step[1] or None
                    break
                if step[0] == "line":
                    seen = {**step[4], **step[3]}
                    values.update({name: value for name, value in seen.items() if type(value) in {int, float}})
            self._lines[key] = (line, dict(list(values.items())[-12:]))
        return self._lines[key]

    def _shown(self, check: Check, message: str, hint: str, tape: Tape, tick: int, *, hard: bool) -> Finding:
        line, values = self._point(tape, tick)
        return Finding(check, Outcome.NOT_MET, message, hint, hard, tape.name, tick, line, values)

    @property
    def _usual(self) -> Iterator[tuple[Tape, Run]]:
        return ((tape, run) for tape, run in self._runs if tape.usual)

    # -- the checks -------------------------------------------------------------------------------------

    def _runs_well(self) -> Finding:
        worst: tuple[Tape, Run, int] | None = None
        for tape, run in self._runs:
            ticks = len({tick for tick, _ in run.errors})
            if ticks and (worst is None or (tape.usual, ticks) > (worst[0].usual, worst[2])):
                worst = (tape, run, ticks)
        if worst is None:
            if not self._whole:
                return Finding(Check.RUNS, Outcome.CANNOT_TELL, "It had to be stopped before all tapes were played.")
            return Finding(Check.RUNS, Outcome.MET, f"It ran through {len(self._runs)} tapes without an exception.")
        tape, run, ticks = worst
        tick, error = run.errors[0]
        told = clean_line(f"{error.kind}: {error.text}", 200)
        where = {Where.load: "while it is loaded", Where.init: "in init"}.get(error.where, f"at tick {tick}")
        often = f", at {ticks} of {len(tape)} ticks" if ticks > 1 else ""
        values: dict[str, Any] = {}
        if error.where is Where.on_tick and self._player.cpu < CPU_BUDGET:
            _, values = self._point(tape, tick)
        hard = error.where is not Where.on_tick or (tape.usual and ticks * 10 > len(tape))
        return Finding(
            Check.RUNS, Outcome.NOT_MET, f"It raises {told}, {where}{often}.",
            "Guard this line: a price may be None or missing, a divisor 0, a history still short.",
            hard, tape.name, tick, error.line or None, values,
        )  # fmt: skip

    def _trades(self) -> Finding:
        counts = {tape.name: len(run.signals()) for tape, run in self._runs}
        if any(counts.values()):
            most = max(counts, key=lambda name: counts[name])
            return Finding(Check.TRADES, Outcome.MET, f"It placed orders, {counts[most]} of them on '{most}'.")
        if not self._whole:
            return Finding(Check.TRADES, Outcome.CANNOT_TELL, "It had to be stopped before all tapes were played.")
        if self._claims.trades_per_1000_ticks == 0:
            return Finding(Check.TRADES, Outcome.MET, "It never trades, as claimed.")
        return Finding(
            Check.TRADES, Outcome.NOT_MET,
            f"It never places an order: not on any of {len(self._runs)} tapes with swings of up to 15%, trends, "
            "a crash and gaps, nor over a week.",
            "Look for a condition that can never hold, an early return, or a value that never changes.",
            hard=True, tape=self._runs[0][0].name, tick=len(self._runs[0][0]) - 1,
        )  # fmt: skip

    def _both_sides(self) -> Finding:
        reached, meant = self._reached(), self._meant
        if not reached:
            return Finding(Check.BOTH_SIDES, Outcome.CANNOT_TELL, "It places no order at all.")
        missing = sorted(meant - reached)
        claimed = bool(self._claims.sides)
        if not missing:
            extra = sorted(reached - meant) if claimed else []
            shown = next(((t, n) for t, run in self._runs for n, _, side in run.signals() if side in extra), None)
            if shown is not None:
                tape, tick = shown
                return self._shown(
                    Check.BOTH_SIDES, f"It places {extra[0]} orders, which was not said.",
                    f"Remove the {extra[0]} orders, or say in the claims that there are some.", tape, tick, hard=False,
                )  # fmt: skip
            sides = " and ".join(sorted(reached))
            return Finding(Check.BOTH_SIDES, Outcome.MET, f"It places {sides} orders.")
        if not self._whole:
            return Finding(Check.BOTH_SIDES, Outcome.CANNOT_TELL, "It had to be stopped before all tapes were played.")
        tape, run = max(self._runs, key=lambda each: len(each[1].signals()))
        tick = run.signals()[-1][0]
        return self._shown(
            Check.BOTH_SIDES, f"It never places a {missing[0]} order, on any tape, though it means to.",
            f"See that the condition of the {missing[0]} order can hold once there is "
            + ("a position." if missing[0] == "SELL" else "cash."),
            tape, tick, hard=claimed,
        )  # fmt: skip

    # -- indicators and timing --------------------------------------------------------------------------

    def _indicators(self) -> list[Finding]:
        kinds = [(each, kind) for each in self._claims.indicators if (kind := known_kind(each)) is not None]
        idle = not {"BUY", "SELL"} & self._reached() or len(self._reached()) < len(self._meant)
        same = self._ignores_prices()
        if same is not None:
            return [same]
        if not kinds and not idle:
            return [Finding(Check.INDICATOR, Outcome.CANNOT_TELL, "No indicator was named whose value is known here.")]
        ticks, numbers = self._sampled()
        if not numbers:
            return [Finding(Check.INDICATOR, Outcome.CANNOT_TELL, "Its values could not be read.")]
        found = [self._look_back(each.periods, kind, ticks, numbers) for each, kind in kinds]
        told = [each for each in found if each is not None]
        if told and all(each.outcome is Outcome.MET for each in told):
            return told
        constant = self._constant(numbers) if idle and not any(e.outcome is Outcome.MET for e in told) else None
        if constant is not None:
            return [*(each for each in told if each.outcome is Outcome.NOT_MET), constant]
        return told or [Finding(Check.INDICATOR, Outcome.CANNOT_TELL, "No indicator's value was found in its names.")]

    def _sampled(self) -> tuple[list[int], dict[int, dict[str, set[float]]]]:
        """Return ticks in the later half of the swings, and the numbers that the bot's names had at them."""
        tape = self._runs[0][0]
        if self._player.cpu > 2 * CPU_BUDGET:
            return [], {}
        half = len(tape) // 2
        ticks = sorted(set(np.linspace(half, len(tape) - 1, _SAMPLES).astype(int).tolist()))
        source, texts = with_names(self._subject.source)
        named = self._pool.check(source.encode()) if texts else None
        run = self._player.play(tape.market, ticks, program=named.program if named and named.accepted else None)
        numbers = {
            tick: {_told(name, texts): values for name, values in numbers_of(trace).items()}
            for tick, trace in run.traces.items()
        }
        return [tick for tick in ticks if tick in numbers], numbers

    def _look_back(
        self, periods: Sequence[int], kind: str, ticks: list[int], numbers: dict[int, dict[str, set[float]]]
    ) -> Finding | None:
        tape = self._runs[0][0]
        columns = [tape.market.rows[:, column] for column in range(1, tape.market.rows.shape[1])]
        wanted = list(periods[:2] if kind == "macd" else periods)
        for period in wanted:
            if found_as(kind, period, columns, ticks, numbers) is not None:
                continue
            for other in (period + 1, period - 1):
                name = found_as(kind, other, columns, ticks, numbers) if other > 1 and other not in wanted else None
                if name is not None:
                    return self._off(kind, period, name, f"it has the value of a look-back of {other}", ticks[-1])
            name = found_as(kind, period, columns, ticks, numbers, late=1)
            if name is not None:
                return self._off(kind, period, name, "it has the value of the tick before", ticks[-1])
            return Finding(
                Check.INDICATOR, Outcome.CANNOT_TELL, f"No name of the bot holds the usual value of {kind} {period}."
            )
        words = f"{kind} {', '.join(map(str, wanted))}"
        return Finding(Check.INDICATOR, Outcome.MET, f"Its {words} has the right value at {len(ticks)} ticks.")

    def _off(self, kind: str, period: int, name: str, why: str, tick: int) -> Finding:
        return Finding(
            Check.INDICATOR, Outcome.NOT_MET, f"{kind} {period} is off by one tick: '{name}' shows that {why}.",
            f"Let the indicator use the last {period} prices, this tick's included.",
            hard=True, tape=self._runs[0][0].name, tick=tick,
        )  # fmt: skip

    def _constant(self, numbers: dict[int, dict[str, set[float]]]) -> Finding | None:
        """Name values that never change although they are computed at every tick."""
        computed = _computed_names(self._tree)
        seen: dict[str, list[set[float]]] = {}
        for names in numbers.values():
            for name, values in names.items():
                seen.setdefault(name, []).append(values)
        still = sorted(
            name for name, rows in seen.items()
            if len(rows) >= _SAMPLES // 2 and all(row == rows[0] and len(row) == 1 for row in rows)
            and rows[0] != {0.0} and name.rpartition(": ")[2].removesuffix("()") in computed
        )  # fmt: skip
        if not still:
            return None
        value = min(seen[still[0]][0])
        return Finding(
            Check.INDICATOR, Outcome.NOT_MET, f"'{still[0]}' is {value:.10g} at every tick, while prices move.",
            "Compute it anew from the prices at each tick.", hard=True, tape=self._runs[0][0].name,
            tick=max(numbers), values={name: min(seen[name][0]) for name in still[:8]},
        )  # fmt: skip

    def _ignores_prices(self) -> Finding | None:
        """Return a finding where a bot with an indicator orders at the same ticks whatever prices do."""
        runs = {tape.name: run.signals() for tape, run in self._runs}
        names = [name for name in ("calm", "trend up", "trend down", "crash") if name in runs]
        if not self._claims.indicators or len(names) < 4 or not runs[names[0]]:
            return None
        if any(runs[name] != runs[names[0]] for name in names[1:]):
            return None
        return Finding(
            Check.INDICATOR, Outcome.NOT_MET,
            "It orders at the same ticks on a calm market, up, down and in a crash: its indicator never varies.",
            "Compute the indicator from the prices at each tick.", hard=True, tape=names[0], tick=runs[names[0]][0][0],
        )  # fmt: skip

    def _on_time(self) -> Finding:
        """Change the price of the tick that triggered an order: the order must answer to it."""
        # The swings come first; a bot that stays idle there is tried on the first tape on which it acts twice.
        acts = [each for each in self._usual if len({tick for tick, _, _ in each[1].signals()}) > 1]
        tape, run = (acts or self._runs)[0]
        ticks = [tick for tick in dict.fromkeys(tick for tick, _, _ in run.signals()) if tick > 2]
        unknown = Finding(Check.ON_TIME, Outcome.CANNOT_TELL, "Its orders do not show which tick triggers them.")
        if len(ticks) < 2 or self._player.cpu > 2 * CPU_BUDGET or run.ending is not None:
            return unknown
        met = Finding(Check.ON_TIME, Outcome.MET, "Its orders answer to the price of the tick they are made at.")
        late: list[int] = []
        # Purchases from nothing come first: a sale may answer at once through the equity, which falls with the price.
        for only in (self._entries(tape, run), dict.fromkeys(ticks)):
            late = []
            # A bot that decides by chance or by coarse steps answers to few prices: it is tried at more of its orders
            # as long as some follow the tick before and none its own.
            for picks in _spread(list(only), _PICKS, _MORE_PICKS):
                for tick in picks:
                    if self._answers(tape, run, tick, tick, only[tick]):
                        return met
                late += [tick for tick in picks if self._answers(tape, run, tick, tick - 1, only[tick])]
                if not late or len(late) == len(picks):
                    break
            if len(late) > 1:
                break
        if len(late) < 2 or self._keeps_the_clock(tape, run, ticks):
            return unknown
        return self._shown(
            Check.ON_TIME, "It acts one tick late: its orders follow the price of the tick before, not this one's.",
            "Use the price of the tick that on_tick is called with.", tape, late[0],
            hard=bool(self._claims.indicators),
        )  # fmt: skip

    @staticmethod
    def _entries(tape: Tape, run: Run) -> dict[int, str | None]:
        """Return the ticks of purchases from nothing, each with the symbol whose price decides it.

        That is None, every symbol's, where nothing at all was held. Those that may follow from an order of the tick
        before, whose fill they waited for, are left out.
        """
        ordered = {tick for tick, _, _ in run.signals()}
        found: dict[int, str | None] = {}
        for tick, symbol, side in run.signals():
            held = run.positions(tick)
            if side == "BUY" and symbol not in held and tick - 1 not in ordered and symbol in tape.market.symbols:
                found.setdefault(tick, symbol if held else None)
        return {tick: symbol for tick, symbol in found.items() if tick > 2}

    def _keeps_the_clock(self, tape: Tape, run: Run, ticks: Sequence[int]) -> bool:
        """Say whether a bot acts at a regular time of the clock, and not at every so manyth tick.

        Its bars are closed by the first tick after them, so that the price of the tick before is the right one.
        """
        step = int(np.gcd.reduce(np.diff(np.array(ticks))))
        if len(ticks) < 3 or step == 1:
            return False
        rows = tape.market.rows.copy()
        rows[:, 0] += self._spec.interval * (step // 2)
        moved = self._player.play(RecordedMarket(tape.market.symbols, rows))
        return {tick % step for tick, _, _ in moved.signals()} != {tick % step for tick, _, _ in run.signals()}

    def _answers(self, tape: Tape, run: Run, ordered: int, changed: int, only: str | None) -> bool:
        """Say whether other prices at tick `changed`, of one symbol or of all, change what is ordered at `ordered`."""

        def acts(found: Run) -> set[tuple[str, str]]:
            return {(symbol, side) for tick, symbol, side in found.signals() if tick == ordered}

        before = acts(run)
        symbols = tape.market.symbols
        row, last = tape.market.rows[changed, 1:], tape.market.rows[changed - 1, 1:]
        others = [last, *(row * factor for factor in _MOVES)]
        if only is not None:
            others = [np.where([symbol == only for symbol in symbols], other, row) for other in others]
        elif len(symbols) > 1:
            # A ratio of two prices answers only where they part.
            apart = np.where(np.arange(len(symbols)) % 2 == 0, *_MOVES)
            others += [row * apart, row / apart]
        for other in others:
            if self._player.cpu > 2 * CPU_BUDGET:
                break
            if acts(self._player.play(cut(tape.market, ordered + 1, {changed: other}))) != before:
                return True
        return False

    # -- sizes, symbols, orders -------------------------------------------------------------------------

    def _order_size(self) -> Finding:
        limit = self._claims.order_size
        if limit is None:
            return Finding(Check.ORDER_SIZE, Outcome.CANNOT_TELL, "No size of an order was said.")
        seen = False
        for tape, run in self._runs:
            for order in run.orders:
                if order.side != "BUY" or order.size is None or order.at_once:
                    continue
                seen = True
                most = self._most(limit, tape, run, order)
                if most is not None and order.size > most * _SLACK:
                    return self._shown(
                        Check.ORDER_SIZE, f"A BUY of {order.size:.10g} {order.symbol} is {order.size / most:.3g} times "
                        f"what was said, {limit.words()}.", "Order what was said.", tape, order.tick, hard=True,
                    )  # fmt: skip
        if not seen:
            return Finding(Check.ORDER_SIZE, Outcome.CANNOT_TELL, "It buys nothing.")
        return Finding(Check.ORDER_SIZE, Outcome.MET, f"No BUY is larger than {limit.words()}.")

    @staticmethod
    def _most(limit: Amount, tape: Tape, run: Run, order: OrderRecord) -> float | None:
        """Return the largest size that a limit allows an order, None where it cannot be told."""
        if limit.kind == "units":
            return limit.value
        column = tape.market.symbols.index(order.symbol) + 1 if order.symbol in tape.market.symbols else 0
        if not column:
            return None
        price = float(tape.market.marks[order.tick, column])
        if not price > 0:
            return None
        cash, equity = run.wealth(order.tick)
        money = {"money": 1.0, "cash_share": cash, "equity_share": equity}[limit.kind]
        return limit.value * money / price

    def _position(self) -> Finding:
        limit = self._claims.largest_position
        if limit is None:
            return Finding(Check.POSITION, Outcome.CANNOT_TELL, "No largest position was said.")
        for tape, run in self._runs:
            for trade in run.account.ledger.trades:
                fill = trade.fill
                held, (_, equity) = fill.position_after, run.wealth(trade.tick)
                value = held * fill.price
                share = {"units": held, "money": value}.get(limit.kind, value / equity if equity > 0 else 0.0)
                if fill.side.value == "BUY" and share > limit.value * _SLACK:
                    return self._shown(
                        Check.POSITION, f"It holds {held:.10g} {fill.symbol}, which is more than was said, "
                        f"{limit.words()}.", "Look at the position before buying more.", tape,
                        max(trade.tick - 1, 0), hard=True,
                    )  # fmt: skip
        return Finding(Check.POSITION, Outcome.MET, f"It never holds more than {limit.words()}.")

    def _exits(self) -> list[Finding]:
        def shown(check: Check, message: str, hint: str, tape: Tape, tick: int) -> Finding:
            return self._shown(check, message, hint, tape, tick, hard=True)

        return list(exit_findings(self._player, self._runs, self._claims, shown, 2 * CPU_BUDGET))

    def _symbols(self) -> Finding:
        wanted = self._claims.symbols or self._subject.symbols
        traded = {symbol for _, run in self._runs for _, symbol, _ in run.signals()}
        for tape, run in self._runs:
            for tick, symbol, side in run.signals():
                if symbol not in wanted:
                    said = " and ".join(wanted)
                    return self._shown(
                        Check.SYMBOLS, f"It places a {side} order for {clean_line(symbol, 80)}; it was to trade "
                        f"{said}.", f"Trade {said} only.", tape, tick, hard=bool(self._claims.symbols),
                    )  # fmt: skip
        if not traded:
            return Finding(Check.SYMBOLS, Outcome.CANNOT_TELL, "It places no order at all.")
        untouched = [symbol for symbol in self._claims.symbols if symbol not in traded]
        if untouched and self._whole:
            return Finding(
                Check.SYMBOLS, Outcome.NOT_MET, f"It never trades {' and '.join(untouched)}, which was said.",
                "See that every symbol has its own state and its own orders.", tape=self._runs[0][0].name,
                tick=len(self._runs[0][0]) - 1,
            )  # fmt: skip
        return Finding(Check.SYMBOLS, Outcome.MET, f"It trades {' and '.join(sorted(traded))}.")

    def _accepted(self) -> Finding:
        for tape, run in self._usual:
            ended = [o for o in run.orders if o.status in {OrderStatus.REJECTED, OrderStatus.FILLED}]
            rejected = [o for o in ended if o.status is OrderStatus.REJECTED]
            if (len(rejected) * 2 > len(ended) and len(rejected) > 1) or (rejected and len(rejected) == len(ended)):
                first = rejected[0]
                return self._shown(
                    Check.ACCEPTED, f"{len(rejected)} of {len(ended)} orders were rejected, the first: "
                    f"{clean_line(str(first.reason), 200)}", "Order what the cash pays for, or what is held.",
                    tape, first.tick, hard=len(rejected) == len(ended),
                )  # fmt: skip
        if not self._reached():
            return Finding(Check.ACCEPTED, Outcome.CANNOT_TELL, "It places no order at all.")
        return Finding(Check.ACCEPTED, Outcome.MET, "Most of its orders are accepted.")

    def _speed(self) -> Finding:
        for tape, run in self._runs:
            if run.ending is not None:
                tick, verdict, reason = run.ending
                what = "is too slow" if verdict is Verdict.TIMEOUT else "cannot go on"
                return Finding(
                    Check.SPEED, Outcome.NOT_MET, f"It {what}: at tick {tick} it {clean_line(reason, 200)}.",
                    "Do less work in a tick, keep histories bounded, and return from on_tick.",
                    hard=True, tape=tape.name, tick=tick,
                )  # fmt: skip
        ticks = sum(len(tape) for tape, _ in self._runs)
        each = sum(run.cpu for _, run in self._runs) / max(ticks, 1)
        if self._skipped:
            return Finding(
                Check.SPEED, Outcome.NOT_MET, f"It takes {each * 1000:.3g} ms of CPU a tick, which is far more than "
                "usual; not all tapes could be played.", "Update values at each tick in place of computing all anew.",
                tape=self._runs[-1][0].name, tick=len(self._runs[-1][0]) - 1,
            )  # fmt: skip
        return Finding(Check.SPEED, Outcome.MET, f"It takes {each * 1e6:.3g} µs of CPU a tick.")

    def _calm(self) -> Finding:
        expected = self._claims.trades_per_1000_ticks
        for tape, run in self._usual:
            if tape.name not in {"calm", "swings", "season"} or len(tape) < 20:
                continue
            ticks = sorted({tick for tick, _, _ in run.signals()})
            after = len(tape) - ticks[0] if ticks else 0
            if len(ticks) > 10 and len(ticks) > after * _TRADED_MOST and (expected is None or expected < 800):
                return self._shown(
                    Check.CALM, f"It orders at {len(ticks)} of {after} ticks: nearly at every tick.",
                    "Order when a condition comes true, not as long as it is true.", tape, ticks[1], hard=False,
                )  # fmt: skip
        return Finding(Check.CALM, Outcome.MET, "It orders at some ticks only.")

    def _scale(self) -> Finding:
        runs = {tape.name: (tape, run) for tape, run in self._runs}
        size = self._claims.order_size
        if self._claims.price_levels or self._spec.levels:
            return Finding(Check.SCALE, Outcome.MET, "It watches fixed prices, so their size matters.")
        if "tiny prices" not in runs or not runs["swings"][1].signals():
            return Finding(Check.SCALE, Outcome.CANNOT_TELL, "It places no order by which to tell.")
        base, (tape, run) = runs["swings"][1].signals(), runs["tiny prices"]
        if run.signals() == base or (size is not None and size.kind == "units" and len(run.signals()) >= len(base)):
            return Finding(Check.SCALE, Outcome.MET, "It does the same where all prices are a millionth as large.")
        differs = next(
            (
                n
                for one, other in zip(base, run.signals(), strict=False)
                if one != other
                for n in [min(one[0], other[0])]
            ),
            (base if len(base) > len(run.signals()) else run.signals())[min(len(base), len(run.signals())) - 1][0],
        )
        return Finding(
            Check.SCALE, Outcome.NOT_MET,
            f"Where prices are a millionth as large, it places {len(run.signals())} orders in place of {len(base)}: "
            "it depends on how large the price is.",
            "Compare ratios or percentages, and give sizes as a share of the cash.",
            tape=tape.name, tick=differs,
        )  # fmt: skip

    def _agreement(self) -> list[Finding]:
        if not self._asked:
            return [Finding(Check.WORDS, Outcome.CANNOT_TELL, "No words were given that say what it is to do.")]
        if not self._report.said.made:
            return [Finding(Check.WORDS, Outcome.CANNOT_TELL, "The words could not be read without a model.")]
        if not self._report.claims.made:
            return [Finding(Check.WORDS, Outcome.CANNOT_TELL, "The bot makes no claims; the words were checked.")]
        against = contradictions(self._report.said, self._report.claims)
        return [
            Finding(Check.WORDS, Outcome.NOT_MET, f"The claims contradict the words: {sentence}.",
                    "Do what the request says.", hard=True)
            for _, sentence in against
        ] or [Finding(Check.WORDS, Outcome.MET, "The claims agree with what was read of the words.")]  # fmt: skip


def _told(name: str, texts: Mapping[str, str]) -> str:
    """Return where a value stands as the bot's author wrote it."""
    function, mark, inner = name.rpartition(": ")
    first, dot, rest = inner.partition(".")
    return f"{function}{mark}{clean_line(texts[first], 80)}{dot}{rest}" if first in texts else name


def _spread(ticks: Sequence[int], *counts: int) -> Iterator[list[int]]:
    """Yield as many ticks as each count says, spread over all and none twice."""
    taken: set[int] = set()
    for count in counts:
        picks = [ticks[int(n)] for n in np.linspace(0, len(ticks) - 1, count)] if ticks else []
        yield [tick for tick in dict.fromkeys(picks) if tick not in taken]
        taken.update(picks)


def _computed_names(tree: ast.Module) -> set[str]:
    """Return the names and attributes that functions assign something computed, and functions that return it."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            if any(isinstance(n, ast.Return) and not _is_plain(n.value) for n in ast.walk(node)):
                found.add(node.name)
            for inner in ast.walk(node):
                if isinstance(inner, ast.Assign) and not _is_plain(inner.value):
                    found.update(name for target in inner.targets for name in _targets(target))
                elif isinstance(inner, ast.AugAssign):
                    found.update(_targets(inner.target))
    return found


def _is_plain(value: ast.expr | None) -> bool:
    """Say whether an expression computes nothing: a constant, a name, a value asked of ctx."""
    return (
        value is None
        or isinstance(value, ast.Constant | ast.Name)
        or (
            isinstance(value, ast.Call)
            and isinstance(value.func, ast.Attribute)
            and value.func.attr in {"get_position", "get_cash", "get"}
        )
    )


def _targets(target: ast.expr) -> Iterator[str]:
    if isinstance(target, ast.Name):
        yield target.id
    elif isinstance(target, ast.Tuple | ast.List):
        for each in target.elts:
            yield from _targets(each)
    elif isinstance(target, ast.Attribute):
        yield f"self.{target.attr}"
