"""SMA 10/30 in backtesting.py: read the bars of a CSV, play them, print one JSON line."""

from __future__ import annotations

import json
import sys
import time
import warnings

import pandas as pd
from backtesting import Backtest, Strategy

warnings.filterwarnings("ignore")


def average(values: object, length: int) -> object:
    """Return the moving average of a whole series: this library computes indicators beforehand."""
    return pd.Series(values).rolling(length).mean()


class Sma(Strategy):
    """Hold one unit while the fast average is above the slow one."""

    def init(self) -> None:
        """Compute the averages."""
        self.fast = self.I(average, self.data.Close, 10)
        self.slow = self.I(average, self.data.Close, 30)

    def next(self) -> None:
        """Look at a bar; an order fills at the next one's open."""
        if self.fast[-1] > self.slow[-1]:
            if not self.position:
                self.buy(size=1)
        elif self.position:
            self.position.close()


def main() -> None:
    """Play and print."""
    bars = pd.read_csv(sys.argv[1])
    bars.index = pd.to_datetime(bars.pop("time"), unit="s")
    bars.columns = [name.capitalize() for name in bars.columns]
    test = Backtest(bars, Sma, cash=1_000_000, commission=0.0)
    started = time.perf_counter()
    result = test.run()
    seconds = time.perf_counter() - started
    fills = 2 * len(result["_trades"]) + len(result["_strategy"].trades)
    print(json.dumps({"seconds": seconds, "bars": len(bars), "fills": fills}))


if __name__ == "__main__":
    main()
