"""What is done on the pages, in a real browser: explain, ask, answer, revise, backtest, read a season."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from arena.llm.fake import FakeModelServer, Scripted, in_order
from tests.arenas import bot_source
from tests.e2e.browser import CHROMIUM, browsing
from tests.e2e.server import Server

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
    pytest.mark.timeout(300),
]

TRADER = bot_source(
    "price = ctx.get_price('BTCUSDT')\nheld = ctx.get_position('BTCUSDT')\nif held == 0 and price > 1:\n"
    "    ctx.submit_order('BTCUSDT', 'BUY', 0.001)\nelif held > 0.0005:\n    ctx.submit_order('BTCUSDT', 'SELL', held)",
    name="Trader",
)
SAMPLES = [
    bot_source(f"if ctx.get_position('BTCUSDT') == 0:\n    ctx.submit_order('BTCUSDT', 'BUY', {size})", name="Sample")
    for size in ("0.001", "0.002")
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("work")
    (folder / "bots").mkdir()
    (folder / "bots" / "trader.py").write_text(TRADER)
    (folder / "data").mkdir()
    rows = "".join(f"{1_767_225_600 + 60 * n},BTCUSDT,{100 + n % 7}\n" for n in range(200))
    (folder / "data" / "minutes.csv").write_text("time,symbol,price\n" + rows)
    script = in_order([Scripted(f"```python\n{source}```\n") for source in SAMPLES])
    with FakeModelServer(script) as model:
        started = Server(
            folder, BOTS_DIR=str(folder / "bots"), OPENAI_BASE_URL=model.base_url, OPENAI_MODEL="writer-1",
            OPENAI_CONCURRENCY="1", TRIAL_TICKS="60",
        )  # fmt: skip
        try:
            started.wait_for(lambda: (started.get("/bots/Trader")["trades"] or 0) > 4, 240)
            yield started
        finally:
            started.end()


def test_a_trade_and_a_tick_without_one_are_explained_on_the_page(server: Server) -> None:
    with browsing(f"{server.url}/bots/Trader") as (page, complaints):
        page.click("#bot-trades button:has-text('why?')")
        page.wait_for_selector(".explained .findings li")
        assert "undefined" not in page.inner_text("#bot-why")
        assert page.query_selector(".code-line.explained.orders") is not None
        assert "held" in page.inner_text(".explained")
        page.fill("#why-tick", "2")
        page.click("#why-form button")
        page.wait_for_selector("#bot-why h3:has-text('tick 2')")
        page.wait_for_selector(".explained p:has-text('tick 2')")
        page.fill("#why-tick", "soon")
        page.click("#why-form button")
        page.wait_for_selector("#bot-why [role=alert]")
        assert complaints == []


def test_a_click_into_the_chart_chooses_its_tick(server: Server) -> None:
    with browsing(f"{server.url}/bots/Trader") as (page, _):
        page.wait_for_selector("#bot-chart canvas")
        box = page.query_selector("#bot-chart canvas").bounding_box()

        def clicked() -> bool:
            page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 8)
            return page.input_value("#why-tick") != ""

        server.wait_for(clicked, 60)
        assert page.input_value("#why-tick").isdigit()


def test_statistics_behaviour_and_cpu_of_a_bot_are_shown(server: Server) -> None:
    server.wait_for(lambda: server.get("/bots/Trader")["cpu_ms"] is not None, 60)
    with browsing(f"{server.url}/bots/Trader#tab-statistics") as (page, complaints):
        page.wait_for_selector("#bot-figures tbody tr")
        page.wait_for_selector("#bot-statistics [data-metric='CPU per tick']")
        assert "null" not in page.inner_text("#tab-statistics")
        page.click("#tab-findings-tab")
        page.click("#bot-behaviour button")
        page.wait_for_selector("#bot-findings li")
        assert complaints == []


def test_a_backtest_is_made_on_the_page_and_has_an_address(server: Server) -> None:
    from axe_playwright_python.sync_playwright import Axe

    with browsing(f"{server.url}/backtest") as (page, complaints):
        page.click("#backtest-button")
        assert "Choose a market file" in page.inner_text("#backtest-problem")
        page.select_option("#backtest-tape", "minutes.csv")
        page.check("#backtest-bots label:has-text('Trader') input")
        page.fill("#backtest-fee", "10")
        page.click("#backtest-button")
        page.wait_for_selector(".report #curves canvas")
        assert "/backtests/" in page.url
        assert "Trader" in page.inner_text("h1")
        assert "10 bps" in page.inner_text(".report .tiles")
        found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
        assert [one["id"] for one in found if one["impact"] in {"moderate", "serious", "critical"}] == []
        page.click(".crumbs a")
        page.wait_for_selector("#backtests tbody tr")
        assert complaints == []


def test_a_tournament_is_made_on_the_page_and_has_an_address(server: Server) -> None:
    other = server.post("/bots", {"source": SAMPLES[0].replace("Sample", "Holder")})["bot_id"]
    with browsing(f"{server.url}/tournaments?bots={other}") as (page, complaints):
        page.click("#tournament-button")
        page.wait_for_selector("#tournament-problem:has-text('at least two bots')")
        page.check("label:has-text('Trader') input")
        page.check("label:has-text('minutes.csv') input")
        page.fill("#tournament-rounds", "8")
        page.fill("#tournament-ticks", "60")
        page.click("#tournament-button")
        page.wait_for_url("**/tournaments/*")
        page.wait_for_selector("#ratings tbody tr >> nth=1")
        assert page.locator("#rounds tbody tr").count() == 8
        assert page.inner_text("#rounds tbody tr >> nth=0").startswith("1\tminutes.csv")
        assert complaints == []


def test_a_market_file_is_uploaded_and_chosen(server: Server, tmp_path: Path) -> None:
    own = tmp_path / "mine.csv"
    own.write_text("time,symbol,price\n1767225600,BTCUSDT,1\n1767225660,BTCUSDT,2\n")
    with browsing(f"{server.url}/backtest") as (page, _):
        page.set_input_files("#tape-file", str(own))
        page.wait_for_selector("#tape-said:has-text('chosen')")
        assert page.input_value("#backtest-tape").endswith("-mine.csv")


def test_a_question_about_samples_is_answered_on_the_page(server: Server) -> None:
    with browsing(f"{server.url}/submit") as (page, complaints):
        page.wait_for_selector("#model-choice input[value='writer-1']:checked")
        page.fill("#prompt", "buy and hold a little")
        page.click("#several summary")
        page.fill("#submit-samples", "11")
        page.click("#submit-button")
        assert "from 1 to 10" in page.inner_text("#submit-result")
        page.fill("#submit-samples", "2")
        page.click("#submit-button")
        page.wait_for_selector("#several-made li >> nth=1")
        assert page.locator("#several-made a").all_inner_texts() == ["writer-1, number 1", "writer-1, number 2"]
        asked = f"{server.url}/api/v1/strategies/{page.get_attribute('#several-made li', 'data-id')}/question"
        # The page asks for the question until there is one, and the browser notes each answer that there is none yet.
        server.wait_for(lambda: server.client.get(asked).status_code == 200, 60)
        page.click("#several-made li:first-child a")
        page.wait_for_selector("#submission-question li[data-choice='2'] button")
        assert "the first one is taken" in page.inner_text("#submission-question")
        page.click("#submission-question li[data-choice='2'] button")
        page.wait_for_selector("#submission-question li[data-choice='2'] a")
        assert page.query_selector("#submission-question button") is None
        assert complaints == []


def test_the_page_of_a_season_opens_its_downloads(server: Server) -> None:
    with browsing(f"{server.url}/seasons/1") as (page, complaints):
        page.click(".downloads-box summary")
        with page.expect_download() as download:
            page.click("#season-downloads a:has-text('CSV') >> nth=0")
        assert download.value.suggested_filename == "season-1-board.csv"
        assert page.get_attribute("nav a[aria-current]", "href") == "/seasons"
        assert complaints == []


@pytest.fixture
def paused(server: Server) -> Iterator[None]:
    """Its bot trades no more: no row comes to the top of a table while the focus is on its way."""
    server.post("/bots/Trader/pause")
    yield
    server.post("/bots/Trader/resume")


@pytest.mark.usefixtures("paused")
def test_the_way_from_the_board_to_a_submission_needs_no_mouse(server: Server) -> None:
    with browsing(server.url) as (page, complaints):

        def reach(wanted: str, key: str = "Tab") -> None:
            """Press a key until the focus is where it is wanted, and see that it is in sight there."""
            page.wait_for_selector(wanted)
            for _ in range(150):
                page.keyboard.press(key)
                if page.evaluate("(wanted) => document.activeElement.matches(wanted)", wanted):
                    break
            seen = page.evaluate("""() => {
                const box = document.activeElement.getBoundingClientRect();
                const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
                return { inside: box.bottom > 0 && box.top < innerHeight && box.width > 0, outlineStyle, outlineWidth };
            }""")
            assert page.evaluate("(wanted) => document.activeElement.matches(wanted)", wanted), wanted
            assert seen["inside"], wanted
            assert (seen["outlineStyle"], seen["outlineWidth"]) != ("none", "0px"), wanted

        page.wait_for_selector("#board-table tbody tr[data-id]")
        reach("#board-table tbody a[href^='/bots/']")
        page.keyboard.press("Enter")
        page.wait_for_url("**/bots/*")
        reach("#bot-trades tbody button")
        page.keyboard.press("Enter")
        page.wait_for_selector(".explained .findings li")
        reach("#bot-compare", "Shift+Tab")
        page.keyboard.press("Enter")
        page.wait_for_url("**/compare?bots=*")
        reach("nav a[href='/submit']")
        page.keyboard.press("Enter")
        page.wait_for_url("**/submit")
        reach("#prompt")
        page.keyboard.type("hold a little")
        reach("#submit-button")
        assert complaints == []
