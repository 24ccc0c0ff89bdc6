"""The page in a real browser against a real server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.e2e.server import Server

CHROMIUM = next((p for p in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if p), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
]
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
HOSTILE = """
NAME = "<img src=x onerror=alert(1)>"
SYMBOLS = ["BTCUSDT"]
def on_tick(ctx, tick):
    ctx.log("<script>document.title = 'owned'</script>")
    if ctx.get_position("BTCUSDT") == 0:
        ctx.submit_order("BTCUSDT", "BUY", 0.001)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("page"))
    yield running
    running.end()


@pytest.fixture
def page(server: Server) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        opened = browser.new_page()
        complaints: list[str] = []
        opened.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        opened.on("pageerror", lambda e: complaints.append(str(e)))
        opened.goto(server.url)
        yield opened
        browser.close()
        assert not complaints


def test_a_visitor_submits_a_strategy_and_finds_its_bot_on_the_board(page: Any, server: Server) -> None:
    page.wait_for_selector("#board-table tbody tr[data-id]")
    assert "synthetic" in page.inner_text("#season-facts").lower()
    page.fill("#prompt", "buy when BTCUSDT crosses above its 20-tick EMA, sell below, 0.01 BTC")
    page.click("#submit-button")
    page.wait_for_selector("#submission-status[data-status=admitted]", timeout=30_000)
    page.click("#submission-bot")
    page.wait_for_selector("#bot-source .code-line")
    assert "EMA" in page.inner_text("#bot-name")
    page.wait_for_selector("#bot-trades tbody tr", timeout=60_000)
    page.goto(server.url + "/#/")
    page.wait_for_selector("#board-table tbody tr[data-id]")
    page.wait_for_selector("#board-table:has-text('EMA 20 cross')", timeout=30_000)


def test_a_hostile_name_and_log_are_shown_as_text(page: Any, server: Server) -> None:
    with httpx2.Client(trust_env=False, timeout=30) as client:
        answer = client.post(f"{server.url}/api/v1/bots", json={"source": HOSTILE})
    assert answer.status_code == 201, answer.text
    bot = answer.json()["bot_id"]
    page.goto(f"{server.url}/#/bot/{bot}")
    page.wait_for_selector("#bot-logs:has-text('<script>')", timeout=30_000)
    assert "<img src=x" in page.inner_text("#bot-name")
    assert page.title() != "owned"
    assert page.locator("#bot-name img").count() == 0


def test_the_api_documentation_works_offline(page: Any, server: Server) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(server.url + "/docs")
    page.wait_for_selector(".opblock-summary")
    assert all(url.startswith(server.url) for url in asked if not url.startswith("data:"))


def test_the_page_fits_a_phone(page: Any, server: Server, tmp_path: Path) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(server.url)
    page.wait_for_selector("#board-table tbody tr[data-id]")
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390
    page.screenshot(path=str(tmp_path / "phone.png"))
