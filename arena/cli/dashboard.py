"""The terminal board: live table, last trades, one bot at a time, and commands that end with Enter."""

from __future__ import annotations

import contextlib
import select
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from arena.cli.output import cell, column_widths, fitting, plural, price
from arena.core.text import clean_line
from arena.errors import ArenaError

_COLUMNS = (
    ("name", "BOT"), ("status", "STATUS"), ("cash", "CASH"), ("equity", "EQUITY"),
    ("realized_pnl", "REAL_PNL"), ("unrealized_pnl", "UNREAL_PNL"), ("positions", "POSITIONS"),
    ("last_error", "LAST ERROR"),
)  # fmt: skip
# Fits a terminal of 80 columns.
_HELP = "o NAME open, s COLUMN sort, / WORDS search, p NAME pause, r NAME resume, q quit"
_BLOCKS = "▁▂▃▄▅▆▇█"
_SPARK = 200  # points of a curve
_OPENED_ROWS = 30
_SORTS = {heading.casefold().replace(" ", "_"): key for key, heading in _COLUMNS}
_NUMBERS = frozenset({"cash", "equity", "realized_pnl", "unrealized_pnl"})
# What goes first where the terminal is narrow stands last.
_OPTIONAL = ("status", "positions", "realized_pnl", "unrealized_pnl", "cash", "last_error")


class BoardSource(Protocol):
    """Where a dashboard reads and acts."""

    def read(self) -> dict[str, Any]:
        """Return `title`, `items` and `trades`, and where there is something to say a `hint`."""

    def act(self, what: str, name: str) -> str:
        """Pause or resume a bot; return a sentence."""

    def bot(self, name: str) -> dict[str, Any]:
        """Return `equity` (oldest first), `trades` and `logs` (newest first) of a bot; ArenaError if there is none."""


class LocalBoard:
    """The board of the server in this process, fresh at every tick."""

    def __init__(self, arena: Any, address: str) -> None:
        self._arena = arena
        self._address = address

    def read(self) -> dict[str, Any]:
        """Return the board from the engine's own seats."""
        from arena.store import queries

        engine = self._arena.engine
        seats = [seat for seat in engine.roster.seats() if seat.status != "retired"]
        items = [
            {"name": s.name, "status": s.status, "cash": s.account.cash, "equity": s.equity,
             "realized_pnl": s.account.realized, "unrealized_pnl": s.unrealized,
             "positions": s.account.sizes(), "last_error": s.last_error}
            for s in sorted(seats, key=lambda seat: -seat.equity)
        ]  # fmt: skip
        trades, _ = queries.page(
            self._arena.database, queries.TABLES["trades"], engine.season.id, limit=5
        )  # fmt: skip
        prices = "  ".join(f"{name} {price(value)}" for name, value in engine.market.prices.items())
        clock = f"tick {engine.market.n}" if engine.state == "running" else engine.state
        title = f"{self._address}  Season {engine.season.number}  {engine.season.feed}  {clock}  {prices}"
        hint = "" if items else f"No bots yet: say a strategy at {self._address}/submit, or by `arena submit`."
        return {"title": title, "items": items, "trades": trades, "hint": hint}

    def act(self, what: str, name: str) -> str:
        """Pause or resume a bot."""
        engine = self._arena.engine
        seats = engine.roster.seats()
        found = [seat for seat in seats if seat.name == name]
        found = found or [seat for seat in seats if seat.name.casefold() == name.casefold()]
        if not found:
            return f"There is no bot '{name}'."
        work = engine.roster.pause if what == "pause" else engine.roster.resume
        engine.call(lambda: work(found[0].id)).result(timeout=10)
        return f"{found[0].name}: {found[0].status}"

    def bot(self, name: str) -> dict[str, Any]:
        """Return a bot's curve, last trades and last log lines."""
        from arena.store import curves, queries

        database, season = self._arena.database, self._arena.engine.season.id
        found = queries.find_bot(database, season, name)
        trades, _ = queries.page(database, queries.TABLES["trades"], season, bot_id=found, limit=_OPENED_ROWS)
        logs, _ = queries.page(database, queries.TABLES["logs"], season, bot_id=found, limit=_OPENED_ROWS)
        curve = curves.equity_curve(database, season, found, _SPARK)
        return {"equity": [row["equity"] for row in curve], "trades": trades, "logs": logs}


