"""Orders that fill several ticks later, in seasons whose hosts come, go and break off in an order that chance gives."""

from __future__ import annotations

import random
from typing import Any

import pytest

from arena.engine.seat import Life, Seat
from arena.hosts.here import HostHere
from sandbox.pool import Pool
from tests.arenas import bot_source
from tests.engine.conftest import Hand, Steady
from tests.hosts.conftest import ROOM, Begin
from tests.hosts.seasons import BOTS, market, record
from tests.hosts.test_losses import calls, prove

TICKS = 24
# What it orders, and how often, depends on every tick and on what it holds by then.
EAGER = tuple(
    bot_source(
        'global n\nn += 1\nctx.log(f"call {n}")\n'
        'ctx.submit_order("BTCUSDT", "BUY" if n % 3 else "SELL", 0.01 * n)\n'
        'if ctx.get_position("BTCUSDT") > 0.05: ctx.submit_order("BTCUSDT", "SELL", 0.05)\n'
        'if n % 4 == 0: ctx.submit_order("ETHUSDT", "BUY", 0.1)',
        name=f"Eager {place}", top=f"n = {place}", symbols='["BTCUSDT", "ETHUSDT"]',
    )
    for place in range(4)
)  # fmt: skip


class Places:
    """The hosts of one season, of which each pool is one at a time."""

    def __init__(self, hand: Hand, pools: list[Pool], chance: random.Random) -> None:
        self.hand, self.chance = hand, chance
        self.free = list(pools)
        self.playing: list[tuple[HostHere, Pool]] = []
        self.count = 0

    def come(self) -> None:
        """Let one more host play."""
        if self.free:
            pool = self.free.pop(self.chance.randrange(len(self.free)))
            host = HostHere(f"host-{self.count}", pool, ROOM)
            self.count += 1
            self.playing.append((host, pool))
            self.hand.engine.hosts.join(host)

    def drain(self) -> None:
        """Have one's bots moved away."""
        if self.playing:
            self.hand.engine.hosts.drain(self.chance.choice(self.playing)[0].name)

    def leave(self) -> None:
        """Let those go that have been drained."""
        empty = {row["name"] for row in self.hand.engine.hosts.rows() if row["draining"] and not row["bots"]}
        for host, pool in [each for each in self.playing if each[0].name in empty]:
            self.hand.engine.hosts.leave(host, "it was drained")
            self._gone(host, pool)

    def lose(self) -> None:
        """Let one break off in the middle of the next tick."""
        if self.playing:
            host, pool = self.chance.choice(self.playing)
            host.close("its cable was pulled")
            self._gone(host, pool)

    def _gone(self, host: HostHere, pool: Pool) -> None:
        self.playing.remove((host, pool))
        self.free.append(pool)

    def restart(self) -> None:
        """Start the server again; hosts come back by themselves later."""
        self.hand.restart()
        self.free += [pool for _, pool in self.playing]
        self.playing.clear()


@pytest.mark.system
@pytest.mark.parametrize(("delay", "seed"), [(2, 1), (3, 2)])
def test_hosts_that_come_and_are_drained_change_nothing(
    begin: Begin, host_pools: list[Pool], delay: int, seed: int
) -> None:
    alone = begin(market(), delay=delay)
    for source in BOTS:
        alone.admit(source)
    alone.tick(TICKS)
    hand = begin(market(), delay=delay)
    places = Places(hand, host_pools, random.Random(seed))
    for source in BOTS:
        hand.admit(source)
    for _ in range(TICKS):
        places.chance.choice((places.come, places.come, places.drain, places.leave, lambda: None))()
        hand.tick()
    assert places.count > 2
    assert record(hand) == record(alone)


def told(hand: Hand, seat: Seat) -> dict[str, Any]:
    """Return how often each of a bot's orders has filled, and after how many ticks those were filled that were."""
    orders = hand.rows(
        "SELECT o.id, o.tick, o.status, o.bot_id, t.tick FROM orders o LEFT JOIN trades t ON t.order_id = o.id "
        "WHERE o.season_id = :season ORDER BY o.id, t.id"
    )
    mine = [row for row in orders if row[3] == seat.id]
    filled = [row for row in mine if row[2] == "filled"]
    return {
        "twice": len(mine) - len({row[0] for row in mine}),
        "delays": {row[4] - row[1] for row in filled},
        "unfilled": [row for row in mine if row[2] != "filled" and row[4] is not None],
        "filled": len(filled),
        "waiting": {row[0] for row in mine if row[2] == "pending"},
    }


@pytest.mark.system
@pytest.mark.parametrize(("delay", "seed"), [(2, 1), (2, 2), (3, 3), (3, 4)])
def test_nothing_is_lost_or_doubled_where_hosts_break_off(
    begin: Begin, host_pools: list[Pool], delay: int, seed: int
) -> None:
    hand = begin(Steady(*({"BTCUSDT": 100.0 + n % 7, "ETHUSDT": 10.0 + n % 3} for n in range(40))), delay=delay,
                 minutes=1e-6 if seed % 2 else 0.0)  # fmt: skip
    places = Places(hand, host_pools, random.Random(seed))
    ids = [hand.admit(source).id for source in EAGER]
    acts = [places.come] * 4 + [places.drain, places.leave, places.lose, places.lose, places.restart]
    for _ in range(TICKS):
        places.chance.choice(acts)()
        hand.tick()
        if places.chance.random() < 0.5:
            hand.engine.wait_for_bots()
    hand.tick()
    hand.engine.wait_for_bots()
    hand.tick(delay + 1)
    seats = [hand.engine.roster.get(bot_id) for bot_id in ids]
    assert [seat.life for seat in seats] == [Life.ACTIVE] * len(seats)
    for seat in seats:
        found = told(hand, seat)
        assert (found["twice"], found["delays"], found["unfilled"]) == (0, {delay}, [])
        assert found["waiting"] == {pending.id for pending in seat.pending}
        called = calls(hand, seat)
        assert called == sorted(set(called))
    prove(hand, seats)
