"""Trading halts at Alpaca: which stocks are halted, until when, and what follows from it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import msgpack
import pytest
from scenes import play, running
from test_alpaca import OPEN, QUICK, feed_of

from arena.engine.live.sources import LiveSource
from arena.engine.state import MarketState
from arena.feeds.alpaca.parser import AlpacaParser
from arena.feeds.fakes.alpaca import FakeAlpaca
from arena.feeds.live import LiveMarket

NOW = OPEN / 10**9
SECOND = 10**9
TIME = "2026-03-06T17:00:0{}Z"


def status(code: object, second: int = 1, **more: object) -> dict[str, Any]:
    words = {"sm": "Trading Halt", "rc": "T1", "rm": "News Pending"}
    return {"T": "s", "S": "AAPL", "sc": code, "t": TIME.format(second), "z": "C"} | words | more


def deal(second: int, number: int = 1) -> dict[str, Any]:
    return {"T": "t", "S": "AAPL", "i": number, "x": "V", "p": 1.0, "t": TIME.format(second), "c": ["@"], "z": "C"}


def halted_after(*messages: dict[str, Any]) -> str:
    parser = AlpacaParser(["AAPL"])
    parser.parse(json.dumps(messages).encode(), NOW)
    return parser.halts.reason("AAPL")


def test_a_halted_symbols_orders_are_rejected_with_the_reason_until_it_resumes() -> None:
    async def scene() -> None:
        async with FakeAlpaca(clock_ns=lambda: OPEN) as fake:
            feed = feed_of(fake, "AAPL", "TSLA", clock=lambda: OPEN)
            market = LiveMarket([feed], clock=lambda: NOW)
            source = LiveSource(market, ("AAPL", "TSLA"), 10.0)
            async with running(feed) as heard:
                await fake.subscribed("AAPL", "s")
                for symbol in ("AAPL", "TSLA"):
                    await fake.trade(symbol, 1.0, moment=OPEN - SECOND)
                await heard.until(lambda: len(heard.updates) == 2)
                for update in heard.updates:
                    market.on_price(update)
                await fake.status("AAPL", moment=OPEN)
                await fake.trade("TSLA", 2.0)
                await heard.until(lambda: len(heard.updates) == 3)
                reason = "Trading of AAPL is halted (Trading Halt: News pending)"
                assert source.conditions(NOW, MarketState()).barred == {"AAPL": reason}
                assert {name: each["state"] for name, each in market.status()["symbols"].items()} == {
                    "AAPL": "halted", "TSLA": "fresh",
                }  # fmt: skip
                await fake.status("AAPL", "T", "Trading Resumption", moment=OPEN + SECOND)
                await fake.trade("TSLA", 3.0)
                await heard.until(lambda: len(heard.updates) == 4)
                assert not source.conditions(NOW, MarketState())
            assert (feed.counts["halts"], feed.counts["resumptions"]) == (1, 1)

    play(scene)


def test_a_connection_whose_symbols_are_all_halted_is_not_a_silent_one() -> None:
    async def scene() -> None:
        halted, silences, quiet = asyncio.Event(), 0, asyncio.Event()

        def clock() -> int:  # asked once for every silence
            nonlocal silences
            silences += halted.is_set()
            if silences > 2:
                quiet.set()
            return OPEN

        async with FakeAlpaca(clock_ns=lambda: OPEN) as fake:
            feed = feed_of(fake, timing=replace(QUICK, silence=0.7), clock=clock)
            async with running(feed) as heard:
                await fake.subscribed("AAPL", "s")
                await fake.status("AAPL")
                await heard.until(lambda: any(b"Trading Halt" in frame.payload for frame in heard.frames))
                halted.set()
                await quiet.wait()
                assert fake.attempts == 1
                await fake.status("AAPL", "T", "Trading Resumption")
                await fake.attempted(2)

    play(scene)


@pytest.mark.parametrize("code", [400, 405, 409, 410])
def test_a_venue_without_statuses_still_sends_prices_and_statuses_are_not_requested_again(code: int) -> None:
    async def scene() -> None:
        async with FakeAlpaca() as fake:
            feed = feed_of(fake)
            fake.unavailable["statuses"] = code
            async with running(feed) as heard:
                await heard.until(lambda: heard.is_live)
                await heard.until(lambda: any(b"error" in frame.payload for frame in heard.frames))
                fake.cut()
                await fake.attempted(2)
                await fake.subscribed("AAPL")
                await fake.trade("AAPL", 1.0)
                await heard.until(lambda: heard.prices == [1.0])
            wanted = [request for request in fake.requests if isinstance(request, dict) and "statuses" in request]
            assert len(wanted) == 1

    play(scene)


@pytest.mark.parametrize("code", ["2", "H", "P"])
def test_the_codes_of_both_tapes_halt(code: str) -> None:
    assert halted_after(status(code)) == "Trading Halt: News Pending"
    assert halted_after(status(code), status("Q", 2)) != ""


@pytest.mark.parametrize("code", ["3", "T"])
def test_the_codes_of_both_tapes_resume(code: str) -> None:
    assert halted_after(status("H"), status(code, 2)) == ""


@pytest.mark.parametrize("code", ["5", "D", "h", "", "HH", None, 2, ["H"], {"H": 1}])
def test_other_codes_change_nothing(code: object) -> None:
    assert halted_after(status(code)) == ""
    assert halted_after(status("H"), status(code, 2)) != ""


def test_an_older_status_that_comes_late_changes_nothing() -> None:
    assert halted_after(status("T", 5), status("H", 4)) == ""
    assert halted_after(status("H", 5), status("T", 4)) != ""


def test_a_status_or_trade_from_far_ahead_does_not_outrank_all_that_follow() -> None:
    far = "2099-03-06T17:00:00Z"
    for ahead in (status("H", t=far), status("H") | {"t": None}):
        parser = AlpacaParser(["AAPL"])
        parser.parse(json.dumps([ahead]).encode(), NOW)
        assert parser.halts.reason("AAPL")
        parser.parse(json.dumps([status("T", t="2026-03-06T17:05:00Z")]).encode(), NOW + 300)
        assert not parser.halts.reason("AAPL")
    parser = AlpacaParser(["AAPL"])
    parser.parse(json.dumps([status("H"), deal(2) | {"t": far}]).encode(), NOW)
    parser.parse(json.dumps([status("H", t="2026-03-06T17:05:00Z")]).encode(), NOW + 300)
    assert parser.halts.reason("AAPL")


def test_a_trade_made_after_a_halt_ends_it_and_one_from_before_does_not() -> None:
    assert halted_after(status("H", 5), deal(6)) == ""
    assert halted_after(status("H", 5), deal(4)) != ""
    parser = AlpacaParser(["AAPL"])
    parser.parse(json.dumps([status("H", 5)]).encode(), NOW)
    parser.parse(json.dumps({"trades": {"AAPL": deal(6)}}).encode(), NOW)
    assert parser.halts.reason("AAPL") == ""


def test_a_bar_that_began_before_a_halt_does_not_end_it() -> None:
    parser = AlpacaParser(["AAPL"], "bars")
    for opened, reason in ((0, True), (6, False)):
        bar = {"T": "b", "S": "AAPL", "c": 1.0, "t": TIME.format(opened)}
        parser.parse(json.dumps([status("H", 5), bar] if opened == 0 else [bar]).encode(), NOW)
        assert bool(parser.halts.reason("AAPL")) == reason


def test_quotes_go_on_in_a_halt_and_a_new_connection_forgets_what_only_trades_would_end() -> None:
    async def scene() -> None:
        async with FakeAlpaca() as fake:
            feed = feed_of(fake, prices="quotes")
            async with running(feed) as heard:
                await fake.subscribed("AAPL", "s")
                await fake.status("AAPL")
                await fake.quote("AAPL", 1.0, 1.0)
                await heard.until(lambda: heard.prices == [1.0])
                assert feed.pace("AAPL", NOW).halted
                fake.cut()
                await fake.attempted(2)
                await heard.until(lambda: heard.is_live and len(heard.states) > 3)
                assert not feed.pace("AAPL", NOW).halted

    play(scene)


def test_halt_reasons_are_printable_and_short() -> None:
    packed = status("H", sm=7, rm=None) | {"t": msgpack.Timestamp(int(NOW), 0)}
    parser = AlpacaParser()
    parser.parse(msgpack.packb([packed]), NOW)
    assert parser.halts.reason("AAPL") == "no reason given"
    assert halted_after(status("H", sm="a\nb\x1b[31m", rm=" ")) == "a b [31m"
    assert len(halted_after(status("H", rm="x" * 1000))) == 80
