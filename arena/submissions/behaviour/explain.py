"""Says why a bot traded at a tick, or why it did not: runs it again to that tick and watches its lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from arena.core.exchange import RULES_VERSION, Rules
from arena.core.text import clean_line
from arena.engine.replay.replayer import RecordedTicks, Replayer, worker_lifetimes
from arena.errors import ConflictError, NotFoundError
from arena.runtime.wire import read_reply, traced
from arena.store.bulk import Row
from arena.store.bundle import Bundle, event_models, tick_models
from arena.submissions.behaviour.conditions import Condition, Walk, walk
from arena.submissions.behaviour.player import read_trace
from sandbox.pool import Pool
from sandbox.talk.gather import gather
from sandbox.talk.protocol import Kind

_AROUND = 10
_HORIZONS = (1, 10, 100)
_SHOWN_VALUES = 6


def explain_trade(pool: Pool, bundle: Bundle, trade_id: int) -> dict[str, Any]:
    """Explain one fill of a bot, by its id in the table of trades."""
    trade = next((row for row in bundle.trades if row["id"] == trade_id), None)
    if trade is None:
        raise NotFoundError(f"This bot has no trade {trade_id} in this season.")
    order = next((row for row in bundle.orders if row["id"] == trade["order_id"]), None)
    if order is None:
        raise NotFoundError("No order of the bot led to this trade: its market came to an end and was settled.")
    place = [row["id"] for row in bundle.orders if row["tick"] == order["tick"]].index(order["id"])
    found = explain_tick(pool, bundle, int(order["tick"]), place)
    kept = ("id", "tick", "time", "symbol", "side", "size", "price", "fee", "realized_pnl", "cash_after",
            "position_after")  # fmt: skip
    found["trade"] = {name: trade[name] for name in kept}
    found["without"] = _without(bundle, trade)
    return found


def explain_tick(pool: Pool, bundle: Bundle, tick: int, order: int | None = None) -> dict[str, Any]:
    """Explain what a bot did at a tick; `order` says which of its orders there is meant, else the first."""
    first, last = int(bundle.ticks[0]["n"]) if bundle.ticks else 0, bundle.last
    if not first <= tick <= last:
        raise NotFoundError(f"Tick {tick} is not one of this bot's: they are {first} to {last}.")
    trace = _trace(pool, bundle, tick)
    row = bundle.ticks[tick - first]
    did = walk(bundle.source, trace)
    chosen = did.orders[order or 0] if len(did.orders) > (order or 0) else None
    conditions = did.conditions[: chosen["conditions"]] if chosen else did.conditions
    return {
        "bot_id": bundle.bot["id"], "tick": tick, "time": row["time"],
        "sentence": _sentence(tick, did, chosen, conditions),
        "line": chosen["line"] if chosen else (did.lines[-1] if did.lines else None),
        "code": _code(bundle.source, chosen["line"] if chosen else None),
        "order": {name: chosen[name] for name in ("symbol", "side", "size")} if chosen else None,
        "conditions": [each.as_dict() for each in conditions],
        "locals": _clean(chosen["locals"] if chosen else did.names),
        "globals": _clean(chosen["globals"] if chosen else trace["globals"]),
        "changed": _clean(trace["after"]), "logs": [clean_line(each) for each in did.logs],
        "path": did.lines[:500], "left_out": trace["left_out"], "prices": _prices(bundle, tick - first),
        "trade": None, "without": None,
    }  # fmt: skip


def _trace(pool: Pool, bundle: Bundle, tick: int) -> dict[str, Any]:
    """Run the bot from its admission to a tick and return that tick's trace."""
    season, bot = bundle.season, bundle.bot
    if season["rules_version"] != RULES_VERSION:
        raise ConflictError("The season was played by other rules, under which the bot cannot be run again.")
    checked = pool.check(bundle.source.encode())
    if not checked.accepted:
        raise ConflictError(f"The present policy refuses the source: {checked.violations[0]['message']}")
    first = int(bundle.ticks[0]["n"])
    past = RecordedTicks.of(tick_models(bundle.ticks[: tick - first + 1]))
    rules = Rules.of(season)
    lives = worker_lifetimes([each for each in event_models(bundle.events) if each.tick <= tick], tick)
    if not any(life.first <= tick < life.end and tick not in life.unseen for life in lives):
        raise NotFoundError(f"The bot was not asked at tick {tick}: it was not running, or was paused.")
    way = Replayer(
        pool, checked.program, (bundle.entry["bot_name"], int(bot["seed"])), rules, past, lives, alone={tick}
    )
    try:
        while not way.over:
            ask = way.next_ask()
            if ask is None:
                continue
            wanted = ask.kind is Kind.CALL and way.now == tick
            if wanted:
                ask.payload, ask.expected_reply = traced(ask.payload), None
                # Every line is watched, which takes its time.
                ask.soft, ask.hard = ask.soft * 20, ask.hard * 20
            answer = gather([ask])[0]
            if wanted:
                deeds = read_reply(answer.payload, 1).deeds if answer.payload is not None else {}
                found = read_trace(deeds[0].trace) if 0 in deeds else None
                if found is None:
                    break
                return found
            way.take(answer)
    finally:
        if way.worker is not None:
            way.worker.close()
    reason = way.problem or "could not be watched at this tick"
    raise ConflictError(f"The bot could not be run again to tick {tick}: it {reason}.")


