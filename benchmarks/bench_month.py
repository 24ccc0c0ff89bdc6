"""Does a season of a month cost more than one of an hour?

A season is made of so many ticks and bots: the bots really play, in run-ahead, and what they did is written as the
engine writes it, so that every record can be proved. At each age, on the same machine one after the other, a real
server is started on it, killed, and started again: how long until the board answers, until the clock goes on, until
every bot has its memory back; and how fast one record is proved.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np

from arena.config import Settings
from arena.core.ledger import mark
from arena.core.scoring import RANKED_EVERY, default_score_interval
from arena.engine.backtest.account import BacktestAccount
from arena.engine.backtest.market import RecordedMarket
from arena.engine.backtest.run import BotSource, check_candidates, hash_source, play_entries
from arena.engine.live.season_scores import SeasonScores
from arena.engine.replay.proof import verify
from arena.engine.seat import OrderTally, Seat, new_seat, stored_account
from arena.store.archive import runtime_facts
from arena.store.bundle import StoredRecord
from arena.store.database import open_database, upgrade
from arena.store.recorder import Recorder, TickWrites
from arena.store.seasons import NewBot, SeasonPlan, enrol, resume_or_open, season_seeds
from benchmarks import telling
from sandbox.pool import Pool
from sandbox.process.limits import Limits

ROOT = Path(__file__).resolve().parents[1]
RUNTIME = "arena.runtime.bot:BotRuntime"
SYMBOLS = ("BTCUSDT", "ETHUSDT")
INTERVAL = 1.0
_BATCH = 2000  # ticks that are written in one transaction
# Every few minutes a crossing, as an ordinary bot trades.
BOT = """NAME = "Month {n}"
SYMBOLS = ["BTCUSDT", "ETHUSDT"]
fast = slow = 0.0
held = False
def on_tick(ctx, tick):
    global fast, slow, held
    price = tick["prices"]["BTCUSDT"]
    if not slow:
        fast = slow = price
    fast += (price - fast) / {fast}
    slow += (price - slow) / {slow}
    if fast > slow * 1.0005 and not held:
        held = True
        ctx.submit_order("BTCUSDT", "BUY", 0.01)
    elif fast < slow * 0.9995 and held:
        held = False
        ctx.submit_order("BTCUSDT", "SELL", 0.01)
