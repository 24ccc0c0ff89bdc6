"""Takes the pictures of the documentation from the page of a real server, by an installed Chromium.

Run by `make pictures`. The synthetic market has another seed each time, so two runs differ in their figures.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from tests.e2e.browser import browsing
from tests.e2e.server import Server

HERE = Path(__file__).parent
TICKS = 420
STRATEGIES = (
    "buy when the price crosses above its 20-tick EMA, sell below, 0.01 BTC",
    "RSI 14: buy below 30, sell above 70, 0.02 BTC",
    "trade the ETH/BTC ratio back to its mean",
)


def wait_for_ticks(server: Server, count: int) -> None:
    """Return when the season has had this many ticks."""
    server.wait_for(lambda: (server.get("/status")["tick"] or {"n": -1})["n"] >= count, 240)


def take(page: Any, name: str, height: int) -> None:
    """Write what a window of this height shows, without what moves."""
    page.set_viewport_size({"width": 1280, "height": height})
    page.wait_for_timeout(1500)
    page.screenshot(path=HERE / f"{name}.png", animations="disabled")


def main() -> None:
    """Play a short season and take the board and one bot."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder), TICK_INTERVAL_SECONDS="0.2")
        try:
            for words in STRATEGIES:
                server.arena("submit", words, "--author", "ada")
            wait_for_ticks(server, TICKS)
            with browsing(server.url) as (page, _):
                page.wait_for_selector("#board-table tbody tr")
                take(page, "board", 1320)
                page.click("#board-table tbody a:has-text('EMA 20')")
                page.wait_for_selector("#bot-name")
                take(page, "bot", 900)
        finally:
            server.end()


if __name__ == "__main__":
    main()