# -- in words ----------------------------------------------------------------------------------------------


def _sentence(tick: int, did: Walk, chosen: Mapping[str, Any] | None, conditions: Sequence[Condition]) -> str:
    if chosen is not None:
        because = [each for each in conditions if each.held and each.guards_order]
        words = f"At tick {tick}, line {chosen['line']} ordered {chosen['side']} {_number(chosen['size'])} "
        words += f"{clean_line(str(chosen['symbol']), 80)}"
        return f"{words} because {' and '.join(_told(each) for each in because[-3:])}." if because else f"{words}."
    if did.raised is not None:
        return f"At tick {tick} it did not order: line {did.raised[0]} raised {clean_line(did.raised[1], 80)}."
    failed = [each for each in conditions if each.held is False and each.guards_order]
    left = [each for each in conditions if each.held and each.leaves and not each.guards_order]
    if left and (not failed or left[-1] is conditions[-1]):
        return f"At tick {tick} it did not order: it returned early, because {_told(left[-1])}."
    if failed:
        shown = "; ".join(f"{_told(each, negated=True)}" for each in failed[-3:])
        return f"At tick {tick} it did not order: {shown}."
    return f"At tick {tick} it did not order: it came by no condition of an order."


def _told(condition: Condition, *, negated: bool = False) -> str:
    parts = condition.parts
    if negated:
        parts = [each for each in parts if each["held"] is False] or parts
    shown = {name: value for part in parts for name, value in part["values"].items()}
    values = ", ".join(f"{name} = {_number(value)}" for name, value in list(shown.items())[:_SHOWN_VALUES])
    text = " and ".join(part["text"] for part in parts) if negated else condition.text
    verb = "did not hold" if negated else "held"
    return clean_line(f"`{text}` {verb} at line {condition.line}" + (f" ({values})" if values else ""), 400)


def _number(value: object) -> str:
    return f"{value:.10g}" if type(value) is float else str(value)


def _clean(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values from the worker with their texts cleaned."""
    return {clean_line(str(name), 80): _clean_value(value) for name, value in list(values.items())[:100]}


def _clean_value(value: Any) -> Any:
    if isinstance(value, str):
        return clean_line(value, 200)
    if isinstance(value, dict):
        return _clean(value)
    if isinstance(value, list):
        return [_clean_value(each) for each in value[:20]]
    return value


def _code(source: str, line: int | None) -> str | None:
    lines = source.splitlines()
    return lines[line - 1].strip()[:300] if line and line <= len(lines) else None


# -- prices and what would have been -----------------------------------------------------------------------


def _prices(bundle: Bundle, place: int) -> list[dict[str, Any]]:
    start = max(0, place - _AROUND)
    rows = bundle.ticks[start : place + _AROUND + 1]
    return [{"tick": row["n"], "time": row["time"], "prices": row["prices"]} for row in rows]


def _without(bundle: Bundle, trade: Row) -> dict[str, Any]:
    """Say what the trade alone has brought since: its size at later prices, against the cash it moved."""
    first = int(bundle.ticks[0]["n"])
    sign = 1.0 if trade["side"] == "BUY" else -1.0
    rows: list[dict[str, Any]] = []
    for ahead in (*_HORIZONS, bundle.last - int(trade["tick"])):
        place = int(trade["tick"]) + ahead - first
        price = bundle.ticks[place]["prices"].get(trade["symbol"]) if 0 < place < len(bundle.ticks) else None
        if price is not None and ahead > 0 and ahead not in {row["ticks_later"] for row in rows}:
            gain = sign * (price - trade["price"]) * trade["size"] - trade["fee"]
            rows.append({"ticks_later": ahead, "price": price, "difference": gain})
    if not rows:
        sentence = "There is no later price yet by which to tell."
    else:
        last = rows[-1]
        way = "more" if last["difference"] < 0 else "less"
        sentence = (
            f"Without this trade alone, all else the same, equity {last['ticks_later']:,} ticks later would be "
            f"{abs(last['difference']):,.2f} {way}."
        )
    return {"sentence": sentence, "later": rows}
