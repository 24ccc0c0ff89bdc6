"""The main job from end to end: words in, a bot trades, the board survives every kind of stop."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
from pathlib import Path

import httpx2
import pytest

from tests.e2e.server import SHARED, Server, accounts

WORDS = "buy when BTCUSDT crosses above its 20-tick EMA, sell below, 0.01 BTC"
ENDS = [signal.SIGINT, signal.SIGTERM, signal.SIGKILL]


def guide() -> str:
    path = SHARED / "GUIDE.md"
    if not path.is_file():
        pytest.skip("the user's guide is not present")
    return path.read_text("utf-8")


def board(server: Server) -> dict[str, dict[str, object]]:
    return {item["name"]: item for item in server.get("/leaderboard")["items"]}


def test_a_strategy_in_words_trades_and_survives_every_stop(tmp_path: Path) -> None:
    server = Server(tmp_path)
    try:
        answer = json.loads(server.arena("submit", WORDS, "--json").stdout)
        assert answer["status"] == "admitted"
        assert answer["attempts"][0]["model"] == "template"
        server.wait_for(lambda: len(board(server)) == 8 and _all_traded(server))
        season = server.get("/status")["season"]["id"]
    finally:
        server.end(ENDS[0])
    for how in ENDS[1:]:
        before = accounts(tmp_path)
        server = Server(tmp_path)
        try:
            status = server.get("/status")
            assert status["season"]["id"] == season
            log = server.log.read_text("utf-8")
            assert "did not repeat" not in log
            assert "could not catch up" not in log
            assert _grew_from(before, accounts(tmp_path))
            shown = board(server)
            assert set(shown) == set(before)
            tick = status["tick"]["n"]
            server.wait_for(lambda: server.get("/status")["tick"]["n"] > tick + 5)  # noqa: B023
        finally:
            server.end(how)
    after = accounts(tmp_path)
    assert _grew_from(before, after)
    _check_books(tmp_path)


def _all_traded(server: Server) -> bool:
    return all(item["trades"] for item in board(server).values())


def _grew_from(before: dict, after: dict) -> bool:
    """Say whether every bot's record goes on where it stood."""
    return all(after[name][2] >= count for name, (_, _, count) in before.items())


def _check_books(folder: Path) -> None:
    """Every recorded trade follows from the one before it, and no tick is missing or doubled."""
    with sqlite3.connect(folder / "lab.db") as connection:
        ticks = [n for (n,) in connection.execute("SELECT n FROM ticks ORDER BY n")]
        assert ticks == list(range(len(ticks)))
        cash: dict[str, float] = {}
        held: dict[tuple[str, str], float] = {}
        for name, symbol, side, size, price, cash_after, position_after in connection.execute(
            "SELECT bot_name, symbol, side, size, price, cash_after, position_after FROM trades ORDER BY id"
        ):
            sign = 1.0 if side == "BUY" else -1.0
            cash[name] = cash.get(name, 10_000.0) - sign * size * price
            key = (name, symbol)
            held[key] = held.get(key, 0.0) + sign * size
            assert cash_after == pytest.approx(cash[name], rel=1e-9)
            assert position_after == pytest.approx(held[key], rel=1e-9, abs=1e-12)
            assert cash_after >= 0
            assert position_after >= 0
        pending = connection.execute("SELECT count(*) FROM orders WHERE status = 'filled'").fetchone()[0]
        assert pending == connection.execute("SELECT count(*) FROM trades").fetchone()[0]


def test_the_guides_example_prompt_is_admitted_and_does_what_it_says(tmp_path: Path) -> None:
    blocks = re.findall(r"```\n(Write a Python trading bot.*?)```", guide(), re.DOTALL)
    assert len(blocks) == 1
    prompt = tmp_path / "prompt.txt"
    prompt.write_text(blocks[0], "utf-8")
    server = Server(tmp_path)
    try:
        answer = json.loads(server.arena("submit", "-f", str(prompt), "--json").stdout)
        assert answer["status"] == "admitted"
        bot = answer["bot_id"]
        server.wait_for(lambda: len(server.get(f"/bots/{bot}/trades")["items"]) >= 4)
        trades = server.get(f"/bots/{bot}/trades")["items"]
        logs = [row["message"] for row in server.get(f"/bots/{bot}/logs", limit=1000)["items"]]
    finally:
        server.end()
    assert {trade["size"] for trade in trades} == {0.01}
    assert {trade["symbol"] for trade in trades} == {"BTCUSDT"}
    assert sum("BUY" in line or "SELL" in line for line in logs) >= len(trades)
    _check_crosses(tmp_path, bot)


