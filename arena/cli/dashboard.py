"""The terminal board: live table, last trades, and three keys: `p NAME`, `r NAME`, `q`."""

from __future__ import annotations

import contextlib
import select
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from arena.cli.output import cell
from arena.errors import ArenaError

_COLUMNS = (
    ("name", "BOT"), ("status", "STATUS"), ("cash", "CASH"), ("equity", "EQUITY"),
    ("realized_pnl", "REAL_PNL"), ("unrealized_pnl", "UNREAL_PNL"), ("positions", "POSITIONS"),
    ("last_error", "LAST ERROR"),
)  # fmt: skip
_NUMBERS = frozenset({"cash", "equity", "realized_pnl", "unrealized_pnl"})


class Board(Protocol):
    """Where a dashboard reads and acts."""

    def read(self) -> dict[str, Any]:
        """Return `title`, `items` and `trades`."""

    def act(self, what: str, name: str) -> str:
        """Pause or resume a bot; return a sentence."""


class LocalBoard:
    """The board of the server in this process, fresh at every tick."""

    def __init__(self, arena: Any) -> None:
        self._arena = arena

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
        prices = "  ".join(f"{name} {price:,.2f}" for name, price in engine.market.prices.items())
        title = f"Season {engine.season.number}  {engine.season.feed}  tick {engine.market.n}  {prices}"
        return {"title": title, "items": items, "trades": trades}

    def act(self, what: str, name: str) -> str:
        """Pause or resume a bot."""
        engine = self._arena.engine
        found = [seat for seat in engine.roster.seats() if seat.name == name]
        if not found:
            return f"There is no bot '{name}'."
        work = engine.roster.pause if what == "pause" else engine.roster.resume
        engine.call(lambda: work(found[0].id)).result(timeout=10)
        return f"{name}: {found[0].status}"


def picture(board: dict[str, Any], message: str = "", rows: int = 40, log_lines: Sequence[str] = ()) -> Group:
    """Return the board as it is drawn."""
    table = Table(box=None, header_style="bold", pad_edge=False, expand=True)
    for key, heading in _COLUMNS:
        table.add_column(heading, justify="right" if key in _NUMBERS else "left", no_wrap=key != "positions")
    for item in board["items"][:rows]:
        table.add_row(*(Text(cell(item[key])) for key, _ in _COLUMNS))
    parts: list[Any] = [Text(board["title"], style="bold"), table]
    if board["trades"]:
        parts.append(Text("\nLast trades", style="bold"))
        parts += [
            Text(f"{t['bot_name']}: {t['side']} {t['size']:.6g} {t['symbol']} at {t['price']:,.2f}")
            for t in board["trades"]
        ]
    if log_lines:
        parts.append(Text("\nLog", style="bold"))
        parts += [Text(line, no_wrap=True, overflow="ellipsis") for line in log_lines]
    parts.append(Text(message or "p NAME pauses, r NAME resumes, q quits; then Enter", style="dim"))
    return Group(*parts)


class Dashboard:
    """Draws a board every second and reads commands, on two threads."""

    def __init__(self, board: Board, on_quit: Callable[[], None], log_lines: Sequence[str] = ()) -> None:
        self._board = board
        self._log_lines = log_lines
        self._on_quit = on_quit
        self._stopping = threading.Event()
        self._message = ""
        self._threads = [
            threading.Thread(target=self._draw, name="dashboard", daemon=True),
            threading.Thread(target=self._listen, name="keys", daemon=True),
        ]

    def start(self) -> None:
        """Start drawing and listening."""
        for thread in self._threads:
            thread.start()

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
                with contextlib.suppress(ArenaError, OSError):
                    live.update(self._picture(console.height), refresh=True)
                if self._stopping.wait(1.0):
                    return

    def _picture(self, height: int) -> Group:
        board = self._board.read()
        rows = max(3, min(len(board["items"]), height - 12))
        # Title, table head, trades with their head, and the line for messages take the rest.
        room = height - rows - len(board["trades"]) - 7
        lines = list(self._log_lines)[-room:] if room > 1 else []
        return picture(board, self._message, rows, lines)

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
                self._message = str(error)
        elif line:
            self._message = f"'{line}' is not a command: p NAME, r NAME, q"
