"""The words that carry no condition, and the phrases that only describe the bot's outside.

A word that is neither here nor understood makes the writer refuse, so a word belongs here only
if leaving it out could not change what the bot should do.
"""

from __future__ import annotations

_FILLER = """
a an the this that these those it its it's i i'd i'll me my we we'd our us you your they them to
of on in at by for from with into as is are be am was were been being has have had do does did
will would should shall must can could may might let lets let's and or but if when whenever then
so also too please thanks thank hi hello hey dear kindly want wants wanted need needs like love
give make makes making made create creates build builds write writes generate generates design
code implement implements develop program run runs using use uses used based via which who what
where there here just simply simple basic plain classic standard normal usual typical good nice
cool small little new own some any bot bots robot algorithm algo strategy strategies system
python trader traders trading trade trades traded trader's asset assets market markets coin
coins crypto cryptocurrency pair price prices priced value values current latest spot quote
position positions size sizes sized amount amounts quantity order orders lot lots worth unit
units share shares contract contracts each every per time times tick ticks period periods signal
signals rule rules indicator indicators parameter parameters default defaults setting settings
entry entries exit exits entering exiting back again happens occurs gives says shows becomes
gets get goes go went moves moved move cross crosses crossed crossing crossover crossovers break
breaks breaking out touch touches touching hit hits reach reaches reaching return returns
returning revert reverts come comes turns turn closes only always immediately basis around about
called named style where's now today e.g i.e eg ie etc ok okay level levels threshold thresholds
line lines band bands set sets setup width length window lookback wide number while whereas vice
versa respectively both either than that's there's placed place places put puts take takes
taking
"""
FILLER = frozenset(_FILLER.split())

# What a sentence of rules may hold without any meaning of its own; far fewer than a plan may.
EMPTY_WORDS = frozenset(
    [
        "a",
        "an",
        "the",
        "these",
        "those",
        "its",
        "i",
        "i'd",
        "i'll",
        "i'm",
        "me",
        "my",
        "we",
        "our",
        "us",
        "you",
        "your",
        "to",
        "of",
        "on",
        "in",
        "at",
        "by",
        "for",
        "with",
        "into",
        "as",
        "is",
        "are",
        "be",
        "am",
        "was",
        "'s",
        "it's",
        "has",
        "have",
        "had",
        "do",
        "does",
        "did",
        "will",
        "would",
        "should",
        "shall",
        "must",
        "can",
        "could",
        "may",
        "might",
        "let",
        "lets",
        "let's",
        "so",
        "also",
        "too",
        "please",
        "thanks",
        "thank",
        "hi",
        "hello",
        "hey",
        "dear",
        "kindly",
        "want",
        "wants",
        "need",
        "like",
        "love",
        "give",
        "make",
        "makes",
        "making",
        "create",
        "build",
        "write",
        "generate",
        "design",
        "code",
        "implement",
        "develop",
        "program",
        "run",
        "use",
        "uses",
        "used",
        "using",
        "based",
        "via",
        "which",
        "who",
        "what",
        "here",
        "just",
        "simply",
        "simple",
        "basic",
        "plain",
        "classic",
        "standard",
        "normal",
        "usual",
        "typical",
        "good",
        "nice",
        "cool",
        "some",
        "any",
        "bot",
        "bots",
        "robot",
        "algorithm",
        "algo",
        "strategy",
        "strategies",
        "system",
        "python",
        "trader",
        "traders",
        "trading",
        "trade",
        "trades",
        "asset",
        "assets",
        "market",
        "crypto",
        "cryptocurrency",
        "current",
        "position",
        "positions",
        "size",
        "order",
        "orders",
        "signal",
        "signals",
        "rule",
        "rules",
        "indicator",
        "indicators",
        "parameter",
        "parameters",
        "default",
        "setting",
        "settings",
        "entry",
        "exit",
        "exits",
        "back",
        "again",
        "happens",
        "occurs",
        "gives",
        "says",
        "shows",
        "becomes",
        "gets",
        "get",
        "goes",
        "go",
        "moves",
        "move",
        "only",
        "always",
        "immediately",
        "around",
        "called",
        "named",
        "style",
        "then",
        "there",
        "now",
        "today",
        "e.g",
        "eg",
        "ie",
        "etc",
        "ok",
        "okay",
        "line",
        "lines",
        "set",
        "setup",
        "place",
        "put",
        "take",
        "level",
        "levels",
        "than",
        "both",
        "each",
        "per",
        "time",
        "times",
        "spot",
        "coin",
        "symbol",
        "pair",
        "currency",
        "exchange",
        "chart",
        "follow",
        "first",
        "whole",
        "entire",
        "full",
        "complete",
        "available",
        "day's",
        "every",
        "value",
        "condition",
        "conditions",
        "long-term",
    ]
)

