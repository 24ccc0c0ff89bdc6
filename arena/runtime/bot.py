"""Runs one bot in its locked process: loads it, shows it ticks, and notes what it does.

Within a run of several ticks the worker keeps a mirror of its account with the very ledger code that
the engine uses; the engine's own account stays the only authority and replaces the mirror whenever
it is sent along.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from types import TracebackType
from typing import Any

from arena.core.exchange import Rules, settle
from arena.core.ledger import Account, Position, worth
from arena.core.orders import Order, Rejection, Side, check_order, type_name
from arena.core.text import clean_name
from arena.runtime.contract import broken_rules
from arena.runtime.ctx import METHODS, Context
from arena.runtime.rehearsal import rehearsal
from arena.runtime.start import Start
from arena.runtime.trace import TickTrace
from arena.runtime.unused_tick import reads_argument
from arena.runtime.wire import (
    IS_TRACED,
    LOG_BYTES_PER_TICK,
    MAX_REJECTIONS_PER_TICK,
    BotError,
    Level,
    ReplyWriter,
    Rows,
    Where,
    read_run,
    trace_record,
    usual_run,
)
from sandbox.host import Host, Namespace

MAX_LINE = 1000
# A reply is sent early when it has grown this large, so that a run's talk never becomes one big frame.
_EARLY = 24 * 1024
# What `tick` looks like; the reference that models are given is made from it.
TICK_EXAMPLE = {
    "time": 1704067200.0,
    "prices": {"BTCUSDT": 69234.1, "ETHUSDT": 3456.7},
    "bot": {
        "cash": 9310.0,
        "positions": {"BTCUSDT": 0.01},
        "equity": 10002.341,
        "realized_pnl": 0.0,
        "unrealized_pnl": 2.341,
    },
}
# As the compiler names it, which has no place in a worker.
_BOT_FILE = "bot.py"
_LEVELS = {"DEBUG": Level.DEBUG, "WARNING": Level.WARNING, "ERROR": Level.ERROR}


class BotRuntime:
    """The guest of one worker."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._writer = ReplyWriter()
        self._tick = 0
        self._noted = False
        self._requests = 0
        self._rejections = 0
        self._log_bytes = 0
        self._logs_dropped = 0
        # Ticks of the runs before this one; orders that wait, each with the tick that it settles at, so counted.
        self._shown = 0
        self._pending: list[tuple[int, Order]] = []
        self._account = Account(0.0)
        self._sizes: dict[str, float] = {}
        self._prices: dict[str, float] = {}
        self._last_prices: dict[str, float] = {}
        self._know(())
        self._rules = Rules()
        self._bot_name = ""
        self._namespace: Namespace = {}
        self._ctx = self._make_context()
        # Made when the bot starts: one that is made before the fork costs each worker ten pages more.
        self._show: Callable[[tuple[Rows, bool]], bytes]

    # Played by the zygote before it forks.
    rehearsal = staticmethod(rehearsal)

    @property
    def context(self) -> Context:
        """Return the ctx that the bot is handed."""
        return self._ctx

    # -- checking -----------------------------------------------------------------------------------

    def inspect(self, namespace: Namespace) -> tuple[list[tuple[str, str]], dict[str, Any]]:
        """Return how a loaded module breaks the bot contract, and its NAME and SYMBOLS."""
        broken = broken_rules(namespace)
        if broken:
            return broken, {}
        symbols = [str(symbol) for symbol in namespace["SYMBOLS"]]
        return [], {"name": clean_name(namespace["NAME"]), "symbols": symbols}

    # -- loading --------------------------------------------------------------------------------------

    def start(self, meta: bytes, load: Callable[[], Namespace]) -> bytes:
        """Load the module and call init; both see the clock and the account they are told."""
        self._prepare(Start.read(meta))
        try:
            self._namespace = load()
        except BaseException as error:  # noqa: BLE001 - whatever a bot raises is reported
            self._note_error(Where.load, error)
        else:
            init = self._namespace.get("init")
            if init is not None:
                self._guarded(Where.init, init, self._ctx)
        self._end_tick()
        # An order of `init` counts as made at the tick before the first.
        self._shown += 1
        self._take_seat()
        return self._writer.finish(0, self._account.cash, self._account.realized)

    def _prepare(self, told: Start) -> None:
        self._bot_name = told.bot_name
        self._use(told.account)
        self._rules = Rules(*told.rules)
        self._prices = dict(told.prices) if told.seen else {}
        self._last_prices = dict(told.last_prices)
        self._know(told.symbols)
        self._host.seed(told.seed)
        self._host.clock.now = told.now
        self._host.set_log(self._log_line)
        self._tick = 0

    # -- snapshots ------------------------------------------------------------------------------------

    def named(self) -> dict[str, Any]:
        """Return the ctx and its methods by name: every process has its own."""
        ctx = self._ctx
        return {"ctx": ctx, **{name: getattr(ctx, name) for name in METHODS}}

    def state(self) -> Any:
        """Return account, waiting orders and prices, as values that can be marshalled."""
        account = self._account
        held = {symbol: tuple(position) for symbol, position in account.positions.items()}
        pending = [(due - self._shown, order.symbol, order.side.value, order.size) for due, order in self._pending]
        return (
            self._symbols, (account.cash, held, *account[2:]), pending, dict(self._prices), dict(self._last_prices),
            self._host.clock.now,
        )  # fmt: skip

    def reload(self, meta: bytes, load: Callable[[], Namespace]) -> None:
        """Load the module as at the start, without `init`; what it logs has been logged."""
        self._prepare(Start.read(meta))
        self._namespace = load()
        self._end_tick()
        self._writer.finish(0, 0.0, 0.0)

    def resume(self, state: Any) -> None:
        """Go on with the account, orders and prices that `state` returned."""
        symbols, (cash, held, *rest), pending, prices, last_prices, now = state
        self._use(Account(cash, {symbol: Position(*both) for symbol, both in held.items()}, *rest))
        self._pending = [(self._shown + due, Order(symbol, Side(side), size)) for due, symbol, side, size in pending]
        self._prices, self._last_prices = prices, last_prices
        self._host.clock.now = now
        self._know(tuple(symbols))
        self._take_seat()

    # -- ticking --------------------------------------------------------------------------------------

    def call(self, payload: bytes) -> bytes:
        """Show the bot a run of ticks; stop early when the reply grows large."""
        if payload.startswith(self._usual_head):
            return self._show(((self._usual_row(payload),), True))
        if payload[0] & IS_TRACED:
            return self._traced(payload)
        symbols, account, rows, whole = read_run(payload, self._symbols)
        if symbols is not None or account is not None:
            if symbols is not None:
                self._know(symbols)
            if account is not None:
                self._use(account)
            self._take_seat()
        return self._show((rows, whole))

    def _traced(self, payload: bytes) -> bytes:
        """Show the bot one tick, and say besides which lines it ran and with what values."""
        watched = TickTrace(_BOT_FILE, self._ctx, self._namespace)
        self._host.watch(watched.watch)
        try:
            reply = self.call(bytes((payload[0] & ~IS_TRACED,)) + payload[1:])
        finally:
            self._host.watch(None)
        return reply + trace_record(watched.encoded())

    def _know(self, symbols: tuple[str, ...]) -> None:
        """Take the market's symbols, and note whether the bot may hold one that is not among them."""
        self._symbols = symbols
        self._usual_head, self._usual_row = usual_run(len(symbols))
        self._known_symbols = self._last_prices.keys() <= set(symbols)

    def _take_seat(self) -> None:
        """Begin to play with the symbols and the account there are now."""
        player = self._play()
        next(player)
        self._show = player.send

    def _play(self) -> Generator[bytes, tuple[Rows, bool], None]:
        """Show the ticks of one run after another and yield what the bot did; the hot loop of every replay.

        A generator, so that its local names outlive a run: where a run is one tick, to look them up again
        would cost as much as the tick.
        """
        symbols, last_prices, known = self._symbols, self._last_prices, self._known_symbols
        named, ctx, clock, writer = self._namespace.get, self._ctx, self._host.clock, self._writer
        only = symbols[0] if len(symbols) == 1 else None
        (cash, positions, realized), sizes = self._account[:3], self._sizes
        judged, looks = None, True
        rows, whole = yield b""
        while True:
            index = -1
            for index, row in enumerate(rows):
                clock.now = row[0]
                prices = dict(zip(symbols, row[1:], strict=False)) if only is None else {only: row[1]}
                if whole and known:
                    last_prices = prices
                else:
                    prices = {symbol: price for symbol, price in prices.items() if price == price}  # noqa: PLR0124
                    last_prices.update(prices)
                self._prices = prices
                self._tick = index
                if self._pending:
                    self._settle(prices)
                    (cash, positions, realized), sizes = self._account[:3], self._sizes
                on_tick = named("on_tick")
                if on_tick is not judged:
                    judged, looks = on_tick, reads_argument(on_tick, 1)
                tick = None
                if looks:
                    equity, unrealized = worth(cash, positions, last_prices) if sizes else (cash, 0.0)
                    tick = {
                        "time": row[0],
                        "prices": prices.copy(),
                        "bot": {
                            "cash": cash,
                            "positions": sizes.copy(),
                            "equity": equity,
                            "realized_pnl": realized,
                            "unrealized_pnl": unrealized,
                        },
                    }
                try:
                    on_tick(ctx, tick)  # type: ignore[misc]
                except BaseException as error:  # noqa: BLE001 - whatever a bot raises is reported
                    self._note_error(Where.on_tick, error)
                if self._noted:
                    self._end_tick()
                    if writer.size > _EARLY:
                        break
            self._last_prices = last_prices
            self._shown += index + 1
            rows, whole = yield writer.finish(index + 1, cash, realized)

    def _settle(self, prices: dict[str, float]) -> None:
        tick, waiting = self._shown + self._tick, self._pending
        if waiting[0][0] > tick:
            return
        orders = [order for due, order in waiting if due <= tick]
        settled = settle(self._bot_name, self._account, orders, prices, self._rules, time=self._host.clock.now)
        self._use(settled.account)
        self._pending = waiting[len(orders) :]

    def _use(self, account: Account) -> None:
        """Go on with an account from which on nothing settles that the bot has ordered so far."""
        self._account, self._sizes = account, account.sizes()
        self._pending = []

    def _guarded(self, where: Where, function: Any, *args: object) -> None:
        try:
            function(*args)
        except BaseException as error:  # noqa: BLE001 - whatever a bot raises is reported
            self._note_error(where, error)

    def _note_error(self, where: Where, error: BaseException) -> None:
        self._noted = True
        kind, memory = type_name(type(error)), isinstance(error, MemoryError)
        self._writer.error(self._tick, BotError(where, _describe(error, kind), kind, _line_of(error), memory))

    def _end_tick(self) -> None:
        beyond = self._rejections - MAX_REJECTIONS_PER_TICK
        if beyond > 0:
            self._writer.overflow(self._tick, beyond)
        if self._logs_dropped:
            self._writer.logs_dropped(self._tick, self._logs_dropped)
        self._requests = self._rejections = self._log_bytes = self._logs_dropped = 0
        self._noted = False

    # -- what ctx does --------------------------------------------------------------------------------

    def _make_context(self) -> Context:
        def get_price(symbol: str) -> float | None:
            """Return the current price of a symbol, None if there is none."""
            return self._prices.get(symbol)

        def get_cash() -> float:
            """Return the available cash."""
            return self._account.cash

        def get_position(symbol: str) -> float:
            """Return the held size of a symbol, 0 if none."""
            return self._sizes.get(symbol, 0.0)

        def submit_order(symbol: str, side: str, size: float) -> None:
            """Submit a market order; it fills at a later tick."""
            self._submit(symbol, side, size)

        def log(message: object) -> None:
            """Write a line to the bot's log."""
            self._log_line("INFO", message)

        return Context(
            get_price=get_price, get_cash=get_cash, get_position=get_position,
            submit_order=submit_order, log=log,
        )  # fmt: skip

    def _submit(self, symbol: object, side: object, size: object) -> None:
        self._noted = True
        outcome = check_order(symbol, side, size, self._requests)
        self._requests += 1
        if isinstance(outcome, Rejection):
            self._rejections += 1
            if self._rejections <= MAX_REJECTIONS_PER_TICK:
                self._writer.rejected(self._tick, outcome)
            return
        self._pending.append((self._shown + self._tick + self._rules.delay_ticks, outcome))
        self._writer.order(self._tick, outcome)

    def _log_line(self, level: str, message: object) -> None:
        text = message if type(message) is str else _printable(message)
        text = text[:MAX_LINE]
        self._noted = True
        self._log_bytes += len(text) + 8
        if self._log_bytes > LOG_BYTES_PER_TICK:
            self._logs_dropped += 1
            return
        self._writer.log(self._tick, _LEVELS.get(level, Level.INFO), text)


def _printable(value: object) -> str:
    try:
        text = str(value)
    except Exception:  # noqa: BLE001 - a bot's own __str__ may do anything
        return f"<{type(value).__name__} that cannot be printed>"
    return text if type(text) is str else str.__str__(text)


def _describe(error: BaseException, kind: str) -> str:
    try:
        text = str(error)
    except BaseException:  # noqa: BLE001 - a bot's own __str__ may do anything
        text = ""
    return str.__str__(text)[:MAX_LINE] if text else kind


def _line_of(error: BaseException) -> int:
    """Return the line of the bot's file that raised, 0 where no frame of it is left."""
    # Past any property of that name that the bot's own exception may have.
    trace: TracebackType | None = BaseException.__dict__["__traceback__"].__get__(error)
    line = 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == _BOT_FILE:
            line = trace.tb_lineno or 0
        trace = trace.tb_next
    return line
