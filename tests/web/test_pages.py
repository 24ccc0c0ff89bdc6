"""The pages as bytes: what is in them before any script runs, and the files they load."""

from __future__ import annotations

import hashlib
import itertools
import math
import re

import pytest

from arena.web import formats
from arena.web.assets import CHARTS_SHA256, chart_library
from tests.arenas import BUYER, Running, bot_source, until

HTML = {"accept": "text/html"}


def test_the_chart_library_is_the_official_one() -> None:
    assert CHARTS_SHA256 == "c0992580867c4912cc9385b3c2728315bcc1a76c7f1087dca908430fccdf31d7"
    assert hashlib.sha256(chart_library()).hexdigest() == CHARTS_SHA256
    assert b"Lightweight Charts\xe2\x84\xa2 v5.2.0" in chart_library()[:300]


def test_the_chart_library_is_served_as_it_is_and_may_be_kept(live: Running) -> None:
    answer = live.client.get("/vendor/lightweight-charts-5.2.0.js")
    assert hashlib.sha256(answer.content).hexdigest() == CHARTS_SHA256
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize("address", ["/", "/submit", "/compare", "/market", "/seasons", "/seasons/1", "/learn"])
def test_a_page_carries_its_attribution_and_no_foreign_file(live: Running, address: str) -> None:
    page = live.client.get(address, headers=HTML)
    assert page.status_code == 200
    assert "TradingView" in page.text
    assert "Apache License 2.0" in page.text
    assert 'src="http' not in page.text
    assert 'rel="stylesheet" href="/static/' in page.text


@pytest.mark.parametrize("name", ["<img src=x onerror=alert(1)>", "a\" onclick='alert(1)", "{{ 7 * 7 }}"])
def test_a_hostile_name_and_source_stand_in_the_page_as_text(live: Running, name: str) -> None:
    source = bot_source("ctx.log('<script>alert(1)</script>')", name=name)
    bot = live.upload(source)["bot_id"]
    for address in (f"/bots/{bot}", "/", f"/compare?bots={bot}"):
        page = live.client.get(address, headers=HTML).text
        assert "<img src=x" not in page
        assert "<script>alert" not in page
        assert "onclick='alert" not in page
        assert ">49<" not in page
    live.api("DELETE", f"/bots/{bot}")


def test_where_there_are_no_accounts_the_page_of_one_says_so(live: Running) -> None:
    answer = live.client.get("/account", headers=HTML)
    assert answer.status_code == 404
    assert "This arena has no accounts" in answer.text


def test_a_bot_is_found_by_its_name_and_one_with_a_slash_by_a_query(live: Running, own_name: str) -> None:
    bot = live.upload(bot_source(name=f"{own_name} A/B"))["bot_id"]
    answer = live.client.get("/bots", params={"name": f"{own_name} a/b"}, headers=HTML, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/bots/{bot}")
    assert f"{own_name} A/B" in live.client.get(f"/bots/{bot}", headers=HTML).text


@pytest.mark.parametrize(
    "address", ["/bots/nobody", "/bots?name=nobody", "/seasons/99", "/submissions/none", "/no/such"]
)
def test_what_is_not_there_is_a_page_for_a_browser(live: Running, address: str) -> None:
    page = live.client.get(address, headers=HTML)
    assert page.status_code == 404
    assert page.headers["content-type"].startswith("text/html")
    assert "To the board" in page.text


def test_what_is_not_there_is_a_problem_for_a_program(live: Running) -> None:
    answer = live.client.get("/no/such")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_too_many_compared_bots_and_unknown_ones_are_told(live: Running) -> None:
    page = live.client.get("/compare?bots=a,b,c,d,e,f,g,h,i,j", headers=HTML).text
    assert "2 were left out" in page
    assert "There is no bot &#39;a&#39; in this season." in page


def test_the_board_with_all_that_it_loads_is_light(live: Running) -> None:
    page = live.client.get("/", headers=HTML)
    sent, wanted, seen = len(page.content), re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text), set()
    while wanted:
        address = wanted.pop()
        if address in seen:
            continue
        seen.add(address)
        with live.client.stream("GET", address, headers={"accept-encoding": "gzip"}) as answer:
            raw = b"".join(answer.iter_raw())
        sent += len(raw)
        text = live.client.get(address).text
        wanted += [f"/static/{name}" for name in re.findall(r'from "\./([\w.]+)"', text)]
    assert {"/static/board.js", "/static/charts.js", "/static/style.css"} <= seen
    assert sent < 150_000


# -- the series that charts are drawn of