# Phrases of the usual prompt for a language model: what a bot file looks like, not what it does.
BOILERPLATE = (
    r"\bctx\s?\.\s?(?:get_price|get_cash|get_position|submit_order|log)\b(?:\s?\([a-z_, ]*\))?",
    r"\b(?:on_tick|init)\b(?:\s?\(\s?ctx(?:\s?,\s?tick)?\s?\))?(?: functions?)?",
    r"\b(?:define|defines|have|export|provide|contain)?\s?name\s?,\s?symbols\b",
    r"\bfor (?:the |this |our )?(?:llm )?(?:trading lab|arena|lab)\b",
    r"\b(?:single|one) (?:python )?file\b",
    r"\b(?:define|defines)\b",
    r"\bwith (?:the )?(?:available )?cash(?: available)?\b",
    (
        r"\b(?:(?:and )?(?:if|when|while|provided|has|have|having)|with|and(?= (?:enough|"
        r"suff|there|we|i|"
        r"it)))(?: there(?:'s| is| are)| (?:we|i|it) (?:have|has))?(?: the)?(?: enough| "
        r"sufficient)?"
        r" (?:cash|money|funds)(?: is| are)?(?: available)?\b(?! (?:above|over|below|under|is|>|<))"
    ),
    r"\bas (?:far|long) as (?:the )?cash allows\b",
    r"\bwith (?:a|an|the|any|my|its)?\s?(?:open |existing )?position\b(?! size| of|s? sized?)",
    (
        r"\b(?:if|when|while|and|only if)(?: we| i| it| you)?(?: are| is| am|'re|'m)?(?: "
        r"currently)?"
        r"(?: already)? (?:flat|not holding|holding|not in a position|in a position|not invested)\b"
        r"(?: any| a| the)?(?: position)?(?! (?:and|for|above|below|when|while))"
    ),
    (
        r"\b(?:if|when|while)(?: we| i| it| you)?(?: have| has|'s| is| there is) (?:no|an? "
        r"(?:open )?)"
        r" ?position\b"
    ),
    (
        r"\b(?:long[- ]only|only long|no short(?:s|ing)?|without short(?:s|ing)?|never short|"
        r"do(?: not|n't) short|no leverage|without leverage|spot only)\b"
    ),
    (
        r"\b(?:and |also |please |it (?:should|must) |should |must )*logs?(?:ging)?"
        r"(?: out| down)?(?: (?:every|each|all(?: of)?|any))?(?: (?:the|its|my|of|your))*"
        r"(?: (?:trades?|orders?|decisions?|actions?|signals?|everything|it|them|fills?|"
        r"transactions?|"
        r"buys? and sells?))?\b"
    ),
    r"\b(?:one|a single|1) (?:position|trade|order) at a time\b",
    (
        r"\btrend[- ]follow(?:ing|er|s)?\b(?: (?:strategy|bot|system))?|\bfollows? the trend\b|"
        r"\bfollowing the trend\b"
    ),
    r"\bmarket orders?\b|\bmarket buys?\b",
    r"\b(?:else )?do nothing(?: otherwise)?\b",
)

# How a sale is told to be of the whole position: every sale is.
SELL_ALL = (
    r"\b(?:all of it|it all|everything|(?:all|the (?:whole|entire|full|complete)|its (?:whole|"
    r"entire|full)|my (?:whole|entire|full)) (?:of )?(?:the |my |its )?(?:positions?|holdings?|"
    r"coins|stack|lot)|what(?:ever)? (?:it|i|we) holds?|holdings)\b"
)