def _check_crosses(folder: Path, bot: str) -> None:
    """Every order was made at a tick where the price crossed its own 20-tick EMA."""
    with sqlite3.connect(folder / "lab.db") as connection:
        events = connection.execute("SELECT tick, event FROM bot_ticks WHERE bot_id = ?", (bot,)).fetchall()
        ticks = connection.execute("SELECT n, prices FROM ticks ORDER BY n").fetchall()
        orders = connection.execute("SELECT tick, side FROM orders WHERE bot_id = ?", (bot,)).fetchall()
    start = next(tick for tick, event in events if event == "start")
    # On a machine that is busy a bot may still be at a tick when the next one comes: it never sees that one.
    unseen = {tick for tick, event in events if event == "skipped"}
    seen = {n: json.loads(text)["BTCUSDT"] for n, text in ticks if n >= start and n not in unseen}
    ema, before, crosses = seen[start], 0.0, {}
    for n, price in seen.items():
        was_above = before > ema
        ema = price * 2 / 21 + ema * 19 / 21
        if n > start and (price > ema) != was_above:
            crosses[n] = "BUY" if price > ema else "SELL"
        before = price
    assert orders
    for tick, side in orders:
        assert crosses.get(tick) == side


def test_the_guides_bots_run_unchanged(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", guide(), re.DOTALL)
    bots = [block for block in blocks if "def on_tick" in block]
    assert len(bots) == 2
    folder = tmp_path / "bots"
    folder.mkdir()
    (folder / "first.py").write_text(bots[0], "utf-8")
    # The second is a fragment about state: it gets the two names that every bot must have.
    (folder / "state.py").write_text('NAME = "State"\nSYMBOLS = ["BTCUSDT"]\n' + bots[1], "utf-8")
    server = Server(tmp_path, BOTS_DIR=str(folder))
    try:
        server.wait_for(lambda: len(board(server)) == 2)
        tick = server.get("/status")["tick"]["n"]
        server.wait_for(lambda: server.get("/status")["tick"]["n"] > tick + 20)
        shown = board(server)
        assert set(shown) == {"My Bot", "State"}
        assert all(item["status"] == "active" and item["errors"] == 0 for item in shown.values())
        assert "My bot is ready!" in server.log.read_text("utf-8")
    finally:
        server.end()


def test_the_guides_pandas_snippet_runs_on_the_database(tmp_path: Path) -> None:
    snippet = next(b for b in re.findall(r"```python\n(.*?)```", guide(), re.DOTALL) if "read_sql_query" in b)
    server = Server(tmp_path)
    try:
        server.wait_for(lambda: len(board(server)) == 7 and any(i["trades"] for i in board(server).values()))
        tick = server.get("/status")["tick"]["n"]
        # The next snapshot has a row of each bot.
        server.wait_for(lambda: server.get("/status")["tick"]["n"] > tick + 10)
    finally:
        server.end()
    names: dict[str, object] = {}
    code = compile(snippet.replace("'lab.db'", repr(str(tmp_path / "lab.db"))), "guide", "exec")
    exec(code, names)
    names["conn"].close()  # type: ignore[attr-defined]
    trades, equity, performance = names["trades"], names["equity"], names["bot_performance"]
    wanted = ["id", "time", "bot_name", "symbol", "side", "size", "price", "cash_after", "position_after"]
    assert list(trades.columns)[:9] == wanted  # type: ignore[attr-defined]
    assert list(equity.columns)[:6] == [  # type: ignore[attr-defined]
        "id", "time", "bot_name", "equity", "realized_pnl", "unrealized_pnl",
    ]  # fmt: skip
    assert len(performance) == 7  # type: ignore[arg-type]


@pytest.mark.parametrize("how", [pytest.param(signal.SIGINT, marks=pytest.mark.long), signal.SIGTERM])
def test_a_server_ends_in_order_while_somebody_listens(tmp_path: Path, how: signal.Signals) -> None:
    """It says what it waits for and when all is written, and a stream that is open is no error."""
    server = Server(tmp_path)
    with (
        httpx2.Client(trust_env=False, timeout=60, base_url=server.url) as client,
        client.stream("GET", "/api/v1/stream") as stream,
    ):
        lines = stream.iter_lines()
        next(line for line in lines if line.startswith("event: tick"))
        server.end(how)
        # The stream is ended, not torn.
        for _ in lines:
            pass
    log = server.log.read_text("utf-8")
    assert "ERROR" not in log
    assert "Traceback" not in log
    assert "Starting on http://" in log
    assert "Shutting down… The tick under way, " in log
    assert re.fullmatch(
        r"arena: Stopped. All is written to lab.db: season 1, up to tick [\d,]+\.", log.splitlines()[-1]
    )
    assert server.process.returncode == (0 if how is signal.SIGTERM else 130)