def test_prices_of_a_season_are_thinned_evenly_with_both_ends(live: Running) -> None:
    live.ticks(12)
    whole = live.get("/prices/history?limit=5000")
    few = live.get("/prices/history?limit=5")
    steps = {after - before for before, after in itertools.pairwise(whole["ticks"])}
    assert min(steps) > 0
    assert max(steps) - min(steps) <= 1
    assert len(few["ticks"]) == 5
    assert few["ticks"][0] == whole["ticks"][0]
    assert few["ticks"][-1] >= whole["ticks"][-1]
    assert {len(column) for column in few["prices"].values()} == {5}
    assert few["times"][0] == whole["times"][0]
    assert all(few["prices"][symbol][0] == whole["prices"][symbol][0] for symbol in few["prices"])


def test_curves_of_several_bots_are_those_of_each(live: Running, own_name: str) -> None:
    first = live.admitted(bot_source(BUYER, name=f"{own_name} 1"))
    second = live.admitted(bot_source(name=f"{own_name} 2"))
    for seat in (first, second):
        until(lambda bot=seat.id: len(live.get(f"/bots/{bot}/equity")["items"]) >= 3, "three equity rows")
    found = live.get("/curves", params={"bot": [first.id, second.id, "nobody"], "limit": 2000})["items"]
    assert [curve["bot_id"] for curve in found] == [first.id, second.id]
    for curve in found:
        single = live.get(f"/bots/{curve['bot_id']}/equity?limit=2000")["items"]
        shown = list(zip(curve["times"], curve["equity"], strict=True))
        assert shown == [(row["time"], row["equity"]) for row in single[: len(shown)]]


def test_too_many_points_of_curves_are_refused_in_words(live: Running) -> None:
    answer = live.api("GET", "/curves", params={"bot": ["x"] * 20, "limit": 2000})
    assert answer.status_code == 422
    assert "at most 20000 points" in answer.json()["detail"]


# -- how figures and programs are written


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        (formats.number(-0.001), "0.00"), (formats.number(None), formats.DASH),
        (formats.number(math.nan), formats.DASH),
        (formats.number(-1234.5), "−1,234.50"), (formats.signed_percent(0.004), "0.00%"),
        (formats.signed_percent(1.5), "+1.50%"), (formats.price(0.000012345), "0.0000123450"),
        (formats.price(68000.123), "68,000.12"), (formats.duration(90), "1.5 min"), (formats.duration(0.1), "0.1 s"),
        (formats.plural(1, "bot"), "1 bot"), (formats.plural(1200, "bot"), "1,200 bots"), (formats.bps(0), "none"),
    ],
)  # fmt: skip
def test_figures_are_written_for_people(written: str, wanted: str) -> None:
    assert written == wanted


@pytest.mark.parametrize(
    "source", ["", "\n", "x = 1", 'a = """\n<b>\n"""\n', "x = '\x0c'\r\ny = 2\r\n", "def broken(:\n\t<&>\n"]
)
def test_a_program_is_shown_line_by_line_and_escaped(source: str) -> None:
    lines = formats.code_lines(source)
    assert len(lines) == max(1, len(source.replace("\r\n", "\n").removesuffix("\n").split("\n")))
    assert all("<b>" not in line.html and "<&" not in line.html for line in lines)


def test_lines_that_send_orders_are_marked() -> None:
    lines = formats.code_lines("x = 1\nctx.submit_order('A', 'BUY', 1)\n")
    assert [line.orders for line in lines] == [False, True]


@pytest.mark.parametrize(
    ("name", "words"),
    [("practice_url", "Try bots without being ranked"), ("ranked_url", "nothing on it is ranked")],
)
def test_a_practice_season_and_the_ranked_one_link_to_each_other(
    live: Running, monkeypatch: pytest.MonkeyPatch, name: str, words: str
) -> None:
    assert words not in live.client.get("/", headers=HTML).text
    context = live.server.config.app.state.context  # type: ignore[union-attr]
    other = live.settings.model_copy(update={name: "http://other.example/?a=1&b=2"})
    assert other.problems() == []
    monkeypatch.setattr(context, "settings", other)
    page = live.client.get("/", headers=HTML).text
    assert words in page
    assert 'href="http://other.example/?a=1&amp;b=2"' in page


def test_the_address_of_the_other_season_must_be_one(live: Running) -> None:
    wrong = live.settings.model_copy(update={"practice_url": "javascript:alert(1)", "ranked_url": "http://a/"})
    first, second = wrong.problems()
    assert first == "PRACTICE_URL=javascript:alert(1) is no address of a page: write it as http://HOST:PORT/."
    assert second.endswith("set PRACTICE_URL or RANKED_URL, not both.")
