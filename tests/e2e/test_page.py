"""The page in a real browser against a real server."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.arenas import bot_source, until
from tests.e2e.browser import CHROMIUM, browsing, launched
from tests.e2e.server import Server

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
]
HOSTILE = """
NAME = "<img src=x onerror=alert(1)>"
SYMBOLS = ["BTCUSDT"]
def on_tick(ctx, tick):
    ctx.log("<script>document.title = 'owned'</script>")
    if ctx.get_position("BTCUSDT") == 0:
        ctx.submit_order("BTCUSDT", "BUY", 0.001)
"""
HOLDER = """
NAME = "Holder"
SYMBOLS = ["BTCUSDT"]
def on_tick(ctx, tick):
    if ctx.get_position("BTCUSDT") == 0:
        ctx.submit_order("BTCUSDT", "BUY", 0.001)
    ctx.submit_order("BTCUSDT", "BUY", 1000)
"""


@pytest.fixture(scope="module", autouse=True)
def browser() -> Iterator[None]:
    """One browser for this module; every page has a context of its own."""
    with launched():
        yield


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("page"))
    # The market runs before the last of the shipped bots is in.
    running.wait_for(lambda: {"Momentum", "Buy and Hold", "Mean Reversion"} <= _names(running))
    yield running
    running.end()


def _names(server: Server) -> set[str]:
    return {row["name"] for row in server.get("/leaderboard", limit=1000)["items"]}


@pytest.fixture
def page() -> Iterator[Any]:
    """An empty page, which a test leads to where it wants to be."""
    with browsing("about:blank") as (opened, complaints):
        yield opened
        assert not complaints


@pytest.fixture
def board(page: Any, server: Server) -> Any:
    """A page that shows the board."""
    page.goto(server.url)
    return page


def upload(server: Server, source: str) -> dict[str, Any]:
    document: dict[str, Any] = server.post("/bots", {"source": source})
    return document


def shown_tick(page: Any) -> int:
    found = re.match(r"tick ([\d,]+)", page.inner_text("#live-tick"))
    return int(found[1].replace(",", "")) if found else -1


def test_a_visitor_submits_a_strategy_and_finds_its_bot_on_the_board(board: Any, server: Server) -> None:
    board.wait_for_selector("#board-table tbody tr[data-id]")
    assert "synthetic" in board.inner_text("#season-line").lower()
    board.fill("#prompt", "buy when BTCUSDT crosses above its 20-tick EMA, sell below, 0.01 BTC")
    board.click("#submit-button")
    board.wait_for_selector("#submission-status[data-status=admitted]")
    board.click("#submission-bot")
    board.click("role=tab[name=Source]")
    board.wait_for_selector("#bot-source .code-line.orders")
    assert "EMA" in board.inner_text("#bot-name")
    board.wait_for_selector("#bot-chart canvas")
    board.goto(server.url + "/")
    board.wait_for_selector("#board-table tbody tr[data-id]")
    board.wait_for_selector("#board-table:has-text('EMA 20 cross')")


def test_a_hostile_name_and_log_are_shown_as_text(page: Any, server: Server) -> None:
    bot = upload(server, HOSTILE)["bot_id"]
    page.goto(f"{server.url}/bots/{bot}#tab-log")
    page.wait_for_selector("#bot-logs:has-text('<script>')")
    assert "<img src=x" in page.inner_text("#bot-name")
    assert page.title() != "owned"
    assert page.locator("#bot-name img").count() == 0


def test_the_api_documentation_works_offline(page: Any, server: Server) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(server.url + "/docs")
    page.click(".opblock-get .opblock-summary-control >> nth=0")
    page.wait_for_selector(".opblock.is-open .responses-table")
    assert serious(page, "light") == []
    page.set_viewport_size({"width": 360, "height": 900})
    fits(page, 360, page.url)
    assert all(url.startswith(server.url) for url in asked if not url.startswith("data:"))


WIDTHS = [1440, 768, 390, 360]
NEEDED = ["Bot", "Equity", "Return", "Drawdown", "Trades", "Rejected", "Errors", "Holds"]


def test_rejected_drawdown_and_holdings_are_in_sight(page: Any, server: Server) -> None:
    bot = upload(server, HOLDER)["bot_id"]
    server.wait_for(lambda: server.get(f"/bots/{bot}")["positions"])
    page.goto(f"{server.url}/")
    row = f"#board-table tbody tr[data-id='{bot}']"
    page.wait_for_selector(f"{row} [data-label=Holds]:has-text('BTCUSDT')")
    until(
        lambda: int(page.inner_text(f"{row} [data-label=Rejected]").split()[-1].replace(",", "")),
        "a rejected order is counted",
    )
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 844})
        fits(page, width, "/")
        for label in NEEDED:
            box = page.locator(f"{row} [data-label={label}]").bounding_box()
            assert box is not None, (width, label)
            assert box["x"] >= 0, (width, label)
            assert box["x"] + box["width"] <= width, (width, label)


def fits(page: Any, width: int, address: str) -> None:
    """Wait until a page whose window has just got this width is no wider than that."""
    until(lambda: page.evaluate("document.documentElement.scrollWidth") <= width, f"{address} is {width} pixels wide")


def test_warnings_of_an_upload_reach_the_page(page: Any, server: Server) -> None:
    page.goto(f"{server.url}/submit")
    page.wait_for_selector("#upload-templates button")
    page.fill("#upload-source", 'NAME = "Warned"\nSYMBOLS = ["DOGEUSDT"]\ndef on_tick(ctx, tick):\n    pass\n')
    page.click("#upload-button")
    page.wait_for_selector("#bot-name:has-text('Warned')")
    page.wait_for_selector("[data-notice=warning]:has-text('DOGEUSDT is not in this market')")


def test_a_file_that_is_not_utf8_or_too_large_is_refused(page: Any, server: Server, tmp_path: Path) -> None:
    latin, large = tmp_path / "latin.py", tmp_path / "large.py"
    latin.write_bytes('NAME = "Müller"\n'.encode("latin-1"))
    large.write_bytes(b"#" * (64 * 1024 + 1))
    page.goto(f"{server.url}/submit")
    page.wait_for_selector("#upload-templates button")
    page.set_input_files("#upload-file", latin)
    page.wait_for_selector("#upload-result:has-text('latin.py is not UTF-8 text; save the file as UTF-8.')")
    page.set_input_files("#upload-file", large)
    page.wait_for_selector("#upload-result:has-text('larger than 64 KiB')")
    assert page.input_value("#upload-source") == ""


def test_a_rejected_strategy_says_who_said_no_and_goes_back_into_the_box(board: Any, server: Server) -> None:
    words = "please whistle <b>a merry tune</b> at 9am"
    board.wait_for_selector("#prompt")
    board.fill("#prompt", words)
    board.fill("#submit-name", "Whistler")
    board.click("#submit-button")
    board.wait_for_selector("#submission-status[data-status=rejected]")
    board.wait_for_selector("#submission-steps [data-step=generating][data-state=refused]")
    assert board.inner_text("#submission-prompt") == words
    answer = server.get(f"/strategies/{board.url.rpartition('/')[2]}")
    assert answer["reason"] in board.inner_text("#submission-outcome")
    board.click("#submission-again")
    board.wait_for_selector("#prompt")
    until(lambda: board.input_value("#prompt") == words, "the words are in the box again")
    until(lambda: board.input_value("#submit-name") == "Whistler", "and so is the name")


def test_a_bots_buttons_do_what_they_say_before_its_charts_are_there(page: Any, server: Server) -> None:
    bot = upload(server, bot_source(name="Early"))["bot_id"]
    server.wait_for(lambda: server.get(f"/bots/{bot}")["status"] == "active")
    # The curve never comes: what the page waits for after its figures.
    page.route("**/equity*", lambda _: None)
    page.goto(f"{server.url}/bots/{bot}")
    page.click("#bot-pause")
    page.wait_for_selector("#bot-resume:not([hidden])")
    assert server.get(f"/bots/{bot}")["status"] == "paused"
    page.click("#bot-revise")
    page.wait_for_selector("#revise-form:not([hidden])")
    page.click("#bot-resume")
    page.wait_for_selector("#bot-pause:not([hidden])")
    page.unroute_all(behavior="ignoreErrors")


def test_a_record_is_proved_from_the_page(page: Any, server: Server) -> None:
    # A bot of its own: each recorded tick is run again, and the record of one that others share grows and grows.
    bot = upload(server, HOLDER.replace("Holder", "Proved"))["bot_id"]
    server.wait_for(lambda: server.get(f"/bots/{bot}/trades")["items"])
    page.goto(f"{server.url}/bots/{bot}#tab-proof")
    page.wait_for_selector("#tab-proof-tab[aria-selected=true]")
    assert "can be proved" in page.inner_text("#bot-proof")
    page.click("#bot-verify")
    page.wait_for_selector("#bot-proof:has-text(': reproduced.')")
    stored = page.inner_text("#bot-proof")
    # Who opens the page later is shown what it has shown.
    page.goto("about:blank")
    page.goto(f"{server.url}/bots/{bot}#tab-proof")
    page.wait_for_selector("#bot-proof:has-text(': reproduced.')")
    assert page.inner_text("#bot-proof") == stored


@pytest.mark.long  # a server with 105 bots; another test searches among a few
def test_every_one_of_many_bots_can_be_found(tmp_path: Path) -> None:
    folder = tmp_path / "bots"
    folder.mkdir()
    server = Server(tmp_path, BOTS_DIR=str(folder), TRIAL_TICKS="5", TICK_INTERVAL_SECONDS="0.5")
    try:
        for number in range(105):
            upload(server, f'NAME = "Copy {number:03}"\nSYMBOLS = ["BTCUSDT"]\ndef on_tick(ctx, tick):\n    pass\n')
        with browsing(server.url) as (page, complaints):
            page.wait_for_selector("#board-more:visible")
            for name in ("Copy 000", "copy 057", "COPY 104"):
                page.fill("#board-search", name)
                page.wait_for_selector("#board-found:has-text('1 bot found')")
                assert page.locator("#board-table tbody tr").count() == 1
                assert name.lower() in page.inner_text("#board-table tbody tr").lower()
            page.fill("#board-search", "no such bot")
            page.wait_for_selector("#board-empty:has-text('No bot matches these choices')")
            page.fill("#board-search", "")
            page.wait_for_selector("#board-more:visible")
            while page.is_visible("#board-more"):
                page.click("#board-more")
            assert page.locator("#board-table tbody tr").count() == 105
            assert "105 bots" in page.inner_text("#board-as-of")
            assert not complaints
    finally:
        server.end()


def test_an_open_page_follows_a_restart(tmp_path: Path) -> None:
    server = Server(tmp_path)
    with browsing(server.url) as (page, _):
        page.wait_for_selector("#arena-state[data-status=running]")
        server.end(signal.SIGKILL)
        page.wait_for_selector("#live[data-state=away]")
        again = Server(tmp_path, PORT=server.url.rpartition(":")[2])
        try:
            page.wait_for_selector("#live[data-state=live]")
            page.wait_for_selector("#arena-state[data-status=running]")
            page.wait_for_selector("#live-text:text-is('Live')")
            tick = again.get("/status")["tick"]["n"]
            until(lambda: shown_tick(page) > tick, "the page shows a later tick")
        finally:
            again.end()


@pytest.mark.long  # a server of its own; `test_season_api` asks the routes
def test_a_season_that_is_over_takes_nothing_and_can_be_read_later(tmp_path: Path) -> None:
    server = Server(tmp_path)
    try:
        bot = upload(server, HOLDER)["bot_id"]
        server.wait_for(lambda: server.get(f"/bots/{bot}/trades")["items"])
        with browsing(server.url) as (page, complaints):
            page.wait_for_selector("#arena-state[data-status=running]")
            page.goto(f"{server.url}/submit")
            page.wait_for_selector("#submit-button:enabled")
            server.post("/seasons/close")
            page.wait_for_selector("#submit-closed:has-text('arena season new')")
            page.wait_for_selector("#submit-button:disabled")
            page.wait_for_selector("#upload-button:disabled")
            server.post("/seasons")
            page.wait_for_selector("#season-title:has-text('Season 2')")
            page.wait_for_selector("#submit-button:enabled")
            page.click("nav >> text=Seasons")
            page.click("#seasons >> text='Season 1'")
            page.wait_for_selector("#season-title:has-text('Season 1')")
            page.wait_for_selector("#past-note:visible")
            assert not page.is_visible("#submit-form")
            page.click(f"#board-table tr[data-id='{bot}'] a")
            page.wait_for_selector("#bot-trades tbody tr")
            assert page.url == f"{server.url}/bots/{bot}?season=1"
            assert not page.is_visible("#bot-retire")
            page.click("role=tab[name=Source]")
            page.wait_for_selector("#bot-source .code-line")
            assert not complaints
    finally:
        server.end()


# -- addresses


@pytest.mark.parametrize(
    ("old", "new"),
    [("#/bot/{bot}", "/bots/{bot}"), ("#/season/1/bot/{bot}", "/bots/{bot}?season=1"), ("#/season/1", "/seasons/1")],
)
def test_addresses_of_before_lead_to_the_new_ones(page: Any, server: Server, old: str, new: str) -> None:
    bot = upload(server, HOLDER)["bot_id"]
    page.goto(f"{server.url}/{old.format(bot=bot)}")
    page.wait_for_url(f"{server.url}{new.format(bot=bot)}")


def test_the_view_of_the_board_is_kept_in_the_address(board: Any) -> None:
    board.wait_for_selector("#board-table th[data-column='Equity curve']")
    board.fill("#board-search", "momentum")
    board.wait_for_selector("#board-found:has-text('1 bot found')")
    board.click("#columns-menu summary")
    board.uncheck("#columns-choice >> text=Rejected")
    board.click("#board-table th[data-column=Trades] button")
    board.goto(board.url)
    board.wait_for_selector("#board-found:has-text('1 bot found')")
    assert board.input_value("#board-search") == "momentum"
    assert board.locator("#board-table th[data-column=Rejected]").count() == 0
    assert board.get_attribute("#board-table th[data-column=Trades]", "aria-sort") == "descending"


def test_bots_are_grouped_by_who_sent_them(board: Any, server: Server) -> None:
    upload(server, HOLDER)
    board.wait_for_selector("#board-table th[data-column='Equity curve']")
    board.select_option("#group-by", "origin")
    board.wait_for_selector("#board-table th[data-column='Mean return']")
    # The groups are of the last snapshot, in which a bot that has just come may be missing.
    board.wait_for_selector("#board-table tbody tr:has-text('upload')")
    names = board.locator("#board-table tbody tr").all_inner_texts()
    assert {name.split("\t")[0].strip() for name in names} >= {"arena", "upload"}


# -- what a page is for


def test_chosen_bots_are_compared(board: Any) -> None:
    board.wait_for_selector("#board-table .choose input")
    for name in ("Momentum", "Buy and Hold"):
        board.check(f"#board-table input[aria-label='Compare {name}']")
    board.click("#compare-chosen")
    board.wait_for_selector("#compare-curves canvas")
    assert {text.strip(" \u00d7") for text in board.locator("#compare-chosen > span bdi").all_inner_texts()} == {
        "Momentum", "Buy and Hold",
    }  # fmt: skip
    board.wait_for_selector("#compare-correlation tbody tr:nth-child(2)")
    with board.expect_download() as download:
        board.click("#compare-export")
    lines = Path(download.value.path()).read_text("utf-8").splitlines()
    assert lines[0] == 'time,"Momentum","Buy and Hold"'
    assert all(line.count(",") == 2 for line in lines)


TELLER = """
NAME = "Teller"
SYMBOLS = ["BTCUSDT"]
def on_tick(ctx, tick):
    if ctx.get_position("BTCUSDT") == 0:
        ctx.log("it holds nothing, so it buys")
        ctx.submit_order("BTCUSDT", "BUY", 0.001)