@dataclass(slots=True)
class View:
    """What of the board a person wants to see."""

    sort: str = ""
    reverse: bool = False
    words: tuple[str, ...] = ()
    opened: str = ""

    def items(self, board: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the rows that hold every word of the search, in the order that was asked for."""
        found = [item for item in board["items"] if all(word in _searched(item) for word in self.words)]
        if self.sort:
            known = [item for item in found if item[self.sort] is not None]
            unknown = [item for item in found if item[self.sort] is None]
            known.sort(key=lambda item: _order(item[self.sort]), reverse=self.reverse)
            found = known + unknown
        return found


def _searched(item: dict[str, Any]) -> str:
    return f"{item['name']} {item['status']} {cell(item['positions'])}".casefold()


def _order(value: Any) -> Any:
    return value if isinstance(value, int | float) else cell(value).casefold()


def sparkline(values: Sequence[float]) -> str:
    """Return a curve as a line of blocks, scaled to its own range."""
    if not values:
        return ""
    low, high = min(values), max(values)
    step = (high - low) / (len(_BLOCKS) - 1) or 1.0
    return "".join(_BLOCKS[round((value - low) / step)] for value in values)


def opened_picture(
    name: str, board: dict[str, Any], bot: dict[str, Any], message: str, width: int, height: int
) -> Group:
    """Return one bot as it is drawn: its figures, its curve, its last trades and log lines."""
    row = next((item for item in board["items"] if item["name"].casefold() == name.casefold()), None)
    heads = [Text(clean_line(row["name"] if row else name), style="bold", no_wrap=True, overflow="ellipsis")]
    if row:
        told = "  ".join(f"{heading} {cell(row[key], key)}" for key, heading in _COLUMNS[1:] if row[key])
        heads.append(Text(told, no_wrap=True, overflow="ellipsis"))
    curve = bot["equity"][-max(1, width - 26) :]
    if curve:
        heads.append(
            Text(f"{sparkline(curve)}  {cell(min(curve))} to {cell(max(curve))}", no_wrap=True, overflow="crop")
        )
    room = max(1, (height - 9) // 2)
    trades = [Text(_trade_line(trade), no_wrap=True, overflow="ellipsis") for trade in bot["trades"][:room]]
    logs = [
        Text(clean_line(f"{line['level']} {line['message']}"), no_wrap=True, overflow="ellipsis")
        for line in bot["logs"][:room]
    ]
    nothing = Text("nothing yet", style="dim")
    return Group(
        *heads, Text("\nLast trades", style="bold"), *(trades or [nothing]), Text("\nLog", style="bold"),
        *(logs or [nothing]), Text(message or "b goes back to the board, q quits; then Enter", style="dim"),
    )  # fmt: skip


def picture(
    board: dict[str, Any], message: str = "", rows: int = 40, log_lines: Sequence[str] = (), width: int = 200
) -> Group:
    """Return the board as it is drawn in so many places; columns that do not fit go, digits do not."""
    items = [
        {key: cell(item[key], key) for key, _ in _COLUMNS} | {"@": item} for item in board["items"][:rows]
    ]  # fmt: skip
    columns = fitting(_COLUMNS, items, _OPTIONAL, width)
    widths = column_widths(columns, items, width)
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0), collapse_padding=True)
    for key, heading in columns:
        justify: Any = "right" if key in _NUMBERS else "left"
        table.add_column(heading, justify=justify, no_wrap=True, overflow="ellipsis", width=widths[key])
    for item in items:
        table.add_row(*(Text(item[key]) for key, _ in columns))
    parts: list[Any] = [Text(clean_line(board["title"]), style="bold", no_wrap=True, overflow="ellipsis"), table]
    notes = [plural(len(board["items"]) - len(items), "more bot")] if len(board["items"]) > len(items) else []
    gone = [heading for key, heading in _COLUMNS if (key, heading) not in columns]
    if gone and items:
        notes.append(f"no room for {', '.join(gone)}")
    if notes:
        parts.append(Text("; ".join(notes), style="dim", no_wrap=True, overflow="ellipsis"))
    if board.get("hint"):
        parts.append(Text(clean_line(board["hint"]), no_wrap=True, overflow="ellipsis"))
    if board["trades"]:
        parts.append(Text("\nLast trades", style="bold"))
        parts += [Text(_trade_line(trade), no_wrap=True, overflow="ellipsis") for trade in board["trades"]]
    if log_lines:
        parts.append(Text("\nLog", style="bold"))
        parts += [Text(clean_line(line), no_wrap=True, overflow="ellipsis") for line in log_lines]
    parts.append(Text(message or _HELP, style="dim", no_wrap=True, overflow="ellipsis"))
    return Group(*parts)


def _trade_line(trade: dict[str, Any]) -> str:
    size, at = cell(trade["size"], "size"), price(trade["price"])
    return clean_line(f"{trade['bot_name']}: {trade['side']} {size} {trade['symbol']} at {at}")


class Dashboard:
    """Draws a board every second and reads commands, on two threads."""

    def __init__(self, board: BoardSource, on_quit: Callable[[], None], log_lines: Sequence[str] = ()) -> None:
        self._board = board
        self._log_lines = log_lines
        self._on_quit = on_quit
        self._stopping = threading.Event()
        self._message = ""
        self._view = View()
        self._last: dict[str, Any] = {"title": "", "items": [], "trades": []}
        self._threads = [
            threading.Thread(target=self._draw, name="dashboard", daemon=True),
            threading.Thread(target=self._listen, name="keys", daemon=True),
        ]

    def start(self) -> None:
        """Start drawing and listening."""
        for thread in self._threads:
            thread.start()

    def say(self, message: str) -> None:
        """Show a sentence in the last line."""
        self._message = message

    def stop(self) -> None:
        """Leave the terminal as it was."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout=2)

    def wait(self) -> None:
        """Block until the person quits."""
        while not self._stopping.wait(0.2):
            pass

    def _draw(self) -> None:
        console = Console()
        with Live(console=console, auto_refresh=False, screen=True) as live:
            while True:
                with contextlib.suppress(OSError):
                    live.update(self._picture(console.width, console.height), refresh=True)
                if self._stopping.wait(1.0):
                    return

    def _picture(self, width: int, height: int) -> Group:
        message = self._message
        try:
            self._last = self._board.read()
        except ArenaError as error:
            # What was read last stays on the screen, and that it is old is said.
            message = f"{clean_line(str(error))} It is asked again every second."
        if self._view.opened:
            try:
                opened = self._board.bot(self._view.opened)
                return opened_picture(self._view.opened, self._last, opened, message, width, height)
            except ArenaError as error:
                self._view.opened, message = "", clean_line(str(error))
        board = {**self._last, "items": self._view.items(self._last)}
        rows = max(3, min(len(board["items"]), height - 12))
        # Title, table head, its note, trades with their head, and the line for messages take the rest.
        room = height - rows - len(board["trades"]) - 8
        lines = list(self._log_lines)[-room:] if room > 1 else []
        return picture(board, message, rows, lines, width)

    def _listen(self) -> None:
        while not self._stopping.is_set():
            ready, _, _ = select.select([sys.stdin], [], [], 0.3)
            if not ready:
                continue
            line = sys.stdin.readline()
            if not line:
                return
            self._obey(line.strip())

    def _obey(self, line: str) -> None:
        command, _, name = line.partition(" ")
        if command == "q":
            self._stopping.set()
            self._on_quit()
        elif command in {"p", "r"} and name.strip():
            try:
                self._message = self._board.act("pause" if command == "p" else "resume", name.strip())
            except (ArenaError, OSError, TimeoutError) as error:
                self._message = clean_line(str(error))
        elif command == "o" and name.strip():
            self._view.opened, self._message = name.strip(), ""
        elif command == "b":
            self._view.opened, self._message = "", ""
        elif command == "s":
            self._sort(name.strip().casefold().replace(" ", "_"))
        elif line.startswith("/"):
            self._view.words = tuple(line[1:].casefold().split())
            self._message = f"Bots with {clean_line(line[1:].strip())}; / alone shows all" if self._view.words else ""
        elif line:
            self._message = f"'{clean_line(line)}' is not a command: {_HELP}"

    def _sort(self, wanted: str) -> None:
        """Sort by a column, numbers from the largest; the same once more turns the order round."""
        key = _SORTS.get(wanted, "")
        if wanted and not key:
            self._message = f"There is no column '{clean_line(wanted)}': {', '.join(_SORTS)}"
            return
        view = self._view
        view.reverse = not view.reverse if key and key == view.sort else key in _NUMBERS
        view.sort = key
        self._message = f"Sorted by {wanted.upper()}; s alone gives the rank again" if key else ""
