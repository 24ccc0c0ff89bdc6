"""Which symbols a description names: as written on the exchange, by ticker, or by name."""

from __future__ import annotations

import re
from collections.abc import Sequence

from arena.llm.template.text import CannotReadError, Text
from arena.llm.template.vocabulary import FILLER

_QUOTES = ("usdt", "usdc", "busd", "fdusd", "tusd", "usd", "eur", "gbp", "jpy", "btc", "eth", "bnb")
_NAMES = {
    "btc": ("bitcoin", "bitcoins", "xbt"),
    "xbt": ("bitcoin", "bitcoins", "btc"),
    "eth": ("ether", "ethers", "ethereum"),
    "sol": ("solana",),
    "doge": ("dogecoin",),
    "xrp": ("ripple",),
    "ada": ("cardano",),
    "ltc": ("litecoin",),
    "link": ("chainlink",),
    "avax": ("avalanche",),
    "dot": ("polkadot",),
    "bch": ("bitcoin cash",),
    "trx": ("tron",),
    "eur": ("euro", "euros"),
    "gld": ("gold",),
    "aapl": ("apple",),
    "tsla": ("tesla",),
    "googl": ("google", "alphabet"),
}
# A symbol is written into the bot's source, so it must look like one.
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_PAIRED = re.compile(rf"\b[a-z0-9]{{2,8}}[/-]?(?:{'|'.join(_QUOTES[:6])})\b")
_KNOWN_COIN = re.compile(
    r"\b(?:"
    + "|".join(sorted({w for k, v in _NAMES.items() for w in (k, *v) if w not in FILLER}))
    + r"|bnb|matic|shib|uni|atom|spy|qqq|nvda|msft|amzn|meta)\b"
)


class Symbols:
    """The market's symbols by every word that may mean one of them."""

    def __init__(self, symbols: Sequence[str]) -> None:
        self.market = tuple(dict.fromkeys(s for s in symbols if _SAFE.fullmatch(s)))
        if not self.market:
            raise CannotReadError("The market has no symbol that a bot could trade.")
        self._by_word: dict[str, str] = {}
        for symbol in self.market:
            self._learn(symbol.lower(), symbol)
        for symbol in self.market:
            for word in _other_words(symbol.lower()):
                self._learn(word, symbol)
        words = sorted(self._by_word, key=len, reverse=True)
        self.pattern = r"(?<![\w.])(?:" + "|".join(map(re.escape, words)) + r")(?:'s)?(?![\w])"

    def _learn(self, word: str, symbol: str) -> None:
        self._by_word.setdefault(word, symbol)

    @property
    def default(self) -> str:
        """Return the symbol meant when none is named."""
        return "BTCUSDT" if "BTCUSDT" in self.market else self.market[0]

    def meant(self, word: str) -> str:
        """Return the symbol that a word matched by `pattern` means."""
        return self._by_word[word.removesuffix("'s")]

    def take_from(self, text: Text) -> list[str]:
        """Use up every mention; return the symbols in the order of their first mention."""
        return list(dict.fromkeys(self.meant(m[0]) for m in text.take_all(self.pattern)))

    def refuse_strangers(self, text: Text) -> None:
        """Refuse a text that names a symbol which this market does not have."""
        rest = re.sub(self.pattern, " ", text.left)
        strangers = [m[0].upper() for m in (*_PAIRED.finditer(rest), *_KNOWN_COIN.finditer(rest))]
        if strangers:
            names = tuple(dict.fromkeys(strangers))
            here = ", ".join(self.market[:12]) + (" and others" if len(self.market) > 12 else "")
            verb = "is" if len(names) == 1 else "are"
            raise CannotReadError(f"{' and '.join(names)} {verb} not in this market, which has {here}.", *names)


def _other_words(symbol: str) -> list[str]:
    quote = next((q for q in _QUOTES if symbol.endswith(q) and len(symbol) > len(q) + 1), None)
    base = symbol.removesuffix(quote).rstrip("-_.") if quote else symbol
    words = [base, *_NAMES.get(base, ())]
    if quote:
        words += [f"{base}{gap}{quote}" for gap in ("/", "-", " / ", "_", " ")]
        words += [f"{base}{gap}usd" for gap in ("/", "-", "")] if quote.startswith("usd") else []
    # A ticker that is an ordinary word (NEAR, ONE) is known by its full symbol only.
    return [word for word in words if word not in FILLER and len(word) > 1]
