"""SMA 10/30 in backtrader: read the bars of a CSV, play them, print one JSON line."""

from __future__ import annotations

import datetime as dt
import json
import sys
import time

import backtrader as bt


class Sma(bt.Strategy):
    """Hold one unit while the fast average is above the slow one."""

    def __init__(self) -> None:
        """Name the averages; they are computed for all bars at once before the first `next`."""
        self.fast = bt.indicators.SMA(self.data.close, period=10)
        self.slow = bt.indicators.SMA(self.data.close, period=30)
        self.fills = 0

    def next(self) -> None:
        """Look at a bar; an order fills at the next one's open."""
        if self.fast[0] > self.slow[0]:
            if not self.position:
                self.buy(size=1)
        elif self.position:
            self.close()

    def notify_order(self, order: bt.Order) -> None:
        """Count what was filled."""
        self.fills += order.status == order.Completed


def utc(text: str) -> dt.datetime:
    """Return the time of a bar."""
    return dt.datetime.fromtimestamp(float(text), dt.UTC).replace(tzinfo=None)


def main() -> None:
    """Play and print."""
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.broker.setcash(1_000_000)
    cerebro.addstrategy(Sma)
    cerebro.adddata(
        bt.feeds.GenericCSVData(dataname=sys.argv[1], dtformat=utc, openinterest=-1, timeframe=bt.TimeFrame.Minutes)
    )
    started = time.perf_counter()
    strategy = cerebro.run()[0]
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "bars": len(strategy.data), "fills": strategy.fills}))


if __name__ == "__main__":
    main()
