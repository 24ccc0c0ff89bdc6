"""Commands that need no server."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from arena import __version__
from tests.arenas import BUYER, PATIENCE, bot_source
from tests.cli.conftest import Run

ROOT = Path(__file__).parents[2]


def write(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_text(content)
    return path


@pytest.fixture
def market(tmp_path: Path) -> Path:
    rows = "".join(f"{1_700_000_000 + n},BTCUSDT,{100 + n % 7}\n" for n in range(40))
    return write(tmp_path, "market.csv", "time,symbol,price\n" + rows)


def test_the_version_is_told(run: Run) -> None:
    assert run("version").out == f"{__version__}\n"
    assert run("version", "--json").json() == {"version": __version__}


def test_the_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "arena", "version"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    assert done.stdout == f"{__version__}\n"


@pytest.mark.parametrize(
    "arguments", [["nothing"], ["check"], ["backtest"], ["backtest", "x.py"], ["config"], ["bots", "show"], ["--no"]]
)
def test_a_wrong_command_line_exits_2(run: Run, arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.code == 2
    assert done.out == "" or "Usage" in done.out


@pytest.mark.system
def test_help_of_everything_is_there(run: Run) -> None:
    text = run("--help").out
    for command in (
        "serve", "check", "backtest", "submit", "upload", "leaderboard", "bots", "watch", "doctor", "db", "config",
        "season", "version",
    ):  # fmt: skip
        assert command in text
        assert run(command, "--help").code == 0


# -- check -------------------------------------------------------------------------------------------------


@pytest.mark.system
def test_check_tells_the_place_the_reason_and_the_hint(run: Run, tmp_path: Path) -> None:
    good = write(tmp_path, "good.py", bot_source())
    bad = write(tmp_path, "bad.py", "import os; os.sep\n" + bot_source())
    done = run("check", good, bad, "--json")
    assert done.code == 3
    first, second = done.json()
    assert first == {"file": str(good), "accepted": True, "violations": []}
    assert (second["file"], second["accepted"]) == (str(bad), False)
    (violation,) = second["violations"]
    assert set(violation) == {"line", "column", "rule", "message", "hint"}
    assert (violation["line"], violation["column"]) == (1, 1)
    shown = run("check", bad)
    assert shown.code == 3
    assert "1:1" in shown.out
    assert violation["message"] in " ".join(shown.out.split())


@pytest.mark.system
def test_check_warns_of_an_import_that_was_left_out(run: Run, tmp_path: Path) -> None:
    idle = write(tmp_path, "idle.py", "import os\n" + bot_source())
    done = run("check", idle, "--json")
    assert done.code == 0
    assert done.json()[0]["warnings"] == ["Line 1: `import os` was left out: nothing uses it."]
    assert "warning: Line 1: `import os` was left out" in " ".join(run("check", idle).out.split())


def test_check_of_good_files_exits_0(run: Run, tmp_path: Path) -> None:
    assert run("check", write(tmp_path, "good.py", bot_source())).code == 0


def test_check_of_a_missing_file_exits_2_and_names_it(run: Run) -> None:
    done = run("check", "nowhere.py")
    assert done.code == 2
    assert "nowhere.py" in done.err


# -- backtest ----------------------------------------------------------------------------------------------


@pytest.mark.system
def test_a_backtest_writes_all_it_is_asked_to(run: Run, tmp_path: Path, market: Path) -> None:
    good = write(tmp_path, "good.py", bot_source(f"{BUYER}\nctx.log('here')", name="Good"))
    bad = write(tmp_path, "bad.py", "import os; os.sep\n" + bot_source(name="Bad"))
    twin = write(tmp_path, "twin.py", bot_source("raise ValueError('x')", name="Good"))
    done = run(
        "backtest", good, bad, twin, "--data", market, "--json", "out.json", "--trades", "trades.csv",
        "--orders", "orders.csv", "--logs", "logs.jsonl", "--db", "play.db",
    )  # fmt: skip
    assert done.code == 3
    found = json.loads((tmp_path / "out.json").read_text())
    assert (found["ticks"], found["mode"]) == (40, "run-ahead")
    assert found["seconds"] > 0
    first, second, third = found["bots"]
    assert (first["name"], first["file"], first["status"]) == ("Good", str(good), "ok")
    assert (first["orders"], first["trades"], first["rejected"], first["errors"]) == (1, 1, 0, 0)
    assert first["positions"] == {"BTCUSDT": 0.001}
    assert first["equity"] == pytest.approx(10_000 + first["realized_pnl"] + first["unrealized_pnl"])
    assert set(first["metrics"]) == {
        "return_pct", "max_drawdown_pct", "sharpe", "win_rate_pct", "turnover", "exposure_pct", "fees",
    }  # fmt: skip
    assert (second["file"], second["status"]) == (str(bad), "refused")
    assert second["violations"][0]["line"] == 1
    assert (third["name"], third["file"], third["errors"]) == ("Good #2", str(twin), 40)
    _check_tables(tmp_path)


@pytest.mark.system
def test_a_backtest_on_the_cluster_writes_what_one_here_writes(
    run: Run, tmp_path: Path, market: Path, migrated_sqlite: Path
) -> None:
    good = write(tmp_path, "good.py", bot_source(f"{BUYER}\nctx.log('here')", name="Good"))
    bad = write(tmp_path, "bad.py", "import os; os.sep\n" + bot_source(name="Bad"))
    told = ("backtest", good, good, bad, "--data", market, "--lockstep", "--json", "out.json", "--trades", "trades.csv",
            "--orders", "orders.csv", "--logs", "logs.jsonl")  # fmt: skip
    files = [tmp_path / name for name in ("trades.csv", "orders.csv", "logs.jsonl")]
    assert run(*told).code == 3
    here = [path.read_bytes() for path in files], {**json.loads((tmp_path / "out.json").read_text()), "seconds": 0}
    done = run(*told, "--cluster", DB_PATH="nowhere.db")
    assert done.code == 4
    assert "There is no database nowhere.db that machines could take work from" in done.err
    shutil.copy(migrated_sqlite, tmp_path / "farm.db")
    # No other machine takes work: this one does all of it.
    assert run(*told, "--cluster", DB_PATH="farm.db").code == 3
    there = [path.read_bytes() for path in files], {**json.loads((tmp_path / "out.json").read_text()), "seconds": 0}
    assert there == here
    with sqlite3.connect(tmp_path / "farm.db") as connection:
        assert connection.execute("SELECT count(*) FROM farm_jobs WHERE status = 'done'").fetchone() == (3,)


def _check_tables(folder: Path) -> None:
    assert b"\r" not in (folder / "trades.csv").read_bytes()
    (trade,) = csv.DictReader((folder / "trades.csv").read_text().splitlines())
    guide = ["id", "time", "bot_name", "symbol", "side", "size", "price", "cash_after", "position_after"]
    assert list(trade)[:9] == guide
    assert (trade["bot_name"], trade["side"], trade["size"], trade["price"]) == ("Good", "BUY", "0.001", "101.0")
    (order,) = csv.DictReader((folder / "orders.csv").read_text().splitlines())
    assert list(order) == [
        "time", "bot_name", "symbol", "side", "size", "status", "reason", "fill_time", "fill_price", "fill_size",
    ]  # fmt: skip
    assert (order["status"], order["reason"], order["fill_time"]) == ("filled", "", "1700000001.0")
    lines = [json.loads(line) for line in (folder / "logs.jsonl").read_text().splitlines()]
    assert {tuple(line) for line in lines} == {("time", "bot_name", "file", "level", "message")}
    assert lines[0]["message"] == "here"
    connection = sqlite3.connect(folder / "play.db")
    assert connection.execute("SELECT count(*) FROM trades").fetchone() == (1,)
    names = connection.execute("SELECT bot_name, count(*) FROM equity GROUP BY bot_name").fetchall()
    assert names == [("Good", 5), ("Good #2", 5)]
    assert connection.execute("SELECT count(*) FROM ticks").fetchone() == (40,)
    connection.close()


@pytest.mark.system
def test_the_report_says_what_it_was_played_by_and_holds_the_equity_curve(
    run: Run, tmp_path: Path, market: Path
) -> None:
    bot = write(tmp_path, "bot.py", bot_source(BUYER, name="Buyer"))
    done = run(
        "backtest", bot, "--data", market, "--json", "out.json", "--fee-bps", "10", "--slippage-bps", "5",
        "--delay", "2", "--cash", "500", "--seed", "9",
    )  # fmt: skip
    assert done.code == 0
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["span"] == {"first": 1_700_000_000.0, "last": 1_700_000_039.0}
    assert found["files"] == [str(market)]
    assert found["rules"] == {
        "starting_cash": 500.0,
        "fee_bps": 10.0,
        "slippage_bps": 5.0,
        "delay_ticks": 2,
        "interval": 1.0,
    }
    assert found["seed"] == 9
    held = (100 + 39 % 7) / (100 * 1.0005 * 1.001) - 1
    assert found["benchmark"] == {
        "name": "buy and hold", "return_pct": pytest.approx(held * 100),
        "symbols": {"BTCUSDT": pytest.approx(held * 100)},
    }  # fmt: skip
    (buyer,) = found["bots"]
    assert [time for time, _ in buyer["equity_curve"]] == [1_700_000_000.0 + n for n in (0, 10, 20, 30, 39)]
    assert buyer["equity_curve"][0][1] == 500.0
    assert buyer["equity_curve"][-1][1] == buyer["equity"]
    assert (buyer["mode"], buyer["note"], buyer["missing_symbols"]) == ("run-ahead", None, [])
    assert "fee 10 bps" in done.out
    assert "Buy and hold" in done.out


@pytest.mark.parametrize(
    ("flag", "value"), [("--fee-bps", "-1"), ("--slippage-bps", "x"), ("--delay", "0"), ("--cash", "0")]
)
def test_rules_that_cannot_be_are_refused(run: Run, tmp_path: Path, market: Path, flag: str, value: str) -> None:
    bot = write(tmp_path, "bot.py", bot_source(BUYER))
    done = run("backtest", bot, "--data", market, flag, value)
    assert (done.code, "Traceback" in done.err) == (2, False)


def test_a_needed_symbol_that_the_market_lacks_is_named(run: Run, tmp_path: Path, market: Path) -> None:
    bot = write(tmp_path, "bot.py", bot_source(BUYER, name="Pair", symbols='["BTCUSDT", "XAUUSD"]'))
    done = run("backtest", bot, "--data", market, "--json", "out.json")
    assert done.code == 0
    assert "Pair needs XAUUSD, for which this market has no prices (it has BTCUSDT)." in " ".join(done.err.split())
    assert json.loads((tmp_path / "out.json").read_text())["bots"][0]["missing_symbols"] == ["XAUUSD"]


def test_what_init_says_and_does_wrong_bears_the_time_of_the_first_tick(run: Run, tmp_path: Path, market: Path) -> None:
    init = "def init(ctx):\n    ctx.log('hello')\n    ctx.submit_order('BTCUSDT', 'BUY', float('nan'))\n    1 / 0\n"
    bot = write(tmp_path, "bot.py", bot_source(name="Early", top=init))
    run("backtest", bot, "--data", market, "--logs", "logs.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "logs.jsonl").read_text().splitlines()]
    assert {line["message"] for line in lines} == {
        "hello", "Invalid order size: nan",
        "Error in bot 'Early' init: division by zero (ZeroDivisionError, line 6, tick 0)",
    }  # fmt: skip
    assert {line["time"] for line in lines} == {1_700_000_000.0}


@pytest.mark.system
def test_a_result_beyond_belief_is_played_again_in_lockstep_and_said_so(run: Run, tmp_path: Path) -> None:
    rows = "".join(f"{1_700_000_000 + n},BTCUSDT,{110 if n % 2 else 100}\n" for n in range(60))
    market = write(tmp_path, "market.csv", "time,symbol,price\n" + rows)
    wave = write(tmp_path, "wave.py", bot_source(
        'price = ctx.get_price("BTCUSDT")\nif price > 105: ctx.submit_order("BTCUSDT", "BUY", ctx.get_cash() / 101)\n'
        'else: ctx.submit_order("BTCUSDT", "SELL", 1e9)', name="Wave",
    ))  # fmt: skip
    hold = write(tmp_path, "hold.py", bot_source(BUYER, name="Hold"))
    done = run("backtest", wave, hold, "--data", market, "--json", "out.json")
    found = json.loads((tmp_path / "out.json").read_text())
    first, second = found["bots"]
    assert (first["mode"], second["mode"], found["mode"]) == ("lockstep", "run-ahead", "mixed")
    assert first["note"].startswith("Played again in lockstep: run-ahead gave +")
    assert first["equity"] > 100_000
    assert "Played again in lockstep" in " ".join(done.err.split())
    assert run("backtest", wave, "--data", market, "--json", "alone.json", "--lockstep").code == 0
    again = json.loads((tmp_path / "alone.json").read_text())["bots"][0]
    assert {**first, "note": None} == again


@pytest.mark.system
def test_several_files_after_one_flag_make_one_market(run: Run, tmp_path: Path, market: Path) -> None:
    other = write(tmp_path, "eth.csv", "time,symbol,price\n1700000000,ETHUSDT,10\n1700000050,ETHUSDT,11\n")
    bot = write(tmp_path, "bot.py", bot_source('ctx.submit_order("ETHUSDT", "BUY", 1.0)'))
    done = run("backtest", bot, "--data", market, other, "--json", "out.json", "--lockstep")
    assert done.code == 0
    found = json.loads((tmp_path / "out.json").read_text())
    assert (found["ticks"], found["mode"]) == (41, "lockstep")
    assert found["bots"][0]["positions"] == {"ETHUSDT": 40.0}


def test_bots_may_stand_behind_the_data(run: Run, tmp_path: Path, market: Path) -> None:
    bot = write(tmp_path, "bot.py", bot_source(BUYER))
    assert run("backtest", "--data", market, bot, "--json", "out.json").code == 0
    assert len(json.loads((tmp_path / "out.json").read_text())["bots"]) == 1


def test_a_market_without_the_bots_symbols_is_told(run: Run, tmp_path: Path, market: Path) -> None:
    bot = write(tmp_path, "bot.py", bot_source(symbols='["XAUUSD"]'))
    run("backtest", bot, "--data", market, "--json", "out.json")
    assert json.loads((tmp_path / "out.json").read_text())["bots"][0]["status"] == "no_market"


@pytest.mark.system
def test_a_symbol_that_cannot_be_guessed_exits_2_and_names_the_flag(run: Run, tmp_path: Path) -> None:
    data = write(
        tmp_path, "mystery.csv", "time,open,high,low,close,volume\n1700000000,1,2,1,2,5\n1700000060,1,2,1,2,5\n"
    )
    bot = write(tmp_path, "bot.py", bot_source())
    done = run("backtest", bot, "--data", data)
    assert done.code == 2
    assert "--data" in done.err
    assert run("backtest", bot, "--data", f"BTCUSDT={data}").code == 0


@pytest.mark.system
@pytest.mark.parametrize("flag", ["--json", "--trades", "--orders", "--logs", "--db"])
def test_an_output_that_cannot_be_written_is_told_in_words(run: Run, tmp_path: Path, market: Path, flag: str) -> None:
    bot = write(tmp_path, "bot.py", bot_source())
    done = run("backtest", bot, "--data", market, flag, "nowhere/at/all")
    assert done.code in {1, 2}
    assert "nowhere" in done.err or "cannot be opened" in done.err


@pytest.mark.system
def test_a_missing_market_exits_2_or_1_and_is_named(run: Run, tmp_path: Path) -> None:
    done = run("backtest", write(tmp_path, "bot.py", bot_source()), "--data", "nowhere.csv")
    assert done.code in {1, 2}
    assert "nowhere.csv" in done.err


# -- settings ----------------------------------------------------------------------------------------------


def test_the_configuration_is_shown_valid_and_without_its_secrets(run: Run) -> None:
    secrets = {
        "OPENAI_API_KEY": "sk-secret-1", "ARENA_TOKEN": "secret-2", "ALPACA_SECRET_KEY": "secret-3",
        "ALPACA_API_KEY": "secret-4", "STOCKDATA_API_KEY": "secret-5",
        "DATABASE_URL": "postgresql://user:secret-6@db.example/arena",
        "OPENAI_BASE_URL": "https://user:secret-7@llm.example/v1",
    }  # fmt: skip
    for done in (run("config", "show", **secrets), run("config", "show", "--json", **secrets)):
        assert done.code == 0
        assert "secret-" not in done.out + done.err
        assert "db.example" in done.out
    assert run("config", "show", **secrets).out.strip().splitlines()[-1] == "Configuration valid"
    assert run("config", "show", "--json").json()["tick_interval_seconds"] == 1.0


WRONG = [
    ({"DATA_SOURCES__ALPACA__ENABLED": "true"}, "alpaca is enabled; set ALPACA_API_KEY and ALPACA_SECRET_KEY."),
    ({"DATA_SOURCES__STOCKDATA__ENABLED": "true"}, "stockdata is enabled; set STOCKDATA_API_KEY."),
    ({"DATA_SOURCES__BINANCE__ENABLED": "false"}, "No data source is enabled"),
    ({"TICK_INTERVAL_SECONDS": "0"}, "TICK_INTERVAL_SECONDS must be greater than 0."),
    ({"TICK_INTERVAL_SECONDS": "-1"}, "TICK_INTERVAL_SECONDS must be greater than 0."),
    ({"TICK_INTERVAL_SECONDS": "nan"}, "TICK_INTERVAL_SECONDS"),
    ({"TICK_INTERVAL_SECONDS": "inf"}, "TICK_INTERVAL_SECONDS"),
    ({"TICK_INTERVAL_SECONDS": "soon"}, "TICK_INTERVAL_SECONDS"),
    ({"STARTING_CASH": "0"}, "STARTING_CASH must be greater than 0."),
    ({"STARTING_CASH": "inf"}, "STARTING_CASH"),
    ({"FEED": "nonsense"}, "'nonsense' is not a feed"),
    ({"FEED": "replay:nowhere.csv"}, "nowhere.csv"),
    ({"FEED": "synthetic,binance"}, "cannot be mixed"),
    ({"HOST": "0.0.0.0"}, "ARENA_TOKEN"),
    ({"PORT": "70000"}, "PORT"),
    ({"LOG_LEVEL": "LOUD"}, "LOG_LEVEL"),
    ({"DATA_SOURCES__BINANCE__NONSENSE": "1"}, "NONSENSE"),
]  # fmt: skip


@pytest.mark.parametrize(("environment", "words"), WRONG)
def test_a_wrong_setting_exits_2_with_one_sentence(run: Run, environment: dict[str, str], words: str) -> None:
    done = run("config", "show", **environment)
    assert (done.code, done.out) == (2, "")
    sentences = " ".join(done.err.split())
    assert words in sentences
    assert all(sentence.strip().endswith(".") for sentence in sentences.split("arena: ")[1:])


def test_every_wrong_setting_is_listed(run: Run) -> None:
    done = run("config", "show", TICK_INTERVAL_SECONDS="0", STARTING_CASH="0")
    assert done.code == 2
    assert done.err.count("arena: ") == 2


def test_flags_beat_environment_beats_dotenv_beats_toml(run: Run, tmp_path: Path) -> None:
    write(tmp_path, "arena.toml", "starting_cash = 1.0\ntick_interval_seconds = 2.0\nfee_bps = 3.0\n")
    write(tmp_path, ".env", "STARTING_CASH=10\nTICK_INTERVAL_SECONDS=20\n")
    found = run("config", "show", "--json", STARTING_CASH="100").json()
    assert (found["starting_cash"], found["tick_interval_seconds"], found["fee_bps"]) == (100.0, 20.0, 3.0)


def test_sources_can_be_set_in_toml(run: Run, tmp_path: Path) -> None:
    write(tmp_path, "arena.toml", '[data_sources.binance]\nsymbols = ["SOLUSDT"]\n')
    assert run("config", "show", "--json").json()["data_sources"]["binance"]["symbols"] == ["SOLUSDT"]


def test_a_broken_settings_file_exits_2(run: Run, tmp_path: Path) -> None:
    write(tmp_path, "arena.toml", "this is = = not toml")
    done = run("config", "show")
    assert done.code == 2
    assert "Settings cannot be read" in done.err


def test_the_database_is_brought_up_to_date(run: Run, tmp_path: Path) -> None:
    for _ in range(2):
        assert run("db", "upgrade", DB_PATH="own.db").code == 0
    connection = sqlite3.connect(tmp_path / "own.db")
    assert connection.execute("SELECT count(*) FROM trades").fetchone() == (0,)
    connection.close()


def test_a_database_that_cannot_be_used_exits_1_in_words(run: Run) -> None:
    done = run("db", "upgrade", DB_PATH="/nowhere/at/all.db")
    assert done.code == 1
    assert "cannot be opened" in done.err


def test_nothing_is_coloured_where_nobody_wants_it(run: Run, tmp_path: Path) -> None:
    bad = write(tmp_path, "bad.py", "import os; os.sep\n" + bot_source())
    done = run("check", bad, NO_COLOR="1", FORCE_COLOR="")
    assert "\x1b" not in done.out + done.err
