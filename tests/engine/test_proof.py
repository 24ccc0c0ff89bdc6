"""What a season has recorded comes out again, bit for bit; what was changed is found and named."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from arena import __version__
from arena.core.exchange import Conditions, Rules
from arena.engine.replay.proof import DIFFERS, OTHER_RUNTIME, REPRODUCED, UNPROVED, Proof, verify
from arena.engine.seat import Seat
from arena.errors import StoreError
from arena.store.bundle import Bundle, StoredRecord, open_bundle, read_bundle, write_bundle
from arena.store.seasons import SeasonPlan, season_seeds
from tests.arenas import bot_source
from tests.engine.conftest import SPIN, SYMBOLS, Hand, Steady, plan_of

ROOT = Path(__file__).parents[2]
BOTS = sorted(path for path in (ROOT / "bots").glob("*.py"))
ANSWERS = ROOT.parent / "shared" / "completions"
Deal = Callable[..., Hand]
TRADER = 'import random\nctx.submit_order("BTCUSDT", random.choice(["BUY", "SELL"]), random.random() / 50)'


def bundle_of(hand: Hand, seat: Seat) -> Bundle:
    return read_bundle(hand.database, hand.season_id, seat.id, __version__)


def prove(hand: Hand, seat: Seat) -> Proof:
    return verify(hand.pool, StoredRecord(hand.database, hand.season_id, seat.id))


@pytest.mark.system
@pytest.mark.parametrize("fee", [0.0, 7.5])
def test_every_shipped_bot_is_reproduced_bit_for_bit(deal: Deal, fee: float) -> None:
    hand = deal(plan=plan_of(fee_bps=fee, slippage_bps=fee / 3))
    seats = [hand.admit(path.read_text("utf-8")) for path in BOTS]
    hand.tick(90)
    hand.restart()
    hand.tick(63)
    proofs = {seat.name: prove(hand, seat) for seat in seats}
    assert {name: (proof.status, proof.findings) for name, proof in proofs.items()} == {
        name: (REPRODUCED, []) for name in proofs
    }
    assert sum(proof.compared["trades"] for proof in proofs.values()) > 20


def accepted_answers() -> list[tuple[str, str]]:
    from arena.submissions.extract import extract

    found = []
    for path in sorted(ANSWERS.glob("*.json")):
        answer = json.loads(path.read_text("utf-8"))
        completion = answer.get("completion") or answer.get("content") or ""
        source = extract(completion)
        if isinstance(source, str):
            found.append((path.stem, source))
    return found


@pytest.mark.system
@pytest.mark.skipif(not ANSWERS.is_dir(), reason="the recorded answers are not here")
def test_every_accepted_answer_of_a_model_is_reproduced_after_a_restart(deal: Deal) -> None:
    hand = deal()
    seats = []
    for _, source in accepted_answers():
        checked = hand.pool.check(source.encode())
        if checked.accepted:
            seats.append(hand.admit(source, author=f"author {len(seats)}", origin="generated"))
    assert len(seats) >= 15
    hand.tick(70)
    hand.restart()
    hand.tick(51)
    for seat in seats:
        proof = prove(hand, seat)
        assert proof.status == REPRODUCED, (seat.name, proof.findings)


@pytest.mark.system
def test_pauses_late_answers_kills_and_restarts_are_applied_not_decided_again(deal: Deal) -> None:
    hand = deal()
    late = hand.admit(bot_source(f"{TRADER}\nglobal n\nn += 1\nif n == 14:\n    {SPIN}", name="Late", top="n = 0"))
    killed = hand.admit(
        bot_source(f"{TRADER}\nglobal n\nn += 1\nif n == 9:\n    while True: pass", name="Killed", top="n = 0")
    )
    paused = hand.admit(bot_source(TRADER, name="Paused"))
    asked = bot_source(TRADER, name="Eager", top='def init(ctx):\n    ctx.submit_order("BTCUSDT", "BUY", 0.01)\n')
    hand.tick(12)
    hand.engine.roster.pause(paused.id)
    eager = hand.admit(asked)
    hand.tick(7)
    hand.engine.roster.resume(paused.id)
    hand.restart()
    hand.tick(6)
    eager = hand.engine.roster.get(eager.id)
    hand.engine.roster.retire(eager.id)
    hand.tick(8)
    events = {event for seat in (late, killed, paused, eager) for _, event in hand.events(seat)}
    assert {"late", "killed", "restarted", "paused", "resumed", "retired"} <= events
    for seat in (late, killed, paused, eager):
        proof = prove(hand, seat)
        assert proof.status == REPRODUCED, (seat.name, proof.findings)
        assert proof.compared["trades"] > 3


def test_what_could_not_be_traded_and_what_ended_is_applied_too(deal: Deal) -> None:
    both = {"BTCUSDT": 100.0, "ETHUSDT": 0.4}
    market = Steady(*[both] * 5, {"BTCUSDT": 100.0})
    market.strange = {2: Conditions({"ETHUSDT": "Price of ETHUSDT is stale"}), 5: Conditions({}, {"ETHUSDT": 1.0})}
    hand = deal(market, plan_of(feed="binance"))
    seat = hand.admit(bot_source('ctx.submit_order("ETHUSDT", "BUY", 10.0)'))
    hand.tick(11)
    assert [row[0] for row in hand.rows("SELECT reason FROM orders WHERE status = 'rejected'")][:1] == [
        "Price of ETHUSDT is stale"
    ]
    proof = prove(hand, seat)
    assert (proof.status, proof.findings) == (REPRODUCED, [])
    hand.engine.finish()
    assert prove(hand, seat).status == REPRODUCED


def test_rejected_orders_beyond_the_days_allowance_are_in_the_digest(deal: Deal) -> None:
    hand = deal()
    seat = hand.admit(bot_source('for _ in range(300): ctx.submit_order("BTCUSDT", "HOLD", 1.0)'))
    hand.tick(3)
    hand.restart()
    hand.tick(3)
    proof = prove(hand, seat)
    assert (proof.status, proof.compared["orders"]) == (REPRODUCED, 1000)
    assert hand.rows("SELECT orders_count FROM entries") == [(1800,)]
    hand.database.dispose()
    with hand.database.begin() as connection:
        connection.execute(text("UPDATE entries SET orders_digest = 'x'"))
    assert "digest" in prove(hand, seat).findings[0]


@pytest.mark.parametrize(
    ("table", "change", "named"),
    [
        ("trades", "price = price * 1.0000001", "price is recorded as"),
        ("trades", "size = 5.0", "size is recorded as 5.0"),
        ("orders", "status = 'rejected'", "status is recorded as 'rejected'"),
        ("equity", "equity = equity + 1e-9", "equity is recorded as"),
        ("ticks", "prices = '{\"BTCUSDT\": 1.0}'", "comes out as"),
    ],
)
def test_a_changed_row_is_found_and_named(deal: Deal, table: str, change: str, named: str) -> None:
    hand = deal()
    seat = hand.admit(bot_source('ctx.submit_order("BTCUSDT", "BUY", 0.001)'))
    hand.tick(25)
    assert prove(hand, seat).status == REPRODUCED
    key = "n" if table == "ticks" else "id"
    with hand.database.begin() as connection:
        (row,) = connection.execute(text(f"SELECT {key} FROM {table} ORDER BY {key} LIMIT 1 OFFSET 1")).one()
        connection.execute(text(f"UPDATE {table} SET {change} WHERE {key} = {row}"))
    proof = prove(hand, seat)
    assert proof.status == DIFFERS
    assert named in " ".join(proof.findings)
    if table != "ticks":
        assert f"{table} row 2, id {row} " in " ".join(proof.findings)


def test_rows_that_were_taken_out_or_put_in_are_named(deal: Deal) -> None:
    hand = deal()
    seat = hand.admit(bot_source(TRADER))
    hand.tick(25)
    with hand.database.begin() as connection:
        connection.execute(text("DELETE FROM trades WHERE id = (SELECT max(id) FROM trades)"))
    assert "is missing from the record" in prove(hand, seat).findings[0]


def test_a_bundle_proves_the_record_anywhere_and_shows_tampering(deal: Deal, tmp_path: Path) -> None:
    hand = deal()
    seat = hand.admit(bot_source(TRADER))
    hand.tick(30)
    path = tmp_path / "bot.zip"
    write_bundle(bundle_of(hand, seat), path)
    assert verify(hand.pool, open_bundle(path)) == prove(hand, seat)
    bundle = open_bundle(path)
    bundle.source += "\n"
    assert verify(hand.pool, bundle).status == UNPROVED
    data = path.read_bytes()
    path.write_bytes(data[:-200] + b"\0" * 100 + data[-100:])
    with pytest.raises(StoreError):
        open_bundle(path)


def test_a_difference_on_another_runtime_is_called_that(deal: Deal) -> None:
    hand = deal()
    seat = hand.admit(bot_source(TRADER))
    hand.tick(5)
    bundle = bundle_of(hand, seat)
    bundle.season["runtime"] = {"python": "2.7", "numpy": "1.0", "machine": "vax"}
    assert verify(hand.pool, bundle).status == REPRODUCED
    bundle.trades[0]["price"] += 1.0
    assert verify(hand.pool, bundle).status == OTHER_RUNTIME


def test_a_bundle_of_an_open_season_proves_a_bot_of_chance_and_tells_no_seed_of_the_season(
    deal: Deal, tmp_path: Path
) -> None:
    hand = deal(plan=SeasonPlan("synthetic", SYMBOLS, 10.0, Rules()))
    seat = hand.admit(bot_source(TRADER))
    hand.tick(30)
    write_bundle(bundle_of(hand, seat), tmp_path / "open.zip")
    seeds = season_seeds(hand.database, hand.season_id)
    with zipfile.ZipFile(tmp_path / "open.zip") as archive:
        text = b"".join(archive.read(name) for name in archive.namelist()).decode()
    assert seeds.market not in text
    assert seeds.chance not in text
    bundle = open_bundle(tmp_path / "open.zip")
    assert bundle.season["seed_sha256"] == hashlib.sha256(seeds.market.encode()).hexdigest()
    proof = verify(hand.pool, bundle)
    assert (proof.status, proof.compared["trades"] > 0) == (REPRODUCED, True)
    hand.engine.finish()
    revealed = bundle_of(hand, seat)
    assert revealed.season["seed"] == seeds.market
    assert verify(hand.pool, revealed).status == REPRODUCED


@pytest.mark.parametrize(
    ("seed", "digest", "named"),
    [
        ("0" * 32, hashlib.sha256(b"0" * 32).hexdigest(), "do not follow from the seed"),
        ("0" * 32, "", "do not follow from the seed"),
        ("0" * 32, "of another", "has not the SHA-256"),
    ],
)
def test_a_seed_that_is_not_the_one_of_the_prices_or_of_the_commitment_is_named(
    deal: Deal, seed: str, digest: str, named: str
) -> None:
    hand = deal()
    seat = hand.admit(bot_source(TRADER))
    hand.tick(12)
    hand.engine.finish()
    bundle = bundle_of(hand, seat)
    bundle.season.update(seed=seed, seed_sha256=digest)
    proof = verify(hand.pool, bundle)
    assert proof.status == DIFFERS
    assert named in proof.findings[-1]


@pytest.mark.parametrize("form", [1, 2, 3])
def test_a_bundle_of_an_older_format_is_still_proved(deal: Deal, tmp_path: Path, form: int) -> None:
    hand = deal()
    seat = hand.admit(bot_source(TRADER))
    hand.tick(12)
    write_bundle(bundle_of(hand, seat), tmp_path / "new.zip")

    def aged(data: bytes) -> bytes:
        document = json.loads(data)
        document["format"] = form
        del document["season"]["delay_ticks"]
        for name in ("score_interval", "benchmark", "starts_at", "ends_at", "entry_deadline") if form < 3 else ():
            del document["season"][name]
        if form == 1:
            for name in ("seed_sha256", "predictable", "fills_a_day"):
                del document["season"][name]
            del document["entry"]["good_tick"], document["bot"]["seed"]
            document["season"]["seed"] = 7
        return json.dumps(document).encode()

    with zipfile.ZipFile(tmp_path / "new.zip") as new, zipfile.ZipFile(tmp_path / "old.zip", "w") as old:
        for name in new.namelist():
            old.writestr(name, aged(new.read(name)) if name == "manifest.json" else new.read(name))
    found = open_bundle(tmp_path / "old.zip")
    assert (found.key, found.problems) == (None, [])
    assert verify(hand.pool, found).status == REPRODUCED
