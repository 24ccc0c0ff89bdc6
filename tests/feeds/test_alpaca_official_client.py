"""The venue's own Python client works against the fake, so the fake speaks the venue's protocol."""

from __future__ import annotations

import asyncio
import warnings

import pytest
from scenes import play

from arena.feeds.fakes.alpaca import FakeAlpaca

with warnings.catch_warnings():
    # The client still uses the old interface of the websockets package.
    warnings.simplefilter("ignore", DeprecationWarning)
    from alpaca.common.exceptions import APIError
    from alpaca.data.enums import DataFeed
    from alpaca.data.historical import CryptoHistoricalDataClient, StockHistoricalDataClient
    from alpaca.data.live import CryptoDataStream, StockDataStream
    from alpaca.data.models import Bar, Quote, Trade, TradeCancel, TradeCorrection
    from alpaca.data.requests import CryptoLatestTradeRequest, StockLatestQuoteRequest, StockLatestTradeRequest


def test_the_official_stock_client_logs_in_subscribes_and_reads_every_kind_of_message() -> None:
    async def scene() -> None:
        async with FakeAlpaca() as fake:
            stream = StockDataStream(fake.key, fake.secret, url_override=f"{fake.url}/v2/iex")
            inbox: asyncio.Queue[object] = asyncio.Queue()
            stream.subscribe_trades(inbox.put, "AAPL")
            stream.subscribe_quotes(inbox.put, "AAPL")
            stream.subscribe_bars(inbox.put, "AAPL")
            stream.register_trade_corrections(inbox.put)
            stream.register_trade_cancels(inbox.put)
            client = asyncio.create_task(stream._run_forever())
            await fake.subscribed("AAPL", "b")
            number = await fake.trade("AAPL", 187.5, moment=1_700_000_000_123_456_789)
            await fake.quote("AAPL", 187.0, 188.0)
            await fake.bar("AAPL", 187.25, opened=1_700_000_040 * 10**9)
            await fake.cancel("AAPL", await fake.correct("AAPL", number, 187.75))
            got = [await inbox.get() for _ in range(5)]
            assert [type(message) for message in got] == [Trade, Quote, Bar, TradeCorrection, TradeCancel]
            trade = got[0]
            assert isinstance(trade, Trade)
            assert (trade.symbol, trade.price, round(trade.timestamp.timestamp())) == ("AAPL", 187.5, 1_700_000_000)
            await stream.stop_ws()
            client.cancel()
            await asyncio.gather(client, return_exceptions=True)
            await stream.close()

    play(scene)


def test_the_official_crypto_client_reads_trades_of_pairs() -> None:
    async def scene() -> None:
        async with FakeAlpaca() as fake:
            stream = CryptoDataStream(fake.key, fake.secret, url_override=f"{fake.url}/v1beta3/crypto/us")
            inbox: asyncio.Queue[object] = asyncio.Queue()
            stream.subscribe_trades(inbox.put, "BTC/USD")
            client = asyncio.create_task(stream._run_forever())
            await fake.subscribed("BTC/USD")
            await fake.trade("BTC/USD", 71_856.1435, trade_id=3447222699101865076)
            trade = await inbox.get()
            assert isinstance(trade, Trade)
            assert (trade.symbol, trade.price, trade.id) == ("BTC/USD", 71_856.1435, 3447222699101865076)
            client.cancel()
            await asyncio.gather(client, return_exceptions=True)
            await stream.close()

    play(scene)


def test_the_official_clients_get_the_latest_trades_and_quotes() -> None:
    async def scene() -> None:
        async with FakeAlpaca() as fake:
            await fake.trade("AAPL", 187.5, moment=1_700_000_000_123_456_789)
            await fake.quote("AAPL", 187.0, 188.0)
            await fake.trade("BTC/USD", 71_856.1435, trade_id=3447222699101865076)
            stocks = StockHistoricalDataClient(fake.key, fake.secret, url_override=fake.rest_url)
            pairs = CryptoHistoricalDataClient(fake.key, fake.secret, url_override=fake.rest_url)
            wanted = {"symbol_or_symbols": ["AAPL", "TSLA"], "feed": DataFeed.IEX}
            trades = await asyncio.to_thread(stocks.get_stock_latest_trade, StockLatestTradeRequest(**wanted))
            quotes = await asyncio.to_thread(stocks.get_stock_latest_quote, StockLatestQuoteRequest(**wanted))
            coins = CryptoLatestTradeRequest(symbol_or_symbols="BTC/USD")
            coin = (await asyncio.to_thread(pairs.get_crypto_latest_trade, coins))["BTC/USD"]
            assert {name: trade.price for name, trade in trades.items()} == {"AAPL": 187.5}
            assert quotes["AAPL"].ask_price == 188.0
            assert (coin.price, coin.id) == (71_856.1435, 3447222699101865076)
            strangers = StockHistoricalDataClient("x", "y", url_override=fake.rest_url)
            with pytest.raises(APIError, match="unauthorized"):
                await asyncio.to_thread(strangers.get_stock_latest_trade, StockLatestTradeRequest(**wanted))

    play(scene)
