"""What the template provider understands, phrase by phrase; long because it is one table of phrases."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from arena.llm.template import Written, write_bot

MARKET = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
GUIDE = Path(__file__).parents[4] / "shared" / "GUIDE.md"

# phrase, strategy, what the bot says it does
PHRASES = [
    (
        "buy when BTCUSDT crosses above its 20-tick EMA, sell below, 0.01 BTC",
        "ema_cross",
        "Buys 0.01 BTCUSDT when the price crosses above the 20-tick EMA. Sells the whole position when the price is below the 20-tick EMA.",
    ),
    (
        "buy when the price crosses above its 20-tick EMA, sell below, 0.01 BTC",
        "ema_cross",
        "Buys 0.01 BTCUSDT when the price crosses above the 20-tick EMA. Sells the whole position when the price is below the 20-tick EMA.",
    ),
    (
        "EMA(20)",
        "ema_cross",
        "Buys BTCUSDT with 10% of its cash when the price crosses above the 20-tick EMA. Sells the whole position when the price crosses below the 20-tick EMA.",
    ),
    (
        "buy when the price crosses above its 1,000-tick EMA, sell below",
        "ema_cross",
        "Buys BTCUSDT with 10% of its cash when the price crosses above the 1000-tick EMA. Sells the whole position when the price is below the 1000-tick EMA.",
    ),
    (
        "Go long ETH when it crosses over the 50-period exponential moving average; exit when it crosses under. Size 0.2 ETH.",
        "ema_cross",
        "Buys 0.2 ETHUSDT when the price crosses above the 50-tick EMA. Sells the whole position when the price crosses below the 50-tick EMA.",
    ),
    (
        "Use a twenty tick simple moving average on BTC. Buy 0.02 BTC when the price goes above it and sell when it drops below it.",
        "sma_cross",
        "Buys 0.02 BTCUSDT when the price crosses above the 20-tick SMA. Sells the whole position when the price crosses below the 20-tick SMA.",
    ),
    (
        "When price is above the 50 SMA, buy; when it falls below, sell",
        "sma_cross",
        "Buys BTCUSDT with 10% of its cash when the price is above the 50-tick SMA. Sells the whole position when the price crosses below the 50-tick SMA.",
    ),
    (
        "price crosses above 30 tick moving average: buy. price crosses below: sell. Use half of my cash",
        "sma_cross",
        "Buys BTCUSDT with 50% of its cash when the price crosses above the 30-tick SMA. Sells the whole position when the price crosses below the 30-tick SMA.",
    ),
    (
        "buy when the 20 EMA is below the price and sell when it is above the price",
        "ema_cross",
        "Buys BTCUSDT with 10% of its cash when the price is above the 20-tick EMA. Sells the whole position when the price is below the 20-tick EMA.",
    ),
    (
        "buy when the price drops below its 20-tick SMA and sell when it rises above it",
        "sma_cross",
        "Buys BTCUSDT with 10% of its cash when the price crosses below the 20-tick SMA. Sells the whole position when the price crosses above the 20-tick SMA.",
    ),
    (
        "trend following on BTC with a 100 tick moving average",
        "sma_cross",
        "Buys BTCUSDT with 10% of its cash when the price crosses above the 100-tick SMA. Sells the whole position when the price crosses below the 100-tick SMA.",
    ),
    (
        "Buy/sell BTC when the price crosses above/below its 20 tick EMA",
        "ema_cross",
        "Buys BTCUSDT with 10% of its cash when the price crosses above the 20-tick EMA. Sells the whole position when the price crosses below the 20-tick EMA.",
    ),
    (
        "long BTC above the 50 SMA, flat below",
        "sma_cross",
        "Buys BTCUSDT with 10% of its cash when the price is above the 50-tick SMA. Sells the whole position when the price is below the 50-tick SMA.",
    ),
    (
        "hold BTC while the price is above its 100-tick SMA, otherwise stay in cash",
        "sma_cross",
        "Buys BTCUSDT with 10% of its cash when the price is above the 100-tick SMA. Sells the whole position when the price is below the 100-tick SMA.",
    ),
    (
        "I'd like a strategy which enters when the price rises above its 15-period EMA and exits when price falls back below the EMA",
        "ema_cross",
        "Buys BTCUSDT with 10% of its cash when the price crosses above the 15-tick EMA. Sells the whole position when the price crosses below the 15-tick EMA.",
    ),
    (
        "Use a 20-tick EMA. Buy 0.01 BTC when price > EMA; sell when price < EMA",
        "ema_cross",
        "Buys 0.01 BTCUSDT when the price is above the 20-tick EMA. Sells the whole position when the price is below the 20-tick EMA.",
    ),
    (
        "on 1-minute bars: buy when price crosses above its 30 minute SMA, sell below",
        "sma_cross",
        "Buys BTCUSDT with 10% of its cash when the price crosses above the 30-bar SMA. Sells the whole position when the price is below the 30-bar SMA. Its bars are 60 seconds long.",
    ),
    (
        "buy when price crosses above its 5 minute SMA, sell below",
        "sma_cross",
        "Buys BTCUSDT with 10% of its cash when the price crosses above the 300-tick SMA. Sells the whole position when the price is below the 300-tick SMA.",
    ),
    (
        "Buy bitcoin when its price crosses above the 20-tick EMA with a 2% stop loss and 5% take profit, using 20% of my cash",
        "ema_cross",
        "Buys BTCUSDT with 20% of its cash when the price crosses above the 20-tick EMA. Sells the whole position when the price is 5% above the entry. Sells the whole position when the price is 2% below the entry.",
    ),
    (
        "Buy 0.01 BTC when price crosses above EMA 20. Sell when price crosses below EMA 20 or take profit at 5%",
        "ema_cross",
        "Buys 0.01 BTCUSDT when the price crosses above the 20-tick EMA. Sells the whole position when the price crosses below the 20-tick EMA. Sells the whole position when the price is 5% above the entry.",
    ),
    (
        "10/30 SMA crossover on ETH with 10% of cash",
        "sma_crossover",
        "Buys ETHUSDT with 10% of its cash when the 10-tick SMA crosses above the 30-tick SMA. Sells the whole position when the 10-tick SMA crosses below the 30-tick SMA.",
    ),
    (
        "SMA(10) vs SMA(30) on SOL with $1,000",
        "sma_crossover",
        "Buys 1000 dollars' worth of SOLUSDT when the 10-tick SMA crosses above the 30-tick SMA. Sells the whole position when the 10-tick SMA crosses below the 30-tick SMA.",
    ),
    (
        "golden cross strategy on bitcoin, all in",
        "sma_crossover",
        "Buys BTCUSDT with all its cash when the 50-tick SMA crosses above the 200-tick SMA. Sells the whole position when the 50-tick SMA crosses below the 200-tick SMA.",
    ),
    (
        "buy BTC w/ 10% of cash on golden cross of 20 and 100 EMA, sell on death cross",
        "ema_crossover",
        "Buys BTCUSDT with 10% of its cash when the 20-tick EMA crosses above the 100-tick EMA. Sells the whole position when the 20-tick EMA crosses below the 100-tick EMA.",
    ),
    (
        "EMA 12/26 crossover with trailing stop of 3%",
        "ema_crossover",
        "Buys BTCUSDT with 10% of its cash when the 12-tick EMA crosses above the 26-tick EMA. Sells the whole position when the 12-tick EMA crosses below the 26-tick EMA. Sells the whole position when the price is 3% below its best since the entry.",
    ),
    (
        "Buy when the fast EMA (12) crosses above the slow EMA (26), sell on the opposite cross",
        "ema_crossover",
        "Buys BTCUSDT with 10% of its cash when the 12-tick EMA crosses above the 26-tick EMA. Sells the whole position when the 12-tick EMA crosses below the 26-tick EMA.",
    ),
    (
        "buy when the slow 30-tick SMA crosses below the fast 10-tick SMA and sell otherwise",
        "sma_crossover",
        "Buys BTCUSDT with 10% of its cash when the 30-tick SMA crosses below the 10-tick SMA. Sells the whole position when the 30-tick SMA crosses above the 10-tick SMA.",
    ),
    (
        "Please make me a bot which buys bitcoin with 25% of its cash whenever the fast 10 tick SMA crosses over the slow 50 tick SMA, and sells everything when it crosses back under. Log all trades.",
        "sma_crossover",
        "Buys BTCUSDT with 25% of its cash when the 10-tick SMA crosses above the 50-tick SMA. Sells the whole position when the 10-tick SMA crosses below the 50-tick SMA.",
    ),
    (
        "RSI(14) 30/70 on BTC",
        "rsi",
        "Buys BTCUSDT with 10% of its cash when the 14-tick RSI is below 30. Sells the whole position when the 14-tick RSI is above 70.",
    ),
    (
        "buy when RSI is below 25 and sell when it is above 75, $500 per trade, 2% stop loss",
        "rsi",
        "Buys 500 dollars' worth of BTCUSDT when the 14-tick RSI is below 25. Sells the whole position when the 14-tick RSI is above 75. Sells the whole position when the price is 2% below the entry.",
    ),
    (
        "Buy oversold, sell overbought using a 7-period RSI with levels 20/80",
        "rsi",
        "Buys BTCUSDT with 10% of its cash when the 7-tick RSI is below 20. Sells the whole position when the 7-tick RSI is above 80.",
    ),
    (
        "RSI below 30 buy, above 70 sell, position size 0.01 BTC, take profit 3%",
        "rsi",
        "Buys 0.01 BTCUSDT when the 14-tick RSI is below 30. Sells the whole position when the 14-tick RSI is above 70. Sells the whole position when the price is 3% above the entry.",
    ),
    (
        "buy when RSI crosses above 30 and sell when RSI crosses below 70",
        "rsi",
        "Buys BTCUSDT with 10% of its cash when the 14-tick RSI crosses above 30. Sells the whole position when the 14-tick RSI crosses below 70.",
    ),
    (
        "use the relative strength index with a period of 21 to trade ETHUSDT",
        "rsi",
        "Buys ETHUSDT with 10% of its cash when the 21-tick RSI is below 30. Sells the whole position when the 21-tick RSI is above 70.",
    ),
    (
        "Could you please write a simple bot that buys 1 unit of SOL when RSI(2) < 10 and sells when RSI(2) > 90?",
        "rsi",
        "Buys 1 SOLUSDT when the 2-tick RSI is below 10. Sells the whole position when the 2-tick RSI is above 90.",
    ),
    (
        "MACD 12,26,9 on ETHUSDT, 0.1 ETH",
        "macd",
        "Buys 0.1 ETHUSDT when the MACD line (12, 26, 9) crosses above its signal line. Sells the whole position when the MACD line (12, 26, 9) crosses below its signal line.",
    ),
    (
        "MACD crossover on BTC",
        "macd",
        "Buys BTCUSDT with 10% of its cash when the MACD line (12, 26, 9) crosses above its signal line. Sells the whole position when the MACD line (12, 26, 9) crosses below its signal line.",
    ),
    (
        "When MACD line crosses above the signal line buy 0.01 BTC, sell when it crosses below",
        "macd",
        "Buys 0.01 BTCUSDT when the MACD line (12, 26, 9) crosses above its signal line. Sells the whole position when the MACD line (12, 26, 9) crosses below its signal line.",
    ),
    (
        "MACD(5, 35, 5) with 1% stop",
        "macd",
        "Buys BTCUSDT with 10% of its cash when the MACD line (5, 35, 5) crosses above its signal line. Sells the whole position when the MACD line (5, 35, 5) crosses below its signal line. Sells the whole position when the price is 1% below the entry.",
    ),
    (
        "Bollinger bands 20 period 2 std: buy at the lower band, sell at the upper band",
        "bollinger",
        "Buys BTCUSDT with 10% of its cash when the price is at or below the lower Bollinger band (20 ticks, 2 deviations). Sells the whole position when the price is at or above the upper Bollinger band (20 ticks, 2 deviations).",
    ),
    (
        "Bollinger(20, 2) mean reversion on BTCUSDT with $300",
        "bollinger",
        "Buys 300 dollars' worth of BTCUSDT when the price is below the lower Bollinger band (20 ticks, 2 deviations). Sells the whole position when the price is above the upper Bollinger band (20 ticks, 2 deviations).",
    ),
    (
        "Buy below the lower Bollinger band and sell at the middle band, 30 ticks, 2.5 standard deviations",
        "bollinger",
        "Buys BTCUSDT with 10% of its cash when the price is below the lower Bollinger band (30 ticks, 2.5 deviations). Sells the whole position when the price is at or above the middle Bollinger band (30 ticks, 0 deviations).",
    ),
    (
        "buy when the price breaks above the upper bollinger band, sell when it falls below the middle band",
        "bollinger",
        "Buys BTCUSDT with 10% of its cash when the price is above the upper Bollinger band (20 ticks, 2 deviations). Sells the whole position when the price is below the middle Bollinger band (20 ticks, 0 deviations).",
    ),
    (
        "buy when the price breaks above the 20-tick high and sell when it falls below the 10-tick low",
        "breakout",
        "Buys BTCUSDT with 10% of its cash when the price is above the high of the 20 ticks before. Sells the whole position when the price is below the low of the 10 ticks before.",
    ),
    (
        "Donchian channel breakout, 55 ticks, SOLUSDT",
        "breakout",
        "Buys SOLUSDT with 10% of its cash when the price is above the high of the 55 ticks before. Sells the whole position when the price is below the low of the 55 ticks before.",
    ),
    (
        "turtle trading on ETH: buy new 55-tick highs and sell new 20-tick lows",
        "breakout",
        "Buys ETHUSDT with 10% of its cash when the price is above the high of the 55 ticks before. Sells the whole position when the price is below the low of the 20 ticks before.",
    ),
    (
        "buy on a break above the highest price of the last 30 ticks, sell below the lowest price of the last 15 ticks",
        "breakout",
        "Buys BTCUSDT with 10% of its cash when the price is above the high of the 30 ticks before. Sells the whole position when the price is below the low of the 15 ticks before.",
    ),
    (
        "Breakout bot for BTC using 60 second channel, all in with a 1% stop-loss and a 2% take-profit",
        "breakout",
        "Buys BTCUSDT with all its cash when the price is above the high of the 60 ticks before. Sells the whole position when the price is below the low of the 60 ticks before. Sells the whole position when the price is 2% above the entry. Sells the whole position when the price is 1% below the entry.",
    ),
    (
        "mean reversion over 50 ticks: buy 2 std below the mean, sell back at the mean",
        "mean_reversion",
        "Buys BTCUSDT with 10% of its cash when the 50-tick z-score of the price is at or below -2. Sells the whole position when the 50-tick z-score of the price is at or above 0.",
    ),
    (
        "buy when z-score is below -2 over the last 50 ticks and sell when it is above 0",
        "mean_reversion",
        "Buys BTCUSDT with 10% of its cash when the 50-tick z-score of the price is below -2. Sells the whole position when the 50-tick z-score of the price is above 0.",
    ),
    (
        "mean reversion with z-score 1.5 over 40 ticks on ETHUSDT",
        "mean_reversion",
        "Buys ETHUSDT with 10% of its cash when the 40-tick z-score of the price is at or below -1.5. Sells the whole position when the 40-tick z-score of the price is at or above 0.",
    ),
    (
        "Buy when ETH is 2 sigma below the 60-tick mean, sell when it's 1 sigma above",
        "mean_reversion",
        "Buys ETHUSDT with 10% of its cash when the 60-tick z-score of the price is at or below -2. Sells the whole position when the 60-tick z-score of the price is at or above 1.",
    ),
    (
        "buy when the price is 1% below its 50-tick average and sell when it is back at the average",
        "mean_reversion",
        "Buys BTCUSDT with 10% of its cash when the price is at or below 1% below the 50-tick SMA. Sells the whole position when the price is at or above the 50-tick SMA.",
    ),
    (
        "trade the ETH/BTC ratio reversion over 100 ticks with half my cash",
        "pairs",
        "Buys the cheap one of ETHUSDT and BTCUSDT when their 100-tick ratio is 2 deviations from its mean, and sells it at the mean.",
    ),
    (
        "pairs trading: when the ETH/BTC ratio is 2 standard deviations below its 60-tick mean buy ETH, when 2 standard deviations above buy BTC",
        "pairs",
        "Buys the cheap one of ETHUSDT and BTCUSDT when their 60-tick ratio is 2 deviations from its mean, and sells it at the mean.",
    ),
    (
        "Statistical arbitrage on ETH/BTC: z-score of the ratio over 120 ticks, enter at 1.5 std",
        "pairs",
        "Buys the cheap one of ETHUSDT and BTCUSDT when their 120-tick ratio is 1.5 deviations from its mean, and sells it at the mean.",
    ),
    (
        "trade the spread between SOL and ETH",
        "pairs",
        "Buys the cheap one of SOLUSDT and ETHUSDT when their 60-tick ratio is 2 deviations from its mean, and sells it at the mean.",
    ),
    (
        "buy when the price rises 0.1% over 20 ticks, sell when it falls 0.1%",
        "momentum",
        "Buys BTCUSDT with 10% of its cash when the change over 20 ticks is at or above 0.1%. Sells the whole position when the change over 20 ticks is at or below -0.1%.",
    ),
    (
        "momentum strategy, 30 ticks",
        "momentum",
        "Buys BTCUSDT with 10% of its cash when the change over 30 ticks is above 0%. Sells the whole position when the change over 30 ticks is below 0%.",
    ),
    (
        "rate of change ROC(10) on ETH, size 0.05 ETH",
        "momentum",
        "Buys 0.05 ETHUSDT when the change over 10 ticks is above 0%. Sells the whole position when the change over 10 ticks is below 0%.",
    ),
    (
        "buy if price went up over the last 20 ticks and sell if it went down",
        "momentum",
        "Buys BTCUSDT with 10% of its cash when the change over 20 ticks is above 0%. Sells the whole position when the change over 20 ticks is below 0%.",
    ),
    (
        "momentum: buy if the price is up 0.2% over the last minute, sell if it is down",
        "momentum",
        "Buys BTCUSDT with 10% of its cash when the change over 60 ticks is at or above 0.2%. Sells the whole position when the change over 60 ticks is below 0%.",
    ),
    (
        "buy when price drops 1% in 5 minutes, take profit at 2%, stop loss 1%",
        "dip_buying",
        "Buys BTCUSDT with 10% of its cash when the change over 300 ticks is at or below -1%. Sells the whole position when the price is 2% above the entry. Sells the whole position when the price is 1% below the entry.",
    ),
    (
        "buy after a 0.5% drop over 60 ticks, sell after a 0.5% rise",
        "dip_buying",
        "Buys BTCUSDT with 10% of its cash when the change over 60 ticks is at or below -0.5%. Sells the whole position when the change over 60 ticks is at or above 0.5%.",
    ),
    (
        "buy the dip: buy when BTC falls 2% in the last 10 minutes and take profit at 1%",
        "dip_buying",
        "Buys BTCUSDT with 10% of its cash when the change over 600 ticks is at or below -2%. Sells the whole position when the price is 1% above the entry.",
    ),
    (
        "grid with 10 levels 0.5% apart on BTC, $500 per level",
        "grid",
        "Trades 500 dollars' worth of BTCUSDT at each level on 10 levels 0.5% apart.",
    ),
    (
        "grid between 60000 and 70000 with 10 levels",
        "grid",
        "Trades BTCUSDT with all its cash in all on 10 levels between 60000 and 70000.",
    ),
    (
        "grid trading on ETHUSDT, 8 levels, 0.3% spacing, 0.05 ETH per level",
        "grid",
        "Trades 0.05 ETHUSDT at each level on 8 levels 0.3% apart.",
    ),
    (
        "grid bot from $60,000 to $70,000 with 20 levels on BTC",
        "grid",
        "Trades BTCUSDT with all its cash in all on 20 levels between 60000 and 70000.",
    ),
    ("DCA $50 every 100 ticks into BTC", "dca", "Buys 50 dollars' worth of BTCUSDT every 100 ticks."),
    ("buy 0.001 BTC every 5 minutes", "dca", "Buys 0.001 BTCUSDT every 300 ticks."),
    ("buy $25 of ether every hour", "dca", "Buys 25 dollars' worth of ETHUSDT every 3600 ticks."),
    ("every 10 minutes buy $20 of bitcoin", "dca", "Buys 20 dollars' worth of BTCUSDT every 600 ticks."),
    ("dollar cost average $100 into ETH hourly", "dca", "Buys 100 dollars' worth of ETHUSDT every 3600 ticks."),
    ("invest 5% of my cash in BTC every 1000 ticks", "dca", "Buys BTCUSDT with 5% of its cash every 1000 ticks."),
    ("buy and hold BTC", "buy_and_hold", "Buys BTCUSDT with all its cash when it starts."),
    ("HODL bitcoin", "buy_and_hold", "Buys BTCUSDT with all its cash when it starts."),
    (
        "buy and hold 60/40 BTC/ETH",
        "buy_and_hold",
        "Buys 60% BTCUSDT and 40% ETHUSDT with its starting cash and keeps them.",
    ),
    (
        "put 60% in BTC and 40% in ETH and hold",
        "buy_and_hold",
        "Buys 60% BTCUSDT and 40% ETHUSDT with its starting cash and keeps them.",
    ),
    (
        "split my cash equally between BTC and ETH and hold",
        "buy_and_hold",
        "Buys 50% BTCUSDT and 50% ETHUSDT with its starting cash and keeps them.",
    ),
    ("buy 0.05 BTC at the start and hold forever", "buy_and_hold", "Buys 0.05 BTCUSDT when it starts."),
    (
        "buy and hold BTC with a 5% stop loss",
        "buy_and_hold",
        "Buys BTCUSDT with all its cash when it starts. Sells the whole position when the price is 5% below the entry.",
    ),
    (
        "rebalance 50/50 BTC and ETH every hour",
        "rebalance",
        "Keeps 50% BTCUSDT and 50% ETHUSDT of its equity, restored every 3600 ticks.",
    ),
    (
        "keep 60% BTC, 30% ETH and 10% cash, rebalance every 500 ticks",
        "rebalance",
        "Keeps 60% BTCUSDT and 30% ETHUSDT of its equity, restored every 500 ticks.",
    ),
    (
        "keep a 50/50 portfolio of BTC and cash, rebalance when it drifts by more than 5%",
        "rebalance",
        "Keeps 50% BTCUSDT of its equity, restored at any tick if one has drifted by more than 5%.",
    ),
    (
        "Rebalance equally between BTC, ETH and SOL every 200 ticks",
        "rebalance",
        "Keeps 33.33% BTCUSDT and 33.33% ETHUSDT and 33.33% SOLUSDT of its equity, restored every 200 ticks.",
    ),
    (
        "buy below 60000 and sell above 70000",
        "price_levels",
        "Buys BTCUSDT with 10% of its cash when the price is below 60000. Sells the whole position when the price is above 70000.",
    ),
    (
        "buy 0.01 BTC if the price drops below $60,000, and sell if it goes above 70k",
        "price_levels",
        "Buys 0.01 BTCUSDT when the price is below 60000. Sells the whole position when the price is above 70000.",
    ),
    (
        "Buy ETH at 3000, sell at 3500",
        "price_levels",
        "Buys ETHUSDT with 10% of its cash when the price is at or below 3000. Sells the whole position when the price is at or above 3500.",
    ),
]


def bot(phrase: str) -> Written:
    answer = write_bot(phrase, MARKET)
    assert isinstance(answer, Written), answer
    return answer


@pytest.mark.parametrize(("phrase", "strategy", "said"), PHRASES, ids=lambda v: str(v)[:40])
def test_a_sensible_phrase_gives_its_strategy_with_its_numbers(phrase, strategy, said):
    written = bot(phrase)
    assert written.strategy == strategy
    assert " ".join((ast.get_docstring(ast.parse(written.source)) or "").split()) == said


@pytest.mark.parametrize(("phrase", "strategy", "said"), PHRASES, ids=lambda v: str(v)[:40])
def test_every_bot_is_plain_python_with_few_imports_and_no_underscores(phrase, strategy, said):
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
    assert "EMA_PERIOD = 20 " in written.source
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
        assert 'SYMBOLS = ["BTCUSDT"]' in bot(f"RSI 30/70 on {name}").source
    for name in ("ETH", "ether", "Ethereum", "ETHUSDT", "eth/usdt"):
        assert 'SYMBOLS = ["ETHUSDT"]' in bot(f"RSI 30/70 on {name}").source


def test_the_first_symbol_serves_where_none_is_named_and_bitcoin_is_not_traded():
    answer = write_bot("RSI 30/70", ("EURUSD", "GBPUSD"))
    assert isinstance(answer, Written)
    assert 'SYMBOLS = ["EURUSD"]' in answer.source


@pytest.mark.parametrize(
    ("words", "read"),
    [
        ("buy when BTC is above 60.250 thousand, sell below 59.5k", ("60250.", "59500.")),
        ("buy $1.9 thousand of BTC when RSI < 30, sell when RSI > 70", ("Buys 1900 dollars",)),
        ("buy 1.5 thousand dollars of BTC when RSI < 30, sell when RSI > 70", ("Buys 1500 dollars",)),
        ("buy when BTC is over sixty thousand, sell below fifty-nine thousand", ("60000.", "59000.")),
        ("buy 0.5 $ETH when RSI < 30, sell when RSI > 70", ("Buys 0.5 ETHUSDT",)),
        ("buy 5000 $ BTC when RSI < 30, sell when RSI > 70", ("Buys 5000 dollars",)),
        ("buy if the market closes above 60000, sell if it closes below 59000", ("above 60000.", "below 59000.")),
    ],
)
def test_a_number_is_read_whole(words, read):
    assert [each for each in read if each not in bot(words).summary] == []


@pytest.mark.parametrize("number", ["60,5 thousand", "1,500 thousand", "1,500k", "1.2345k", "2 and a half thousand"])
def test_a_number_that_is_read_in_part_only_is_none(number):
    assert not isinstance(write_bot(f"buy when BTC is above {number}, sell below 59000", MARKET), Written)
