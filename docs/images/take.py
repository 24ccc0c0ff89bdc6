"""Takes the pictures of the documentation from the pages and commands of a real server, by an installed Chromium.

Run by `make pictures`. The synthetic market has another seed each time, so two runs differ in their figures.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import html
import io
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from arena.feeds.synthetic_tiers import SHOWN, made_window
from tests.e2e.browser import browsing
from tests.e2e.server import ROOT, Server

HERE = Path(__file__).parent
WIDTH = 1280
TICKS = 420
MOST_BYTES = 150_000  # of one picture
STRATEGIES = (
    "Buy when the price crosses above its 20-tick EMA, sell below, 0.01 BTC",
    "RSI 14: buy below 30, sell above 70, 0.02 BTC",
    "Buy 0.1 ETH when the price breaks the highest of the last 60 ticks, sell below the lowest of the last 30.",
)
GREEDY = """NAME = "Greedy"
SYMBOLS = ["BTCUSDT"]


def on_tick(ctx, tick):
    if ctx.get_position("BTCUSDT") == 0:
        ctx.submit_order("BTCUSDT", "BUY", 0.02)
        ctx.submit_order("BTCUSDT", "BUY", 1000)
"""
WRONG = """NAME = "Curious"
SYMBOLS = ["BTCUSDT"]


def on_tick(ctx, tick):
    price = ctx.get_price("BTCUSDT")
    if price is None:
        return
    open("prices.txt", "a").write(f"{price}")
    ctx.log(eval("price * 2"))
    ctx.submit_order("BTCUSDT", "BUY", 0.01)
