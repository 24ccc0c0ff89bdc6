"""What the template provider understands, phrase by phrase; long because it is one table of phrases."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from arena.llm.template import Written, write_bot

MARKET = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
GUIDE = Path(__file__).parents[4] / "shared" / "GUIDE.md"

# phrase, strategy, pieces of the source that carry its numbers
PHRASES = [
    (
        "buy when BTCUSDT crosses above its 20-tick EMA, sell below, 0.01 BTC",
        "ema_cross",
        "PERIOD = 20 |SIZE = 0.01 ",
    ),
    (
        "buy when the price crosses above its 20-tick EMA, sell below, 0.01 BTC",
        "ema_cross",
        "PERIOD = 20 |SIZE = 0.01 ",
    ),
    ("EMA(20)", "ema_cross", "PERIOD = 20 "),
    (
        "buy when the price crosses above its 1,000-tick EMA, sell below",
        "ema_cross",
        "PERIOD = 1000 ",
    ),
    (
        (
            "Go long ETH when it crosses over the 50-period exponential moving average; exit "
            "when it "
            "crosses under. Size 0.2 ETH."
        ),
        "ema_cross",
        'PERIOD = 50 |SIZE = 0.2 |SYMBOL = "ETHUSDT"',
    ),
    (
        (
            "Use a twenty tick simple moving average on BTC. Buy 0.02 BTC when the price "
            "goes above it "
            "and sell when it drops below it."
        ),
        "sma_cross",
        "PERIOD = 20 |SIZE = 0.02 ",
    ),
    ("When price is above the 50 SMA, buy; when it falls below, sell", "sma_cross", "PERIOD = 50 "),
    (
        ("price crosses above 30 tick moving average: buy. price crosses below: sell. Use half of my cash"),
        "sma_cross",
        "PERIOD = 30 |CASH_SHARE = 0.5 ",
    ),
    (
        "buy when the 20 EMA is below the price and sell when it is above the price",
        "ema_cross",
        'PERIOD = 20 |before <= 0 < gap:\n        return "BUY"',
    ),
    (
        "buy when the price drops below its 20-tick SMA and sell when it rises above it",
        "sma_cross",
        'PERIOD = 20 |before <= 0 < gap:\n        return "SELL"',
    ),
    ("trend following on BTC with a 100 tick moving average", "sma_cross", "PERIOD = 100 "),
    (
        "Buy/sell BTC when the price crosses above/below its 20 tick EMA",
        "ema_cross",
        "PERIOD = 20 ",
    ),
    ("long BTC above the 50 SMA, flat below", "sma_cross", "PERIOD = 50 "),
    (
        "hold BTC while the price is above its 100-tick SMA, otherwise stay in cash",
        "sma_cross",
        "PERIOD = 100 ",
    ),
    (
        (
            "I'd like a strategy which enters when the price rises above its 15-period EMA "
            "and exits "
            "when price falls back below the EMA"
        ),
        "ema_cross",
        "PERIOD = 15 ",
    ),
    (
        "Use a 20-tick EMA. Buy 0.01 BTC when price > EMA; sell when price < EMA",
        "ema_cross",
        "PERIOD = 20 |SIZE = 0.01 ",
    ),
    (
        "on 1-minute bars: buy when price crosses above its 30 minute SMA, sell below",
        "sma_cross",
        "PERIOD = 30 ",
    ),
    ("buy when price crosses above its 5 minute SMA, sell below", "sma_cross", "PERIOD = 300 "),
    (
        (
            "Buy bitcoin when its price crosses above the 20-tick EMA with a 2% stop loss "
            "and 5% take "
            "profit, using 20% of my cash"
        ),
        "ema_cross",
        "CASH_SHARE = 0.2 |STOP_LOSS = 0.02 |TAKE_PROFIT = 0.05 ",
    ),
    (
        ("Buy 0.01 BTC when price crosses above EMA 20. Sell when price crosses below EMA 20 or take profit at 5%"),
        "ema_cross",
        "TAKE_PROFIT = 0.05 |SIZE = 0.01 ",
    ),
    (
        "10/30 SMA crossover on ETH with 10% of cash",
        "sma_crossover",
        'FAST = 10 |SLOW = 30 |SYMBOL = "ETHUSDT"|CASH_SHARE = 0.1 ',
    ),
    (
        "SMA(10) vs SMA(30) on SOL with $1,000",
        "sma_crossover",
        'FAST = 10 |SLOW = 30 |SYMBOL = "SOLUSDT"|DOLLARS = 1000 ',
    ),
    (
        "golden cross strategy on bitcoin, all in",
        "sma_crossover",
        "FAST = 50 |SLOW = 200 |CASH_SHARE = 0.99 ",
    ),
    (
        "buy BTC w/ 10% of cash on golden cross of 20 and 100 EMA, sell on death cross",
        "ema_crossover",
        "FAST = 20 |SLOW = 100 ",
    ),
    (
        "EMA 12/26 crossover with trailing stop of 3%",
        "ema_crossover",
        "FAST = 12 |SLOW = 26 |TRAILING_STOP = 0.03 ",
    ),
    (
        "Buy when the fast EMA (12) crosses above the slow EMA (26), sell on the opposite cross",
        "ema_crossover",
        "FAST = 12 |SLOW = 26 ",
    ),
    (
        "buy when the slow 30-tick SMA crosses below the fast 10-tick SMA and sell otherwise",
        "sma_crossover",
        'FAST = 10 |SLOW = 30 |before <= 0 < gap:\n        return "BUY"',
    ),
    (
        (
            "Please make me a bot which buys bitcoin with 25% of its cash whenever the fast "
            "10 tick SMA "
            "crosses over the slow 50 tick SMA, and sells everything when it crosses back "
            "under. Log "
            "all trades."
        ),
        "sma_crossover",
        "FAST = 10 |SLOW = 50 |CASH_SHARE = 0.25 ",
    ),
    ("RSI(14) 30/70 on BTC", "rsi", "PERIOD = 14 |BUY_LEVEL = 30 |SELL_LEVEL = 70 "),
    (
        "buy when RSI is below 25 and sell when it is above 75, $500 per trade, 2% stop loss",
        "rsi",
        "BUY_LEVEL = 25 |SELL_LEVEL = 75 |DOLLARS = 500 |STOP_LOSS = 0.02 ",
    ),
    (
        "Buy oversold, sell overbought using a 7-period RSI with levels 20/80",
        "rsi",
        "PERIOD = 7 |BUY_LEVEL = 20 |SELL_LEVEL = 80 ",
    ),
    (
        "RSI below 30 buy, above 70 sell, position size 0.01 BTC, take profit 3%",
        "rsi",
        "BUY_LEVEL = 30 |SELL_LEVEL = 70 |SIZE = 0.01 |TAKE_PROFIT = 0.03 ",
    ),
    (
        "buy when RSI crosses above 30 and sell when RSI crosses below 70",
        "rsi",
        "before <= BUY_LEVEL < value|BUY_LEVEL = 30 |SELL_LEVEL = 70 ",
    ),
    ("use the relative strength index with a period of 21 to trade ETHUSDT", "rsi", "PERIOD = 21 "),
    (
        ("Could you please write a simple bot that buys 1 unit of SOL when RSI(2) < 10 and sells when RSI(2) > 90?"),
        "rsi",
        "PERIOD = 2 |BUY_LEVEL = 10 |SELL_LEVEL = 90 |SIZE = 1 ",
    ),
    ("MACD 12,26,9 on ETHUSDT, 0.1 ETH", "macd", "FAST = 12 |SLOW = 26 |SMOOTH = 9 |SIZE = 0.1 "),
    ("MACD crossover on BTC", "macd", "FAST = 12 |SLOW = 26 |SMOOTH = 9 "),
    (
        "When MACD line crosses above the signal line buy 0.01 BTC, sell when it crosses below",
        "macd",
        "SIZE = 0.01 ",
    ),
    ("MACD(5, 35, 5) with 1% stop", "macd", "FAST = 5 |SLOW = 35 |SMOOTH = 5 |STOP_LOSS = 0.01 "),
    (
        "Bollinger bands 20 period 2 std: buy at the lower band, sell at the upper band",
        "bollinger",
        "PERIOD = 20 |WIDTH = 2 ",
    ),
    (
        "Bollinger(20, 2) mean reversion on BTCUSDT with $300",
        "bollinger",
        "PERIOD = 20 |WIDTH = 2 |DOLLARS = 300 ",
    ),
    (
        ("Buy below the lower Bollinger band and sell at the middle band, 30 ticks, 2.5 standard deviations"),
        "bollinger",
        "PERIOD = 30 |WIDTH = 2.5 |price > middle:",
    ),
    (
        ("buy when the price breaks above the upper bollinger band, sell when it falls below the middle band"),
        "bollinger",
        "price > middle + reach|price < middle:",
    ),
    (
        ("buy when the price breaks above the 20-tick high and sell when it falls below the 10-tick low"),
        "breakout",
        "ENTRY = 20 |LEAVE = 10 ",
    ),
    ("Donchian channel breakout, 55 ticks, SOLUSDT", "breakout", "ENTRY = 55 |LEAVE = 55 "),
    (
        "turtle trading on ETH: buy new 55-tick highs and sell new 20-tick lows",
        "breakout",
        "ENTRY = 55 |LEAVE = 20 ",
    ),
    (
        (
            "buy on a break above the highest price of the last 30 ticks, sell below the "
            "lowest price of "
            "the last 15 ticks"
        ),
        "breakout",
        "ENTRY = 30 |LEAVE = 15 ",
    ),
    (
        ("Breakout bot for BTC using 60 second channel, all in with a 1% stop-loss and a 2% take-profit"),
        "breakout",
        "ENTRY = 60 |STOP_LOSS = 0.01 |TAKE_PROFIT = 0.02 ",
    ),
    (
        "mean reversion over 50 ticks: buy 2 std below the mean, sell back at the mean",
        "mean_reversion",
        "PERIOD = 50 |BUY_BELOW = 2 |SELL_ABOVE = 0 ",
    ),
    (
        "buy when z-score is below -2 over the last 50 ticks and sell when it is above 0",
        "mean_reversion",
        "PERIOD = 50 |BUY_BELOW = 2 |SELL_ABOVE = 0 ",
    ),
    (
        "mean reversion with z-score 1.5 over 40 ticks on ETHUSDT",
        "mean_reversion",
        "PERIOD = 40 |BUY_BELOW = 1.5 ",
    ),
    (
        "Buy when ETH is 2 sigma below the 60-tick mean, sell when it's 1 sigma above",
        "mean_reversion",
        "PERIOD = 60 |BUY_BELOW = 2 |SELL_ABOVE = 1 ",
    ),
    (
        ("buy when the price is 1% below its 50-tick average and sell when it is back at the average"),
        "mean_reversion",
        "PERIOD = 50 |BUY_BELOW = 0.01 |SELL_ABOVE = 0 ",
    ),
    (
        "trade the ETH/BTC ratio reversion over 100 ticks with half my cash",
        "pairs",
        'PERIOD = 100 |FIRST = "ETHUSDT"|CASH_SHARE = 0.5 ',
    ),
    (
        (
            "pairs trading: when the ETH/BTC ratio is 2 standard deviations below its "
            "60-tick mean buy "
            "ETH, when 2 standard deviations above buy BTC"
        ),
        "pairs",
        "PERIOD = 60 |ENTRY = 2 ",
    ),
    (
        "Statistical arbitrage on ETH/BTC: z-score of the ratio over 120 ticks, enter at 1.5 std",
        "pairs",
        "PERIOD = 120 |ENTRY = 1.5 ",
    ),
    ("trade the spread between SOL and ETH", "pairs", 'FIRST = "SOLUSDT"|SECOND = "ETHUSDT"'),
    (
        "buy when the price rises 0.1% over 20 ticks, sell when it falls 0.1%",
        "momentum",
        "PERIOD = 20 |BUY_CHANGE = 0.001 |SELL_CHANGE = 0.001 ",
    ),
    ("momentum strategy, 30 ticks", "momentum", "PERIOD = 30 "),
    ("rate of change ROC(10) on ETH, size 0.05 ETH", "momentum", "PERIOD = 10 |SIZE = 0.05 "),
    (
        "buy if price went up over the last 20 ticks and sell if it went down",
        "momentum",
        "PERIOD = 20 |BUY_CHANGE = 0 ",
    ),
    (
        "momentum: buy if the price is up 0.2% over the last minute, sell if it is down",
        "momentum",
        "PERIOD = 60 |BUY_CHANGE = 0.002 |SELL_CHANGE = 0 ",
    ),
    (
        "buy when price drops 1% in 5 minutes, take profit at 2%, stop loss 1%",
        "dip_buying",
        "PERIOD = 300 |BUY_CHANGE = 0.01 |TAKE_PROFIT = 0.02 |STOP_LOSS = 0.01 ",
    ),
    (
        "buy after a 0.5% drop over 60 ticks, sell after a 0.5% rise",
        "dip_buying",
        "PERIOD = 60 |BUY_CHANGE = 0.005 |SELL_CHANGE = 0.005 ",
    ),
    (
        "buy the dip: buy when BTC falls 2% in the last 10 minutes and take profit at 1%",
        "dip_buying",
        "PERIOD = 600 |BUY_CHANGE = 0.02 |TAKE_PROFIT = 0.01 ",
    ),
    (
        "grid with 10 levels 0.5% apart on BTC, $500 per level",
        "grid",
        "LEVELS = 10 |STEP = 0.005 |DOLLARS = 500 ",
    ),
    (
        "grid between 60000 and 70000 with 10 levels",
        "grid",
        "LOW = 60000|HIGH = 70000|LEVELS = 10 ",
    ),
    (
        "grid trading on ETHUSDT, 8 levels, 0.3% spacing, 0.05 ETH per level",
        "grid",
        "LEVELS = 8 |STEP = 0.003 |SIZE = 0.05 ",
    ),
    ("grid bot from $60,000 to $70,000 with 20 levels on BTC", "grid", "LEVELS = 20 |LOW = 60000"),
    ("DCA $50 every 100 ticks into BTC", "dca", "INTERVAL = 100 |DOLLARS = 50 "),
    ("buy 0.001 BTC every 5 minutes", "dca", "INTERVAL = 300 |SIZE = 0.001 "),
    ("buy $25 of ether every hour", "dca", 'INTERVAL = 3600 |DOLLARS = 25 |SYMBOL = "ETHUSDT"'),
    ("every 10 minutes buy $20 of bitcoin", "dca", "INTERVAL = 600 |DOLLARS = 20 "),
    ("dollar cost average $100 into ETH hourly", "dca", "INTERVAL = 3600 |DOLLARS = 100 "),
    ("invest 5% of my cash in BTC every 1000 ticks", "dca", "INTERVAL = 1000 |CASH_SHARE = 0.05 "),
    ("buy and hold BTC", "buy_and_hold", "CASH_SHARE = 0.99 "),
    ("HODL bitcoin", "buy_and_hold", 'SYMBOL = "BTCUSDT"'),
    ("buy and hold 60/40 BTC/ETH", "buy_and_hold", '{"BTCUSDT": 0.6, "ETHUSDT": 0.4}'),
    ("put 60% in BTC and 40% in ETH and hold", "buy_and_hold", '{"BTCUSDT": 0.6, "ETHUSDT": 0.4}'),
    (
        "split my cash equally between BTC and ETH and hold",
        "buy_and_hold",
        '{"BTCUSDT": 0.5, "ETHUSDT": 0.5}',
    ),
    ("buy 0.05 BTC at the start and hold forever", "buy_and_hold", "SIZE = 0.05 "),
    ("buy and hold BTC with a 5% stop loss", "buy_and_hold", "STOP_LOSS = 0.05 "),
    (
        "rebalance 50/50 BTC and ETH every hour",
        "rebalance",
        'INTERVAL = 3600 |{"BTCUSDT": 0.5, "ETHUSDT": 0.5}',
    ),
    (
        "keep 60% BTC, 30% ETH and 10% cash, rebalance every 500 ticks",
        "rebalance",
        'INTERVAL = 500 |{"BTCUSDT": 0.6, "ETHUSDT": 0.3}',
    ),
    (
        "keep a 50/50 portfolio of BTC and cash, rebalance when it drifts by more than 5%",
        "rebalance",
        'MIN_DRIFT = 0.05 |{"BTCUSDT": 0.5}',
    ),
    ("Rebalance equally between BTC, ETH and SOL every 200 ticks", "rebalance", "INTERVAL = 200 "),
    (
        "buy below 60000 and sell above 70000",
        "price_levels",
        "BUY_PRICE = 60000 |SELL_PRICE = 70000 |price < BUY_PRICE|price > SELL_PRICE",
    ),
    (
        "buy 0.01 BTC if the price drops below $60,000, and sell if it goes above 70k",
        "price_levels",
        "BUY_PRICE = 60000 |SELL_PRICE = 70000 |SIZE = 0.01 ",
    ),
    ("Buy ETH at 3000, sell at 3500", "price_levels", "price <= BUY_PRICE|price >= SELL_PRICE"),
]


def bot(phrase: str) -> Written:
    answer = write_bot(phrase, MARKET)
    assert isinstance(answer, Written), answer
    return answer


@pytest.mark.parametrize(("phrase", "strategy", "pieces"), PHRASES, ids=lambda v: str(v)[:40])
def test_a_sensible_phrase_gives_its_strategy_with_its_numbers(phrase, strategy, pieces):
    written = bot(phrase)
    assert written.strategy == strategy
    for piece in pieces.split("|"):
        assert piece in written.source


@pytest.mark.parametrize(("phrase", "strategy", "pieces"), PHRASES, ids=lambda v: str(v)[:40])
def test_every_bot_is_plain_python_with_few_imports_and_no_underscores(phrase, strategy, pieces):
    tree = ast.parse(bot(phrase).source)
    functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert {"init", "on_tick"} <= functions
    assert ast.get_docstring(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = {node.module} if isinstance(node, ast.ImportFrom) else {a.name for a in node.names}
            assert modules <= {"math", "statistics", "collections"}
        if isinstance(node, ast.Name | ast.Attribute):
            name = node.id if isinstance(node, ast.Name) else node.attr
            assert not name.startswith("_")
        if isinstance(node, ast.FunctionDef):
            assert ast.get_docstring(node)
            assert node.end_lineno - node.lineno < 40
    assert "@" not in bot(phrase).source


def test_the_prompt_of_the_guide_is_understood_word_for_word():
    if not GUIDE.exists():
        pytest.skip(f"{GUIDE} is not here")
    prompt = re.search(r"Example prompt:\s*```\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert prompt is not None
    written = bot(prompt[1])
    assert written.strategy == "ema_cross"
    assert "PERIOD = 20 " in written.source
    assert "SIZE = 0.01 " in written.source
    assert 'NAME = "EMA 20 cross BTCUSDT"' in written.source


def test_the_same_words_give_the_same_bot():
    for phrase, _, _ in PHRASES:
        assert bot(phrase) == bot(phrase)


@pytest.mark.parametrize(
    "mangle",
    [
        str.upper,
        lambda p: p.replace(" ", "\n"),
        lambda p: f"  {p}!!!  ",
        lambda p: p.replace(" ", "\u00a0"),
        lambda p: f"\u201c{p}\u201d \U0001f680",
        lambda p: p.replace("-", "\u2011"),
    ],
)
def test_case_white_space_quotes_and_dashes_do_not_matter(mangle):
    phrase = "buy when the price crosses above its 20-tick EMA, sell below, 0.01 BTC"
    assert bot(mangle(phrase)) == bot(phrase)


def test_the_summary_says_what_was_filled_in():
    summary = bot("MACD crossover").summary
    assert "No look-backs were given" in summary
    assert "No size was given" in summary
    assert "No symbol was named" in summary


def test_symbols_are_known_by_any_of_their_names():
    for name in ("BTC", "bitcoin", "BTCUSDT", "btc/usdt", "BTC-USD", "xbt"):
        assert 'SYMBOL = "BTCUSDT"' in bot(f"RSI 30/70 on {name}").source
    for name in ("ETH", "ether", "Ethereum", "ETHUSDT", "eth/usdt"):
        assert 'SYMBOL = "ETHUSDT"' in bot(f"RSI 30/70 on {name}").source


def test_the_first_symbol_serves_where_none_is_named_and_bitcoin_is_not_traded():
    answer = write_bot("RSI 30/70", ("EURUSD", "GBPUSD"))
    assert isinstance(answer, Written)
    assert 'SYMBOL = "EURUSD"' in answer.source
