"""The words by which headers call their columns, without case, blanks and signs; other letters fall away."""

from __future__ import annotations

# In order of trust. Event times stand before the time a recorder received them.
OPEN_TIMES = (
    "opentime", "timeopen", "opentimestamp", "openedat", "windowstart", "starttime", "timeperiodstart", "barstart",
    "start", "begin", "bucket", "kstarttime", "candlebegintime", "periodstart", "fromtime",
)  # fmt: skip
TIMES = (
    "transacttime", "transactiontime", "tradetime", "executiontime", "unix", "unixtime", "unixtimestamp",
    "timestamp", "timestampms", "timestampus", "timestampns", "tsevent", "time", "datetime", "dateandtime",
    "timeutc", "utctime", "timestamputc", "utctimestamp", "datetimeutc", "dateutc", "utc", "gmttime", "eventtime",
    "createdtime", "createdat", "executedat", "epoch", "ts", "date", "candledatetimeutc", "day", "t", "datum",
    "fecha", "data", "observationdate", "tanggal", "tarih", "tradedate", "tradingday", "localtime",
    "localtimestamp", "receivetime", "timereceived", "", "unnamed", "index",
)  # fmt: skip
END_TIMES = (
    "closetime", "timeclose", "closetimestamp", "closedat", "endtime", "barend", "end", "timeperiodend",
)  # fmt: skip
DATES = (
    "date", "day", "dtyyyymmdd", "datum", "fecha", "data", "tradedate", "tradingday", "tradingdate", "localdate",
    "barday", "tanggal", "tarih", "yyyymmdd", "gmtdate", "utcdate", "dateutc",
)  # fmt: skip
CLOCKS = (
    "time", "clock", "hour", "hours", "hh", "hr", "zeit", "uhrzeit", "timestamp", "timeofday", "hora", "heure",
    "ora", "tijd", "tradetime", "hhmm", "hhmmss", "minute", "bartime", "timeutc", "localtime",
)  # fmt: skip
RECEIVED = (
    "timestampofreceive", "receivetime", "localtimestamp", "timereceived",
)  # fmt: skip
CLOSES = (
    "close", "c", "closeprice", "closingprice", "priceclose", "closelast", "lastclose", "last", "tradecclose",
    "kclose", "schluss", "schlusskurs", "cierre", "chiusura", "cloture", "clture", "zuletzt", "ultimo", "ltimo",
    "terakhir", "imdi", "midclose", "closemid", "midc",
)  # fmt: skip
OPENS = (
    "open", "o", "openprice", "priceopen", "kopen", "openingprice", "erffn", "erffnung", "eroeffnung", "apertura",
    "ouverture", "ouv", "abertura", "pembukaan", "midopen", "openmid", "mido",
)  # fmt: skip
HIGHS = (
    "high", "h", "highprice", "pricehigh", "khigh", "max", "hoch", "alto", "mximo", "maximo", "massimo", "haut",
    "tertinggi", "midhigh", "highmid", "midh",
)  # fmt: skip
LOWS = (
    "low", "l", "lowprice", "pricelow", "klow", "min", "tief", "bajo", "mnimo", "minimo", "bas", "terendah",
    "midlow", "lowmid", "midl",
)  # fmt: skip
PRICES = (
    "price", "p", "lastprice", "tradeprice", "last", "px", "dealprice", "fillprice", "executedprice", "exprice",
    "rate", "mid", "midprice", "markprice", "value", "avgprice", "kurs", "settle", "settlement", "settlementprice",
)  # fmt: skip
BIDS = (
    "bid", "bidprice", "bestbid", "bestbidprice", "bidpx", "bidsprice", "b", "bidp", "bidpricel", "bp",
)  # fmt: skip
ASKS = (
    "ask", "askprice", "bestask", "bestaskprice", "askpx", "asksprice", "offer", "a", "askp", "askpricel", "ap",
)  # fmt: skip
BID_CLOSES = (
    "bidclose", "closebid", "bidc", "bidclosing",
)  # fmt: skip
ASK_CLOSES = (
    "askclose", "closeask", "askc", "closeoffer", "offerclose",
)  # fmt: skip
SYMBOLS = (
    "symbol", "ticker", "tickersymbol", "instrument", "instid", "instrumentname", "product", "productid", "pair",
    "currencypair", "tradingpair", "sym", "s", "tic", "code", "stockcode", "stock", "secid", "ric", "isin",
    "security", "contract", "underlying", "instrumentid", "asset", "coin", "currency", "market", "name", "id",
)  # fmt: skip
# Columns in which digits are a symbol too, as in 7203 or 005930.
CODES = frozenset((
    "symbol", "ticker", "tickersymbol", "tic", "code", "stockcode", "stock", "secid", "ric", "isin",
))  # fmt: skip
IDS = (
    "tradeid", "aggtradeid", "aggregatetradeid", "id", "tid", "trdmatchid",
)  # fmt: skip
VOLUMES = (
    "volume", "vol", "v", "tickvolume", "tickvol", "volumefrom", "basevolume", "amount",
)  # fmt: skip
# Columns that changes of an order book have.
BOOK = (
    "issnapshot", "updatetype", "action", "eventtype", "level", "ordertype", "orderid", "event",
)  # fmt: skip
# What is said beside a role and is no symbol.
SAYS_MORE = frozenset((
    "usd", "eur", "gbp", "jpy", "usdt", "usdc", "chf", "cad", "aud", "inr", "cny", "krw", "price", "utc", "gmt",
    "time", "timestamp", "date", "open", "high", "low", "close", "last", "bid", "ask", "mid", "avg", "mean", "adj",
    "adjusted", "raw", "prev", "previous", "24h", "1h", "7d", "day", "daily", "week", "year", "52", "quote", "base",
    "asset", "trade", "settle", "market", "index", "mark", "unadjusted", "split", "value", "weighted", "total",
    "buy", "sell", "taker", "maker", "best", "limit", "stop", "upper", "lower", "all", "ath", "atl", "unit", "in",
    "trading", "btc volume", "est", "tick", "real", "the", "of", "at", "min", "max", "true", "cum", "cash",
    "strike", "fair", "final", "session", "asks", "bids", "offer", "offers", "pre", "post", "after", "hours",
    "regular", "order", "entry", "exit", "target", "typical", "median", "1", "2", "3",
))  # fmt: skip