"""


# -- a made season -----------------------------------------------------------------------------------------------


def market_of(ticks: int, end: float) -> RecordedMarket:
    """Return a random walk of so many ticks whose last one is at `end`."""
    draws = np.random.default_rng(18).normal(0.0, 2e-4, (ticks, len(SYMBOLS)))
    prices = np.round(np.array([40_000.0, 2_000.0]) * np.exp(np.clip(np.cumsum(draws, axis=0), -2.0, 2.0)), 2)
    times = end - INTERVAL * np.arange(ticks - 1, -1, -1)
    return RecordedMarket(SYMBOLS, np.column_stack([times, prices]))


def make_season(path: Path, ticks: int, bots: int, pool: Pool) -> tuple[str, list[str]]:
    """Fill a database with a season; return its id and those of its bots."""
    database = open_database(f"sqlite:///{path}")
    upgrade(database)
    rules = Settings(_env_file=None).season_rules
    plan = SeasonPlan(
        "synthetic", SYMBOLS, INTERVAL, rules, score_interval=default_score_interval(INTERVAL, replay=False)
    )
    season, _ = resume_or_open(database, plan, runtime=runtime_facts())
    chance = season_seeds(database, season.id).chance
    market = market_of(ticks, float(int(time.time())))
    seats, sources = [], []
    for n in range(bots):
        source = BOT.format(n=n, fast=30 + 5 * n, slow=600 + 40 * n)
        new = NewBot(f"Month {n}", "bench", "upload", source, hash_source(source.encode()), SYMBOLS)
        enrolled = enrol(database, season.id, new, tick=0, room=bots)
        assert enrolled.entry is not None
        seats.append(new_seat(enrolled.bot, enrolled.entry, rules.starting_cash))
        sources.append(BotSource(f"{n}.py", source.encode()))
    results = play_entries(pool, check_candidates(pool, sources), market, rules, seed=chance)
    plays = [result.play for result in results]
    assert all(play is not None and result.status == "ok" for play, result in zip(plays, results, strict=True))
    scores = SeasonScores(season, rules, SYMBOLS, chance)
    _Writer(Recorder(database), season.id, market, scores, list(zip(seats, plays, strict=True))).write()  # type: ignore[arg-type]
    database.dispose()
    return season.id, [seat.id for seat in seats]


class _Writer:
    """Writes what bots did on a market as the engine would have."""

    def __init__(
        self,
        recorder: Recorder,
        season_id: str,
        market: RecordedMarket,
        scores: SeasonScores,
        played: list[tuple[Seat, BacktestAccount]],
    ) -> None:
        self._recorder, self._season_id, self._market, self._scores = recorder, season_id, market, scores
        self._played = played
        self._equity = {seat.id: play.ledger.equity for seat, play in played}
        self._at = {seat.id: [0, 0] for seat, _ in played}
        self._rows = {
            seat.id: ([order.row(seat.name) for order in play.ledger.orders], play.ledger.trades)
            for seat, play in played
        }
        self._numbers: dict[tuple[str, int], int] = {}

    def write(self) -> None:
        """Write all ticks, and what a restart reads at the last one."""
        total = len(self._market)
        for first in range(0, total, _BATCH):
            batch = [self._tick(n) for n in range(first, min(first + _BATCH, total))]
            if first + _BATCH >= total:
                self._close(batch[-1], total - 1)
            self._recorder.record(*batch)

    def _tick(self, n: int) -> TickWrites:
        market, season = self._market, self._season_id
        time, prices = market.time(n), market.prices(n)
        writes = TickWrites({"season_id": season, "n": n, "time": time, "prices": prices, "conditions": None})
        for seat, _ in self._played:
            if n == 0:
                writes.bot_ticks.append({
                    "season_id": season, "tick": 0, "bot_id": seat.id, "event": "start",
                    "detail": "loaded after tick -1",
                })  # fmt: skip
            self._orders(writes, seat, n)
        if n % RANKED_EVERY == 0:
            place = n // RANKED_EVERY
            for seat, _ in self._played:
                _, _, equity, realized, unrealized, cash = self._equity[seat.id][place]
                writes.equity.append({
                    "tick": n, "time": time, "bot_name": seat.name, "equity": equity, "realized_pnl": realized,
                    "unrealized_pnl": unrealized, "cash": cash, "season_id": season, "bot_id": seat.id,
                })  # fmt: skip
        if self._scores.clock.due(time):
            at = {seat.id: self._equity[seat.id][n // RANKED_EVERY][2] for seat, _ in self._played}
            writes.score_points.append(self._scores.point(n, time, at, prices))
        return writes

    def _orders(self, writes: TickWrites, seat: Seat, n: int) -> None:
        orders, trades = self._rows[seat.id]
        at = self._at[seat.id]
        owner = {"season_id": self._season_id, "bot_id": seat.id}
        while at[0] < len(orders) and orders[at[0]]["tick"] == n:
            number = self._recorder.next_order_id()
            self._numbers[seat.id, at[0]] = number
            writes.orders.append({"id": number, **orders[at[0]], **owner})
            at[0] += 1
        while at[1] < len(trades) and trades[at[1]].tick == n:
            writes.trades.append({
                "id": self._recorder.next_trade_id(), **trades[at[1]].row(seat.name), **owner,
                "order_id": self._numbers[seat.id, at[1]],
            })  # fmt: skip
            at[1] += 1

    def _close(self, writes: TickWrites, n: int) -> None:
        """Write standings, summary and entries as of the last tick."""
        market, season = self._market, self._season_id
        last_prices = market.last_prices(n)
        board = []
        for seat, play in self._played:
            value = mark(play.account, last_prices)
            tally = OrderTally()
            for row in self._rows[seat.id][0]:
                tally.note(row["tick"], row["symbol"], row["side"], row["size"], None)
            writes.entries.append({
                "season_id": season, "bot_id": seat.id, "orders_count": tally.orders, "orders_digest": tally.digest,
                "good_tick": True, "rejected": 0,
            })  # fmt: skip
            metrics = play.score.metrics(value.equity, play.account.fees)
            board.append({
                "season_id": season, "bot_id": seat.id, "cash": play.account.cash, "equity": value.equity,
                "realized_pnl": play.account.realized, "unrealized_pnl": value.unrealized, "trades": play.score.trades,
                "rejected": 0, "errors": 0, "tick": n, "as_of": market.time(n), "positions": play.account.sizes(),
                "account": stored_account(play.account), "score": play.score.state(), **metrics.named(), "note": None,
            })  # fmt: skip
        board.sort(key=lambda row: -row["equity"])
        said, summary = self._scores.columns([(row["bot_id"], row["equity"], None) for row in board], last_prices)
        writes.standings = [
            {**row, **columns, "rank": rank} for rank, (row, columns) in enumerate(zip(board, said, strict=True), 1)
        ]
        known = {"last_prices": last_prices, "ended": {}}
        writes.summary = [{"season_id": season, "tick": n, "document": summary, "market": known}]


# -- a server on it ----------------------------------------------------------------------------------------------


class Server:
    """A real server on a made season."""

    def __init__(self, folder: Path) -> None:
        self.began = time.monotonic()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        keep = {key: os.environ[key] for key in ("PATH", "HOME", "VIRTUAL_ENV") if key in os.environ}
        (folder / "bots").mkdir(exist_ok=True)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "arena", "serve", "--no-dashboard"], cwd=folder,
            env={
                **keep, "PORT": str(self._port), "FEED": "synthetic", "TICK_INTERVAL_SECONDS": str(INTERVAL),
                "MIN_FREE_DISK": "0", "PYTHONPATH": str(ROOT), "BOTS_DIR": str(folder / "bots"),
            },
            stdout=(folder / "serve.log").open("ab"), stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def ask(self, path: str) -> Any:
        """Return an answer, None as long as there is none."""
        address = f"http://127.0.0.1:{self._port}/api/v1{path}"
        with (
            contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError),
            urllib.request.urlopen(address, timeout=30) as answer,
        ):
            return json.load(answer)
        return None

    def status(self) -> dict[str, Any]:
        """Return what the server says of itself."""
        found: dict[str, Any] = self.ask("/status")
        return found

    def seconds_until(self, holds: Any, patience: float = 1800.0) -> float:
        """Return how long after the start something holds."""
        while not holds():
            if self._process.poll() is not None or time.monotonic() - self.began > patience:
                raise SystemExit("the server has ended, or never came so far")
            time.sleep(0.01)
        return round(time.monotonic() - self.began, 2)

    def stop(self) -> None:
        """End it as a person would: bots' memories are saved."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(timeout=120)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()
        self._process.wait()


