from __future__ import annotations

import io
import json
import zipfile

import pytest

from arena.errors import MarketDataError

DAY = 1704067200


def trade(symbol: str, price: str, time: int, event: str = "trade") -> str:
    return json.dumps({"e": event, "E": time + 1, "s": symbol, "t": time, "a": time, "p": price, "q": "1", "T": time})


def book(symbol: str, bid: str, ask: str) -> str:
    return json.dumps({"u": 1, "s": symbol, "b": bid, "B": "1", "a": ask, "A": "1"})


def zipped(name: str, text: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, text)
    return buffer.getvalue()


def test_milliseconds_and_microseconds_are_told_apart_value_by_value(load):
    text = (
        "1735689540000,1,2,1,1.5,9,1735689599999,1,1,1,1,0\n1735689600000000,1,2,1,1.6,9,1735689659999999,1,1,1,1,0\n"
    )
    market = load("BTCUSDT-1m-2024-12.csv", text)
    assert market.symbols == ("BTCUSDT",)
    assert market.times.tolist() == [1735689600, 1735689660]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "ADAUSDT-trades-2024-01-01.csv",
            f"1,4.5,5,1,{DAY}010,True,True\n2,4.6,5,1,{DAY + 2}010,False,True\n",
        ),
        (
            "ADAUSDT-trades-2024-01-01.csv",
            (f"id,price,qty,quote_qty,time,is_buyer_maker\n1,4.5,5,1,{DAY}010,true\n2,4.6,5,1,{DAY + 2}010,false\n"),
        ),
        (
            "ADAUSDT-aggTrades-2024-01-01.csv",
            f"1,4.5,5,0,0,{DAY}010000,False,True\n2,4.6,5,0,0,{DAY + 2}010000,False,True\n",
        ),
        (
            "ADAUSDT-aggTrades-2024-01-01.csv",
            (
                "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n"
                f"1,4.5,5,0,0,{DAY}010,false\n2,4.6,5,0,0,{DAY + 2}010,false\n"
            ),
        ),
    ],
)
def test_bulk_trades_read_alike_with_and_without_header(load, name, text):
    market = load(name + ".zip", zipped(name, text))
    assert market.symbols == ("ADAUSDT",)
    assert market.times.tolist() == [DAY + 1, DAY + 2]
    assert market.prices[:, 0].tolist() == [4.5, 4.5]


def test_frames_count_when_they_were_received_and_not_when_they_happened(load):
    lines = [
        f"{DAY}900000000 {trade('BTCUSDT', '10', (DAY + 9) * 1000)}",
        f"{DAY + 2}500000000 {trade('BTCUSDT', '11', (DAY + 11) * 1000)}",
    ]
    market = load("any.gz", "\n".join(lines))
    assert (market.times - DAY).tolist() == [1, 2]
    assert market.prices[:, 0].tolist() == [10, 10]
    assert any("clock is about" in note for note in market.notes)


def test_the_book_sets_no_price_where_there_are_trades(load):
    lines = [
        f"{DAY}000000000 {book('S', '1', '3')}",
        f"{DAY + 1}000000000 {trade('S', '10', DAY * 1000, 'aggTrade')}",
        f"{DAY + 2}000000000 {book('S', '1', '3')}",
    ]
    market = load("f", "\n".join(lines))
    assert (market.times.tolist(), market.prices.tolist()) == ([DAY + 1], [[10]])


def test_the_middle_of_the_book_serves_where_there_is_nothing_else(load):
    lines = [f"{DAY}000000000 {book('S', '1', '3')}", f"{DAY + 1}000000000 {book('S', '2', '3')}"]
    market = load("f", "\n".join(lines))
    assert market.prices[:, 0].tolist() == [2, 2.5]
    assert any("middle of the book" in note for note in market.notes)


def test_mini_tickers_set_prices_alone_and_in_lists(load):
    one = {"e": "24hrMiniTicker", "E": DAY * 1000, "s": "A", "c": "5"}
    many = {"stream": "!miniTicker@arr", "data": [{**one, "E": DAY * 1000 + 1000, "c": "6"}]}
    market = load("f.jsonl", f"{json.dumps(one)}\n{json.dumps(many)}\n")
    assert (market.symbols, market.prices.tolist()) == (("A",), [[5], [6]])


def test_unknown_and_broken_frames_are_counted(load):
    lines = [
        '{"result":null,"id":1}',
        trade("S", "10", DAY * 1000),
        '{"e":"brandNew","s":"S"}',
        '{"whatever":1}',
        trade("S", "x", DAY * 1000 + 500),
        trade("S", "11", DAY * 1000 + 1000),
        '{"e":"trade","E":17040',
    ]
    market = load("f.jsonl", "\n".join(lines))
    assert market.defects == {"unknown_frames": 2, "unparsable": 2}
    assert market.prices[:, 0].tolist() == [10, 11]