"""


def test_a_trade_says_why_it_was_made(page: Any, server: Server) -> None:
    bot = upload(server, TELLER)["bot_id"]
    server.wait_for(lambda: server.get(f"/bots/{bot}/trades")["items"])
    page.goto(f"{server.url}/bots/{bot}")
    page.click("#bot-trades button:has-text('why?')")
    page.wait_for_selector("#bot-why:has-text('it holds nothing, so it buys')")
    assert "BUY 0.001 BTCUSDT" in page.inner_text("#bot-why")
    # The page holds the newest lines of the log only.
    page.route("**/logs?*", lambda route: route.fulfill(json={"items": [], "next_cursor": None}))
    page.reload()
    page.click("#bot-trades button:has-text('why?')")
    page.wait_for_selector("#bot-why .explained:has-text('it holds nothing, so it buys')")


def test_a_bot_being_written_has_its_wrong_lines_marked(page: Any, server: Server) -> None:
    page.goto(f"{server.url}/submit")
    page.wait_for_selector("#upload-templates button")
    page.fill("#upload-source", 'import os\nos.sep\nNAME = "Marked"\nSYMBOLS = []\ndef on_tick(ctx, tick):\n    pass\n')
    page.wait_for_selector("#upload-gutter [data-line='1'].marked")
    assert page.locator("#upload-gutter .marked").count() == 1
    page.click("#upload-templates button:has-text('Buy the dip')")
    page.wait_for_selector("#upload-live:has-text('keeps the rules')")
    assert page.locator("#upload-gutter .marked").count() == 0


def test_versions_are_shown_with_what_changed(page: Any, server: Server) -> None:
    upload(server, HOLDER.replace("Holder", "Twice"))
    second = upload(server, HOLDER.replace("Holder", "Twice").replace("0.001", "0.002"))["bot_id"]
    page.goto(f"{server.url}/bots/{second}#tab-versions")
    page.wait_for_selector("#tab-versions-tab[aria-selected=true]")
    assert "0.002)" in page.inner_text("#tab-versions [data-kind=added]")
    assert "0.001)" in page.inner_text("#tab-versions [data-kind=removed]")


def test_charts_and_pages_break_no_rule_of_what_may_run(page: Any, server: Server) -> None:
    bot = upload(server, HOLDER)["bot_id"]
    server.wait_for(lambda: server.get(f"/bots/{bot}/equity")["items"])
    page.add_init_script(
        "window.broken = []; addEventListener('securitypolicyviolation', e => window.broken.push(e.violatedDirective))"
    )
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for address in (f"/bots/{bot}", "/market", f"/compare?bots={bot},Momentum"):
        page.goto(server.url + address)
        page.wait_for_selector(".chart-plot canvas")
        assert page.evaluate("window.broken") == []
    assert all(url.startswith((server.url, "data:", "blob:")) for url in asked)


def test_of_two_proofs_the_page_sends_the_one_that_no_other_site_can_set(page: Any, server: Server) -> None:
    """A plain cookie stays from the time before TLS, or another site of the domain has planted one."""
    page.goto(server.url)
    sent = page.evaluate("""async () => {
        const sent = [];
        const { write } = await import(document.querySelector("script[type=module]").src.replace(/[^/]+$/, "api.js"));
        window.fetch = async (url, { headers }) => { sent.push(headers["X-CSRF-Token"]); return new Response("{}"); };
        const planted = ["arena_csrf=bad; __Host-arena_csrf=a1", "__Host-arena_csrf=b2; arena_csrf=bad"];
        for (const jar of [...planted, "arena_csrf=c3", ""]) {
            Object.defineProperty(document, "cookie", { get: () => jar, configurable: true });
            await write("POST", "/nothing", {});
        }
        return sent;
    }""")
    assert sent == ["a1", "b2", "c3", None]


# -- everyone can read them

PAGES = ["/", "/bots/{bot}", "/submit", "/submissions/{submission}", "/compare?bots={bot},Momentum", "/market",
         "/seasons", "/seasons/1", "/learn", "/bots/{bot}#tab-source", "/backtest", "/tournaments",
         "/tournaments/{tournament}"]  # fmt: skip


@pytest.fixture(scope="module")
def ids(server: Server) -> dict[str, str]:
    """Return a bot with a curve, a submission that has ended, and a tournament."""
    bot = upload(server, HOLDER)["bot_id"]
    made = server.post("/strategies", {"prompt": "whistle a merry tune"})["id"]
    server.wait_for(lambda: server.get(f"/strategies/{made}")["status"] == "rejected")
    server.wait_for(lambda: server.get(f"/bots/{bot}/equity")["items"])
    asked = server.post("/tournaments", {"bots": [bot, "Momentum"], "tiers": ["calm"], "rounds": 5, "ticks": 60})
    server.wait_for(lambda: server.get(f"/jobs/{asked['job_id']}")["status"] == "done")
    return {"bot": bot, "submission": made, "tournament": asked["id"]}


@pytest.fixture(scope="module", params=PAGES)
def read(server: Server, ids: dict[str, str], request: pytest.FixtureRequest) -> Iterator[Any]:
    """Each kind of page in turn, opened once for all that look at it."""
    with browsing(server.url + request.param.format(**ids)) as (opened, complaints):
        opened.wait_for_selector("#live[data-state=live]")
        yield opened
        assert not complaints


def serious(page: Any, scheme: str) -> list[Any]:
    """Return the serious faults that axe finds on a page in light or dark."""
    from axe_playwright_python.sync_playwright import Axe

    # Colours that are still on their way from one scheme to the other have no contrast to measure.
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    # The scheme changes colours only: all other rules are looked at once.
    rules = None if scheme == "light" else {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
    options = {"resultTypes": ["violations"], **({"runOnly": rules} if rules else {})}
    found = Axe().run(page, options=options).response["violations"]
    return [
        (one["id"], [node["target"] for node in one["nodes"]])
        for one in found if one["impact"] in {"serious", "critical"}
    ]  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(read: Any, scheme: str) -> None:
    assert serious(read, scheme) == []
    # Who wants no motion gets none.
    assert read.evaluate("document.getAnimations().filter(({ playState }) => playState === 'running').length") == 0


def test_the_pages_of_an_account_can_be_read_by_everyone(tmp_path: Path) -> None:
    running = Server(tmp_path, ACCOUNTS="on")
    try:
        with browsing(f"{running.url}/sign-in") as (page, complaints):
            assert [serious(page, scheme) for scheme in ("light", "dark")] == [[], []]
            told = running.arena("users", "add", "ada").stdout
            page.goto(re.findall(r"http\S+", told)[0])
            page.click("main form button")
            page.wait_for_url(f"{running.url}/")
            page.goto(f"{running.url}/account")
            page.wait_for_selector("main h1:has-text('ada')")
            assert [serious(page, scheme) for scheme in ("light", "dark")] == [[], []]
            for width in (360, 2560):
                page.set_viewport_size({"width": width, "height": 900})
                fits(page, width, page.url)
            assert not complaints
    finally:
        running.end()


def test_no_page_is_wider_than_its_window(read: Any) -> None:
    for width in (360, 768, 2560, 360, 1440):
        read.set_viewport_size({"width": width, "height": 900})
        fits(read, width, read.url)


@pytest.mark.parametrize("address", PAGES)
def test_a_page_can_be_read_without_its_scripts(server: Server, ids: dict[str, str], address: str) -> None:
    answer = server.client.get(server.url + address.format(**ids), headers={"accept": "text/html"})
    assert answer.status_code == 200
    assert len(answer.content) < 150_000
    # Which bots the first rows are of changes with their ranks.
    wanted = {"/": 'href="/bots/', "/bots/{bot}": "submit_order", "/submissions/{submission}": "whistle a merry tune",
              "/market": "BTCUSDT", "/seasons": "Season 1", "/learn": "on_tick"}  # fmt: skip
    assert wanted.get(address, "<h1") in answer.text


def test_the_chosen_theme_is_kept(page: Any, server: Server) -> None:
    page.emulate_media(color_scheme="light")
    page.goto(server.url)
    page.click("#theme")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.goto(f"{server.url}/market")
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"


def test_two_windows_share_one_stream(board: Any, server: Server) -> None:
    board.wait_for_selector("#live[data-state=live]")
    other = board.context.new_page()
    streams: list[str] = []
    other.on("request", lambda request: streams.append(request.url) if request.url.endswith("/stream") else None)
    other.goto(f"{server.url}/market")
    other.wait_for_selector("#live[data-state=live]")
    first = shown_tick(other)
    until(lambda: shown_tick(other) > first, "ticks are passed on")
    assert streams == []


def test_what_is_not_there_says_where_to_go(server: Server) -> None:
    with browsing(f"{server.url}/bots/nobody") as (page, _):
        page.wait_for_selector("#missing")
        assert "There is no bot 'nobody'" in page.inner_text("main")
        page.click("main >> text=To the board")
        page.wait_for_url(f"{server.url}/")


def test_the_report_of_a_backtest_opens_offline(server: Server, tmp_path: Path) -> None:
    (tmp_path / "market.csv").write_text(
        "time,symbol,price\n" + "".join(f"{1_760_000_000 + 60 * n},BTCUSDT,{60_000 + n % 40}\n" for n in range(400))
    )
    hostile = HOLDER.replace("Holder", "</script><img src=x onerror=alert(1)>")
    (tmp_path / "bot.py").write_text(hostile)
    out = tmp_path / "report.html"
    server.arena(
        "backtest", str(tmp_path / "bot.py"), "--data", str(tmp_path / "market.csv"), "--report", str(out)
    )  # fmt: skip
    asked: list[str] = []
    with browsing("about:blank") as (page, complaints):
        page.on("request", lambda request: asked.append(request.url))
        page.goto(out.as_uri())
        page.wait_for_selector("#curves canvas")
        page.wait_for_selector("[data-price-of] canvas")
        assert page.locator("main img").count() == 0
        assert "</script><img src=x" in page.inner_text("h1")
        assert "--report" in page.inner_text("#how-title + pre")
        assert asked == [out.as_uri()]
        assert complaints == []