"""


@dataclass(frozen=True, slots=True)
class Scene:
    """What the pictures are taken of."""

    server: Server
    bot: str
    submission: str
    backtest: str
    tournament: str


def _board(page: Any, scene: Scene) -> None:
    page.goto(scene.server.url)
    page.wait_for_selector("#curves canvas")
    _take(page, "board", 1180)


def _bot(page: Any, scene: Scene) -> None:
    page.goto(f"{scene.server.url}/bots/{scene.bot}")
    page.wait_for_selector("#bot-chart canvas")
    page.wait_for_selector("#bot-trades tbody tr")
    _take(page, "bot", 1180)


def _submission(page: Any, scene: Scene) -> None:
    page.goto(f"{scene.server.url}/submissions/{scene.submission}")
    page.wait_for_selector("#submission-steps li")
    page.wait_for_selector("canvas")
    _take(page, "submission", 860)


def _check(page: Any, scene: Scene) -> None:
    page.goto(f"{scene.server.url}/submit")
    page.fill("#upload-source", WRONG)
    page.click("#check-button")
    page.wait_for_selector("#upload-result .violations li")
    page.locator("#upload").evaluate("(node) => scrollBy(0, node.getBoundingClientRect().top - 16)")
    _take(page, "check", 900)


def _compare(page: Any, scene: Scene) -> None:
    page.goto(f"{scene.server.url}/compare?bots={scene.bot},Momentum,Buy and Hold,Mean Reversion")
    page.wait_for_selector("#compare-curves canvas")
    _take(page, "compare", 1100)


def _backtest(page: Any, scene: Scene) -> None:
    page.goto(scene.server.url + scene.backtest)
    page.wait_for_selector("#drawdowns canvas")
    _take(page, "backtest", 1180)


def _tournament(page: Any, scene: Scene) -> None:
    page.goto(scene.server.url + scene.tournament)
    page.wait_for_selector("#ratings .span")
    _take(page, "tournament", 860)


def _season(page: Any, scene: Scene) -> None:
    page.goto(f"{scene.server.url}/seasons/1")
    page.wait_for_selector("#board-table tbody tr")
    _take(page, "season", 1000)


def _api(page: Any, scene: Scene) -> None:
    page.goto(f"{scene.server.url}/docs")
    route = page.locator(".opblock:has([data-path='/api/v1/leaderboard'])")
    route.locator(".opblock-summary-control").click()
    page.wait_for_selector(".opblock.is-open .responses-table")
    page.mouse.move(0, 0)
    route.evaluate("(node) => { document.activeElement.blur(); scrollBy(0, node.getBoundingClientRect().top - 150); }")
    _take(page, "api", 900)


def _watch(page: Any, scene: Scene) -> None:
    """Take `arena watch` as it is on a terminal of 80 columns and 24 lines."""
    screen = Text.from_ansi(_terminal(scene.server, "watch", columns=80, lines=24))
    console = Console(file=io.StringIO(), record=True, width=80, color_system="truecolor", force_terminal=True)
    console.print(screen, no_wrap=True, crop=True, end="")
    shown = console.export_html(inline_styles=True, code_format="<pre>{code}</pre>")
    page.set_content(
        "<body style='margin:0;background:#101418;color:#e4e8ec'><style>pre{margin:0;padding:16px 20px;"
        f'width:max-content;font:15px/20px "DejaVu Sans Mono",monospace}}</style>{shown}</body>'
    )
    box = page.locator("pre").bounding_box()
    page.set_viewport_size({"width": round(box["width"]), "height": round(box["height"])})
    _write(page, "watch")


def _analysis(page: Any, scene: Scene) -> None:
    """Take the example for polars in docs/analysis.md with what it prints."""
    text = (ROOT / "docs" / "analysis.md").read_text("utf-8")
    code = next(block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "import polars" in block)
    done = subprocess.run(  # noqa: S603 - the page's own example
        [sys.executable, "-c", code], cwd=scene.server.folder, capture_output=True, text=True, check=True, timeout=60
    )
    page.set_viewport_size({"width": 860, "height": 600})
    page.set_content(
        "<body style='margin:0;background:#fff'><style>pre{margin:0;padding:14px 20px;white-space:pre-wrap;"
        'font:14px/20px "DejaVu Sans Mono",monospace}pre.code{background:#f3f5f7}</style>'
        f"<div><pre class=code>{html.escape(code)}</pre><pre>{html.escape(done.stdout)}</pre></div></body>"
    )
    page.set_viewport_size({"width": 860, "height": round(page.locator("div").bounding_box()["height"])})
    _write(page, "analysis")


PICTURES: dict[str, Callable[[Any, Scene], None]] = {
    "board": _board, "bot": _bot, "submission": _submission, "check": _check, "compare": _compare,
    "backtest": _backtest, "tournament": _tournament, "season": _season, "api": _api, "watch": _watch,
    "analysis": _analysis,
}  # fmt: skip


def _take(page: Any, name: str, height: int) -> None:
    """Keep what a window of this height shows, without what moves."""
    page.set_viewport_size({"width": WIDTH, "height": height})
    page.evaluate("document.fonts.ready")
    page.wait_for_timeout(1200)
    _write(page, name)


def _write(page: Any, name: str) -> None:
    session = page.context.new_cdp_session(page)
    for quality in (90, 75, 60):
        made = session.send("Page.captureScreenshot", {"format": "webp", "quality": quality})
        picture = base64.b64decode(made["data"])
        if len(picture) <= MOST_BYTES:
            break
    (HERE / f"{name}.webp").write_bytes(picture)
    session.detach()
    print(f"{name}.webp: {len(picture):,} bytes")


def _terminal(server: Server, *command: str, columns: int, lines: int) -> str:
    """Return the last whole screen that a command has drawn on a terminal of this size."""
    terminal, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    environment = {**server.environment, "ARENA_URL": server.url, "TERM": "xterm-256color"}
    started = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "arena", *command], cwd=server.folder, env=environment,
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    read, deadline = b"", time.monotonic() + 60
    # The screen is drawn from its first place on at each refresh.
    while read.count(b"\x1b[H") < 5 and time.monotonic() < deadline:
        read += os.read(terminal, 65_536)
    os.write(terminal, b"q\n")
    with contextlib.suppress(OSError):
        while os.read(terminal, 65_536):
            pass
    started.wait(timeout=30)
    os.close(terminal)
    return read.decode("utf-8", "replace").split("\x1b[H")[-2].replace("\r\n", "\n")


def _tape(path: Path) -> None:
    """Write a day of made-up minutes as a market file."""
    window = made_window("trend", ["BTCUSDT", "ETHUSDT"], 1440, SHOWN, 3)
    rows = [
        f"{at:.0f},{symbol},{value:.2f}"
        for at, prices in zip(window.times.tolist(), window.prices.tolist(), strict=True)
        for symbol, value in zip(window.symbols, prices, strict=True)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("time,symbol,price\n" + "\n".join(rows) + "\n")


def _ticks(server: Server, count: int) -> None:
    """Return when the season has had this many ticks."""
    server.wait_for(lambda: (server.get("/status")["tick"] or {"n": -1})["n"] >= count, 300)


def _played(server: Server) -> Scene:
    """Close a short season, and play a second one with bots of several kinds, a backtest and a tournament."""
    _tape(server.folder / "data" / "trend-day.csv")
    _ticks(server, 120)
    server.post("/seasons/close")
    server.post("/seasons")
    made = [server.post("/strategies", {"prompt": words, "author": "ada"})["id"] for words in STRATEGIES]
    server.post("/bots", {"source": GREEDY, "author": "grace"})
    final = {"admitted", "rejected", "failed"}
    server.wait_for(lambda: all(server.get(f"/strategies/{one}")["status"] in final for one in made), 120)
    bots = ["Momentum", "Buy and Hold", "Mean Reversion", "Breakout"]
    server.wait_for(lambda: {row["name"] for row in server.get("/leaderboard")["items"]} >= set(bots))
    backtest = server.post("/backtests", {"bots": bots, "tape": "trend-day.csv", "fee_bps": 1})
    tournament = server.post("/tournaments", {"bots": bots, "tapes": ["trend-day.csv"], "rounds": 24, "ticks": 200})
    for asked in (backtest, tournament):
        server.wait_for(lambda asked=asked: server.get(f"/jobs/{asked['job_id']}")["status"] == "done", 240)
    _ticks(server, TICKS)
    bot = server.get(f"/strategies/{made[0]}")["bot_id"]
    return Scene(server, bot, made[0], backtest["address"], tournament["address"])


def main(only: list[str]) -> None:
    """Play, and take all pictures or those that are named."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder), TICK_INTERVAL_SECONDS="0.2", FEE_BPS="1")
        try:
            scene = _played(server)
            for name, picture in PICTURES.items():
                if not only or name in only:
                    with browsing("about:blank", WIDTH) as (page, _):
                        picture(page, scene)
        finally:
            server.end()


if __name__ == "__main__":
    main(sys.argv[1:])
