"""SMA 10/30 in nautilus_trader: read the bars of a CSV, play them, print one JSON line.

Logging, risk checks and the analysis at the end are off, the averages are the library's own compiled ones.
"""

from __future__ import annotations

import json
import sys
import time
from decimal import Decimal

import pandas as pd
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.backtest.models import LatencyModel
from nautilus_trader.config import LoggingConfig, RiskEngineConfig
from nautilus_trader.indicators import SimpleMovingAverage
from nautilus_trader.model.currencies import BTC, USDT
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import CurrencyPair
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.persistence.wranglers import BarDataWrangler
from nautilus_trader.trading.strategy import Strategy

VENUE = Venue("SIM")
PAIR = CurrencyPair(
    InstrumentId(Symbol("BTCUSDT"), VENUE), Symbol("BTCUSDT"), BTC, USDT, price_precision=5, size_precision=2,
    price_increment=Price.from_str("0.00001"), size_increment=Quantity.from_str("0.01"), ts_event=0, ts_init=0,
    maker_fee=Decimal(0), taker_fee=Decimal(0), margin_init=Decimal(0), margin_maint=Decimal(0),
)  # fmt: skip
BARS = BarType.from_str("BTCUSDT.SIM-1-MINUTE-LAST-EXTERNAL")


class Sma(Strategy):
    """Hold one unit while the fast average is above the slow one."""

    def on_start(self) -> None:
        """Ask for the bars and the averages."""
        self.fast, self.slow = SimpleMovingAverage(10), SimpleMovingAverage(30)
        self.register_indicator_for_bars(BARS, self.fast)
        self.register_indicator_for_bars(BARS, self.slow)
        self.subscribe_bars(BARS)
        self.held = False
        self.size = PAIR.make_qty(1)

    def on_bar(self, _bar: Bar) -> None:
        """Look at a bar; an order arrives after it and fills at the next one."""
        if not self.slow.initialized or (self.fast.value > self.slow.value) == self.held:
            return
        self.held = not self.held
        side = OrderSide.BUY if self.held else OrderSide.SELL
        self.submit_order(self.order_factory.market(PAIR.id, side, self.size))


def main() -> None:
    """Play and print."""
    quiet = LoggingConfig(log_level="OFF", bypass_logging=True)
    engine = BacktestEngine(
        BacktestEngineConfig(logging=quiet, risk_engine=RiskEngineConfig(bypass=True), run_analysis=False)
    )
    engine.add_venue(
        VENUE, OmsType.NETTING, AccountType.CASH, [Money(1_000_000, USDT)],
        latency_model=LatencyModel(base_latency_nanos=1),
    )  # fmt: skip
    engine.add_instrument(PAIR)
    frame = pd.read_csv(sys.argv[1])
    frame.index = pd.to_datetime(frame.pop("time"), unit="s", utc=True)
    engine.add_data(BarDataWrangler(BARS, PAIR).process(frame))
    engine.add_strategy(Sma())
    started = time.perf_counter()
    engine.run()
    seconds = time.perf_counter() - started
    fills = sum(order.is_closed and order.filled_qty > 0 for order in engine.cache.orders())
    print(json.dumps({"seconds": seconds, "bars": len(frame), "fills": fills}))


if __name__ == "__main__":
    main()