def start_again(folder: Path, last: int, *, clean_end: bool) -> dict[str, float]:
    """Start a server on a season up to tick `last`; return when what was there, and end it."""
    server = Server(folder)
    try:
        board = server.seconds_until(lambda: server.ask("/leaderboard"))
        clock = server.seconds_until(lambda: server.status()["tick"]["n"] > last)
        back = server.seconds_until(lambda: set(server.status()["bots"]) == {"active"})
        if clean_end:
            server.stop()
    finally:
        server.kill()
    return {"first_board_s": board, "first_tick_s": clock, "all_back_s": back}


def measure(ticks: int, bots: int) -> dict[str, Any]:
    """Make a season and return the figures of its age."""
    pool = Pool(RUNTIME, Limits())
    pool.start()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            began = time.monotonic()
            season_id, ids = make_season(folder / "lab.db", ticks, bots, pool)
            made = time.monotonic() - began
            size = (folder / "lab.db").stat().st_size
            database = open_database(f"sqlite:///{folder / 'lab.db'}")
            began = time.monotonic()
            proof = verify(pool, StoredRecord(database, season_id, ids[0]))
            proved = time.monotonic() - began
            database.dispose()
        finally:
            pool.stop()
        # The first start finds no snapshot; its clean end makes them, and the second one begins there.
        bare = start_again(folder, ticks - 1, clean_end=True)
        found = start_again(folder, ticks - 1, clean_end=False)
    seconds = bare["all_back_s"] - bare["first_board_s"]
    return {
        "ticks": ticks, "bots": bots, "made_s": round(made, 1), **found,
        "without_snapshots": bare, "all_back_without_s": bare["all_back_s"],
        "bot_ticks_a_second_back": round(ticks * bots / max(seconds, 0.01)), "verify": proof.status,
        "verify_s": round(proved, 2), "verify_ticks_a_second": round(ticks / proved),
        "bytes_a_bot_tick": round(size / ticks / bots, 2),
    }  # fmt: skip


def main() -> None:
    """Measure at each age and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ticks", type=int, default=2_600_000, help="ticks of the whole season")
    parser.add_argument("--bots", type=int, default=20)
    parser.add_argument("--ages", default="0.01,0.1,1", help="shares of the ticks, one season each")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    shares = given.ages.split(",")
    ages = [
        {"age": age, **measure(max(100, int(given.ticks * float(age))), given.bots)} for age in shares
    ]  # fmt: skip
    whole = ages[-1]
    flat = {
        f"{name}_over_least": round(max(each[name] for each in ages) / min(each[name] for each in ages), 2)
        for name in ("first_board_s", "first_tick_s", "all_back_s")
    }
    found = {"question": "what the age of a season costs", "whole": whole, **flat, "ages": ages}
    for each in ages:
        telling.show(each)
    telling.write(found, given.json)


if __name__ == "__main__":
    main()
