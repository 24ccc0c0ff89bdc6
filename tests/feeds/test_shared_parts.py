"""What all feeds share: who owns a symbol, how states are reported, how polls are repeated."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from dataclasses import dataclass

import pytest
from scenes import CollectingSink, play

from arena.config import Settings
from arena.data_sources import KNOWN_SOURCES
from arena.errors import FeedError
from arena.feeds.base import FeedState, PriceSink
from arena.feeds.ownership import SymbolOwners
from arena.feeds.polling import PolledFeed
from arena.feeds.recording.layout import RecordedFeed
from arena.feeds.reporting import IgnoredPayloadLog, StateReporter
from arena.feeds.retry import ConnectFailure, PollFailedError
from arena.feeds.venues import VENUES, make_feed, parser_for, title_of

log = logging.getLogger("tests.shared_parts")


@dataclass(frozen=True)
class Named:
    name: str
    symbols: tuple[str, ...]


def test_the_feed_configured_last_owns_a_symbol_and_shared_symbols_are_named() -> None:
    takeovers: list[tuple[str, str, str]] = []
    feeds = [Named("a", ("X", "Y")), Named("b", ("X",)), Named("c", ("X", "Z"))]
    owners = SymbolOwners(feeds, lambda *names: takeovers.append(names))
    assert owners.shared == [("X", "a", "b"), ("X", "b", "c")]
    assert [owners.owner(symbol) for symbol in ("X", "Y", "Z", "other")] == ["c", "a", "c", None]
    assert [owners.accepts(feed, "X") for feed in ("a", "b", "c")] == [False, False, True]
    assert takeovers == []


def test_a_symbol_that_was_not_configured_goes_to_its_first_feed_until_a_later_one_has_it() -> None:
    takeovers: list[tuple[str, str, str]] = []
    owners = SymbolOwners([Named("a", ()), Named("b", ())], lambda *names: takeovers.append(names))
    assert [owners.accepts(feed, "X") for feed in ("a", "b", "a", "b", "unlisted")] == [True, True, False, True, False]
    assert takeovers == [("X", "a", "b")]
    assert owners.owner("X") == "b"


def test_a_state_is_reported_once_and_again_after_a_change(caplog: pytest.LogCaptureFixture) -> None:
    sink = CollectingSink()
    reporter = StateReporter(sink, "venue", log)
    down = (FeedState.DOWN, "It is down.")
    live = (FeedState.LIVE, "It is live.")
    with caplog.at_level(logging.INFO, logger=log.name):
        for report in (down, down, live, live, down):
            reporter.report(*report)
    assert sink.states == [down, live, down]
    assert [(r.levelno, r.message) for r in caplog.records if r.name == log.name] == [
        (logging.WARNING, "It is down."), (logging.INFO, "It is live."), (logging.WARNING, "It is down."),
    ]  # fmt: skip


def test_a_feed_of_several_connections_is_as_well_as_its_best_and_its_end_is_left_to_the_caller() -> None:
    sink = CollectingSink()
    reporter = StateReporter(sink, "venue", log)
    reporter.report(FeedState.CONNECTING, "A connects.", "a")
    reporter.report(FeedState.FAILED, "B failed.", "b")
    reporter.report(FeedState.LIVE, "A is live.", "a")
    reporter.report(FeedState.DOWN, "A is down.", "a")
    assert sink.states == [
        (FeedState.CONNECTING, "A connects."),
        (FeedState.CONNECTING, "A connects. B failed."),
        (FeedState.LIVE, "A is live. B failed."),
        (FeedState.DOWN, "A is down. B failed."),
    ]
    reporter.report(FeedState.FAILED, "A failed.", "a")
    assert len(sink.states) == 4


def test_ignored_payloads_are_warned_of_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    rare, every = IgnoredPayloadLog(log, 3600.0), IgnoredPayloadLog(log, 0.0)
    with caplog.at_level(logging.WARNING, logger=log.name):
        for number in range(3):
            rare.warn("rare %d", number)
            every.warn("every %d", number)
    assert [record.message for record in caplog.records if record.name == log.name] == [
        "rare 0",
        "every 0",
        "every 1",
        "every 2",
    ]


class Polled(PolledFeed):
    """Answers its polls from a list: a failure, or the symbols that had a price."""

    def __init__(self, *answers: ConnectFailure | tuple[str, ...]) -> None:
        super().__init__("polled", ("X", "Y"), log, first_delay=0.001, max_delay=0.002)
        self.done = asyncio.Event()
        self.new_missing: list[list[str]] = []
        self._answers = list(answers)

    async def run(self, sink: PriceSink) -> None:
        await self._poll_forever(sink, "Connecting.")

    async def _poll(self, sink: PriceSink) -> float:
        del sink
        if not self._answers:
            self.done.set()
            return 60.0
        answer = self._answers.pop(0)
        if isinstance(answer, ConnectFailure):
            raise PollFailedError(answer)
        self.new_missing.append(self._note_missing(self.symbols, answer))
        self._report(FeedState.LIVE, f"Live; {', '.join(self._missing) or 'nothing'} missing.")
        return 0.0


def test_a_polled_feed_reports_failures_and_goes_on_and_names_a_missing_symbol_once() -> None:
    async def scene() -> None:
        failure = ConnectFailure("It failed.")
        feed, sink = Polled(failure, failure, ("X",), ("X",), ("X", "Y"), ("X",)), CollectingSink()
        task = asyncio.create_task(feed.run(sink))
        await feed.done.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert feed.new_missing == [["Y"], [], [], ["Y"]]
        assert feed.counts == {"failures": 2, "missing": 2}
        assert [sentence for _, sentence in sink.states] == [
            "Connecting.", "It failed.", "Live; Y missing.", "Live; nothing missing.", "Live; Y missing.",
        ]  # fmt: skip

    play(scene)


def test_a_retry_after_is_waited_for_where_it_is_longer_than_the_delay() -> None:
    feed = Polled()
    feed._reporter = StateReporter(CollectingSink(), "polled", log)
    assert feed._delay_after(ConnectFailure("Too many.", 30.0)) == 30.0
    assert feed._delay_after(ConnectFailure("Not there.")) <= 0.003


def test_every_source_of_the_settings_is_a_venue_with_a_parser() -> None:
    assert set(VENUES) == set(KNOWN_SOURCES)
    for name in VENUES:
        assert parser_for(RecordedFeed(f"{name}:kraken" if name == "ccxt" else name, ("X",))).parse(b"{", 1.0) == []
    assert (title_of("stockdata"), title_of("ccxt:kraken")) == ("StockData.org", "ccxt:kraken")


def test_parsers_of_recordings_load_no_network_code() -> None:
    program = """
import sys
from arena.feeds.recording.layout import RecordedFeed
from arena.feeds.venues import VENUES, parser_for
for name in VENUES:
    parser_for(RecordedFeed("ccxt:kraken" if name == "ccxt" else name, ("X",)))
print(sorted({"httpx2", "websockets", "ccxt"} & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("name", ["", "nonsense", "binance:x", "ccxt", "synthetic"])
def test_a_name_that_is_no_venue_makes_no_feed(name: str) -> None:
    with pytest.raises(FeedError, match=f"'{name}' is not a live feed"):
        make_feed(name, Settings())
    if name != "ccxt":
        with pytest.raises(FeedError, match="cannot be read by this version"):
            parser_for(RecordedFeed(name, ()))