def test_a_cryptofeed_capture_of_coinbase_takes_matches(load):
    match = {"type": "match", "product_id": "BTC-USD", "price": "7", "time": "2024-01-01T00:00:00Z"}
    lines = [
        f"wss://ws-feed.pro.coinbase.com <-> {DAY}.1",
        f'wss://ws-feed.pro.coinbase.com <- {DAY}.2: {{"type":"subscribe"}}',
        f"{DAY}.3: {json.dumps({**match, 'type': 'last_match'})}",
        f"{DAY}.35: {json.dumps({**match, 'type': 'ticker', 'price': '99'})}",
        f"{DAY + 1}.4: {json.dumps({**match, 'price': '8'})}",
        "",
    ]
    market = load("c", "\n".join(lines))
    assert market.symbols == ("BTC-USD",)
    assert (market.times.tolist(), market.prices.tolist()) == ([DAY + 1], [[7]])
    assert not market.defects


def test_frames_without_any_price_are_refused_with_what_they_hold(load):
    with pytest.raises(MarketDataError, match="1 depthUpdate"):
        load("f", f'{DAY}000000000 {{"e":"depthUpdate","s":"S","b":[],"a":[]}}')


def test_kraken_trades_and_bars_are_told_apart(load):
    deal = [["10", "1", DAY + 0.5, "b", "m", "", 1]]
    body = {"error": [], "result": {"XBTUSDT": deal, "last": 1}}
    assert load("k.json", json.dumps(body)).times.tolist() == [DAY + 1]
    rows = [[DAY + t, "1", "2", "1", "1.5", "1", "0.0", 0] for t in (0, 60)]
    body = {"error": [], "result": {"XBTUSDT": rows, "last": DAY}}
    market = load("k.json", json.dumps(body, indent=1))
    assert market.times.tolist() == [DAY + 60, DAY + 120]
    assert market.defects == {"zero_volume": 2, "unclosed_bar": 1}


def test_lists_of_freqtrade_and_of_binance_are_read(load):
    rows = ((DAY * 1000, "sell", 0.5), (DAY * 1000 + 1000, "buy", 0.6))
    deals = [[time, "1", None, side, price, 1, 1] for time, side, price in rows]
    assert load("XRP_ETH-trades.json", json.dumps(deals)).prices[:, 0].tolist() == [0.5, 0.6]
    bars = [[(DAY + t) * 1000, 1, 2, 1, 1.5, 9] for t in (0, 60)]
    assert load("XRP_ETH-1m.json", json.dumps(bars)).times.tolist() == [DAY + 60, DAY + 120]


def test_barter_events_count_at_their_receipt_and_reconnects_are_counted(load):
    def event(price: float, received: str) -> dict[str, object]:
        kind = {"Trade": {"id": "1", "price": price, "amount": 1, "side": "Buy"}}
        times = {"time_exchange": "2024-01-01T00:00:00Z", "time_received": received}
        return {"Item": {"Ok": {**times, "instrument": 0, "kind": kind}}}

    events = [
        event(5, "2024-01-01T00:00:00.5Z"),
        {"Reconnecting": "binance_spot"},
        event(6, "2024-01-01T00:00:02.319581890Z"),
    ]
    market = load("b.json", json.dumps(events), symbol="BTCUSDT")
    assert (market.times - DAY).tolist() == [1, 2]
    assert market.defects == {"reconnects": 1}


def test_lean_stock_prices_are_scaled_and_their_clock_is_new_yorks(load):
    text = "34200000,1672700,1672800,1671500,1672501,300\n34260000,1672700,1672800,1,1672600,300"
    market = load("x.zip", zipped("20240102_spy_minute_trade.csv", text))
    assert market.symbols == ("SPY",)
    assert market.prices[:, 0].tolist() == [167.2501, 167.26]
    assert market.times.tolist() == [1704205860, 1704205920]  # 09:31 in New York is 14:31 UTC


def test_lean_summer_time_is_four_hours_behind(load):
    market = load("x.zip", zipped("20240702_spy_minute_trade.csv", "34200000,1,1,1,1672500,300\n"))
    assert market.times.tolist() == [1719927060]


def test_lean_crypto_prices_are_as_they_are_in_utc(load):
    text = "0,7424.9,7424.9,7424.9,10,1,7424.91,7424.91,7424.91,11,33\n60000,1,1,1,12,1,1,1,1,13,3"
    market = load("x.zip", zipped("20240101_btcusd_minute_quote.csv", text))
    assert market.prices[:, 0].tolist() == [10.5, 12.5]
    assert (market.times - DAY).tolist() == [60, 120]
    assert market.defects == {"truncated_day": 1}


def test_lean_ticks_are_sampled_and_suspicious_prints_counted(load):
    text = "34200500,1815200,283,P,20002020,0\n34201500,1816200,283,P,20002020,1\n"
    market = load("x.zip", zipped("20240102_ibm_Trade_Tick.csv", text))
    assert (market.symbols, market.prices.tolist()) == (("IBM",), [[181.52]])
    assert market.defects == {"suspicious": 1}


def test_members_of_an_archive_that_hold_no_market_are_named(load):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("README.txt", "words only\n")
        archive.writestr("a.csv", "time,symbol,price\n1,A,1\n")
        archive.writestr("b.csv", "time,symbol,price\n1,B,2\n")
    market = load("m.zip", buffer.getvalue())
    assert market.symbols == ("A", "B")
    assert market.defects == {"unrecognised_member": 1}


def test_flat_json_records_are_read_as_a_table(load):
    lines = '{"time":1,"symbol":"S","price":3}\n{"time":2,"symbol":"S","price":4}\n'
    assert load("r.jsonl", lines).prices[:, 0].tolist() == [3, 4]
