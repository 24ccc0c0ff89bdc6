"""Pictures of every page for the README and the docs: `make screenshots`, or `python -m tests.e2e.screenshots OUT`."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2

from tests.e2e.browser import launched
from tests.e2e.server import ROOT, Server

PROMPTS = (
    "Buy when the price crosses above its 20-tick EMA, sell below, 0.01 BTC.",
    "Buy 0.1 ETH when the price breaks the highest of the last 60 ticks, sell below the lowest of the last 30.",
    "Buy 0.01 BTC when the price falls 0.2% below its 50-tick average; sell it when the price is back at the average.",
)
GREEDY = """NAME = "Greedy"
SYMBOLS = ["BTCUSDT"]


def on_tick(ctx, tick):
    held = ctx.get_position("BTCUSDT")
    if held == 0:
        ctx.log("nothing is held: buy a little, and far too much")
        ctx.submit_order("BTCUSDT", "BUY", 0.02)
        ctx.submit_order("BTCUSDT", "BUY", 1000)
"""
WIDTHS = {"desktop": (1440, 900), "phone": (390, 844)}


def played(server: Server, ticks: int) -> tuple[str, str, str]:
    """Send bots, play a tournament, wait for so many ticks; return a bot, a submission, and the tournament."""
    with httpx2.Client(trust_env=False, timeout=60, base_url=f"{server.url}/api/v1") as client:
        made = [client.post("/strategies", json={"prompt": words, "author": "ada"}).json()["id"] for words in PROMPTS]
        for change in ("", "# a second version\n"):
            client.post("/bots", json={"source": change + GREEDY, "author": "grace"}).raise_for_status()
    final = {"admitted", "rejected", "failed"}
    server.wait_for(lambda: all(server.get(f"/strategies/{one}")["status"] in final for one in made), 120)
    with httpx2.Client(trust_env=False, timeout=60, base_url=f"{server.url}/api/v1") as client:
        wanted = {"bots": ["Momentum", "Buy and Hold", "Mean Reversion"], "rounds": 14, "ticks": 120}
        asked = client.post("/tournaments", json=wanted).raise_for_status().json()
    server.wait_for(lambda: server.get(f"/jobs/{asked['job_id']}")["status"] == "done", 240)
    start = server.get("/status")["tick"]["n"]
    server.wait_for(lambda: server.get("/status")["tick"]["n"] > start + ticks, 600)
    return server.get(f"/strategies/{made[0]}")["bot_id"], made[0], asked["id"]


@contextlib.contextmanager
def window(browser: Any, size: tuple[int, int], scheme: str, url: str) -> Iterator[Any]:
    """A window of a size, in light or dark."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, base_url=url)
    page = context.new_page()
    page.on(
        "console", lambda message: print("console:", message.type, message.text) if message.type == "error" else None
    )
    page.on("pageerror", lambda error: print("error:", error))
    yield page
    context.close()


def take(page: Any, address: str, path: Path, *, ready: str, full: bool = True) -> None:
    """Open a page, wait until it is drawn, and keep its picture."""
    page.goto(address)
    page.wait_for_selector(ready)
    page.wait_for_selector("#live[data-state=live]")
    page.evaluate("document.fonts.ready")
    page.wait_for_timeout(600)
    page.screenshot(path=str(path), full_page=full)


def main(out: Path, only: str = "") -> None:
    """Take all pictures, or those whose name holds `only`."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder), BOTS_DIR=str(ROOT / "bots"), TICK_INTERVAL_SECONDS="0.1", FEE_BPS="1")
        try:
            bot, submission, tournament = played(server, 400)
            pages = {
                "board": ("/", "#curves canvas"),
                "bot": (f"/bots/{bot}", "#bot-chart canvas"),
                "orders": ("/bots?name=Greedy v2#tab-orders", "#tab-orders:not([hidden]) tbody tr"),
                "source": (f"/bots/{bot}#tab-source", "#tab-source:not([hidden])"),
                "submit": ("/submit", "#prompt-examples button"),
                "submission": (f"/submissions/{submission}", "#submission-steps li"),
                "compare": (f"/compare?bots={bot},Momentum,Buy and Hold", "#compare-curves canvas"),
                "market": ("/market", "#market-feeds tbody tr"),
                "seasons": ("/seasons", "#seasons"),
                "learn": ("/learn", ".api"),
                "backtest": ("/backtest", "#backtest-tape"),
                "tournaments": ("/tournaments", "#tournament-form"),
                "tournament": (f"/tournaments/{tournament}", "#ratings"),
                "missing": ("/bots/nobody", "#missing"),
            }
            with launched() as browser:
                for name, (address, ready) in pages.items():
                    for kind, size in WIDTHS.items():
                        for scheme in ("dark", "light"):
                            file = f"{name}-{kind}-{scheme}.png"
                            if only in file:
                                with window(browser, size, scheme, server.url) as page:
                                    take(page, address, out / file, ready=ready)
        finally:
            server.end()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:3])
