"""Work is taken once, taken again from a machine that was lost, and done twice without harm."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy import Engine as Database

from arena.engine.replay.proof import REPRODUCED
from arena.hosts.farm import VERIFY, Farm, FarmWorker, Told, kind_of, prove
from arena.store.farm import ATTEMPTS, drop_jobs, end_job, farm_jobs, forget_jobs, keep_job, put_job, take_job
from sandbox.pool import Pool
from tests.arenas import PATIENCE, bot_source, until
from tests.engine.conftest import Steady
from tests.hosts.conftest import Begin
from tests.hosts.seasons import COUNTER


def expire(database: Database) -> None:
    with database.begin() as connection:
        connection.execute(text("UPDATE farm_jobs SET lease_until = 1"))


def test_the_same_work_is_queued_once_and_its_result_is_found_again(database: Database) -> None:
    first = put_job(database, "square", {"of": 3})
    assert put_job(database, "square", {"of": 3}) == first
    assert put_job(database, "square", {"of": 4}) != first
    job = take_job(database, "one", ["square"], 30.0)
    assert job is not None
    assert job["inputs"] == {"of": 3}
    assert end_job(database, first, "one", result={"is": 9})
    assert put_job(database, "square", {"of": 3}) == first
    assert farm_jobs(database, [first])[first]["result"] == {"is": 9}
    assert take_job(database, "one", ["cube"], 30.0) is None


def test_work_that_failed_is_queued_anew_where_it_is_asked_for_again(database: Database) -> None:
    job = put_job(database, "square", {"of": 3})
    assert take_job(database, "one", ["square"], 30.0)
    assert end_job(database, job, "one", reason="no such number")
    assert farm_jobs(database, [job])[job]["reason"] == "no such number"
    assert take_job(database, "one", ["square"], 30.0) is None
    assert put_job(database, "square", {"of": 3}) == job
    assert take_job(database, "one", ["square"], 30.0)


def test_many_takers_at_once_take_each_job_once(database: Database) -> None:
    jobs = {put_job(database, "square", {"of": number}) for number in range(30)}
    taken: list[str] = []
    lock = threading.Lock()

    def take(name: str) -> None:
        while len(taken) < len(jobs):
            job = take_job(database, name, ["square"], 60.0)
            if job is not None:
                with lock:
                    taken.append(job["id"])
                end_job(database, job["id"], name, result={})

    threads = [threading.Thread(target=take, args=(str(number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(taken) == Counter(jobs)


def test_work_of_a_lost_machine_is_taken_again_and_what_that_one_says_later_does_not_count(database: Database) -> None:
    job = put_job(database, "square", {"of": 3})
    assert take_job(database, "lost", ["square"], 30.0)
    assert take_job(database, "other", ["square"], 30.0) is None
    expire(database)
    assert take_job(database, "other", ["square"], 30.0)
    assert not keep_job(database, job, "lost", 30.0)
    assert not end_job(database, job, "lost", result={"is": 8})
    assert keep_job(database, job, "other", 30.0)
    assert end_job(database, job, "other", result={"is": 9})
    assert farm_jobs(database, [job])[job]["result"] == {"is": 9}


def test_work_that_machine_after_machine_was_lost_with_is_given_up(database: Database) -> None:
    job = put_job(database, "square", {"of": 3})
    for number in range(ATTEMPTS):
        assert take_job(database, str(number), ["square"], 30.0)
        expire(database)
    assert take_job(database, "one more", ["square"], 30.0) is None
    row = farm_jobs(database, [job])[job]
    assert (row["status"], row["reason"]) == ("failed", f"its worker was lost {ATTEMPTS} times")


@pytest.mark.system
def test_two_machines_prove_the_records_of_a_season(begin: Begin, head_pool: Pool, host_pools: list[Pool]) -> None:
    hand = begin(Steady())
    seats = [hand.admit(bot_source(COUNTER, name=f"Counter {n}", top=f"n = {n}")) for n in range(4)]
    hand.tick(6)
    kind = kind_of(VERIFY, head_pool.limits)
    jobs = [put_job(hand.database, kind, {"season_id": hand.season_id, "bot_id": seat.id, "tick": 5}) for seat in seats]
    unknown = put_job(hand.database, kind, {"season_id": hand.season_id, "bot_id": "nobody", "tick": 5})
    workers = [FarmWorker(hand.database, pool, {VERIFY: prove}) for pool in host_pools[:2]]
    threads = [threading.Thread(target=lambda worker=worker: [None for _ in iter(worker.do_one, False)])
               for worker in workers]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = farm_jobs(hand.database, [*jobs, unknown])
    assert [rows[job]["result"]["status"] for job in jobs] == [REPRODUCED] * 4
    assert rows[unknown]["status"] == "failed"
    assert {rows[job]["taken_by"] for job in jobs} <= {worker.name for worker in workers}


def square(_: Database, __: Pool, inputs: Mapping[str, Any], ___: Told) -> dict[str, Any]:
    """Return the square of a number, as a kind of work."""
    return {"is": inputs["of"] ** 2}


@pytest.mark.parametrize("after", [0, 1, 2])
def test_work_that_another_who_asked_takes_back_is_done_all_the_same(
    database: Database, head_pool: Pool, after: int
) -> None:
    farm = Farm(database, head_pool, {"square": square}, patience=0.0)
    looks: list[float] = []

    def told(share: float) -> None:
        # The other has queued the same work, and is cancelled before it has begun.
        if len(looks) == after:
            kind = kind_of("square", head_pool.limits)
            drop_jobs(database, [put_job(database, kind, {"of": number}) for number in (2, 3, 4)], "another")
        looks.append(share)

    assert farm.do("square", [{"of": 2}, {"of": 3}, {"of": 4}], told) == [{"is": 4}, {"is": 9}, {"is": 16}]


def test_work_is_queued_where_it_goes_while_it_is_asked_for(database: Database) -> None:
    first = put_job(database, "square", {"of": 3})
    gone: list[str] = []

    def take_back(connection: Connection, _: object, statement: str, *__: object) -> None:
        # Just after the row was found to be there.
        if statement.startswith("UPDATE farm_jobs") and not gone:
            gone.append(statement)
            connection.exec_driver_sql("DELETE FROM farm_jobs")

    event.listen(database, "before_cursor_execute", take_back)
    again = put_job(database, "square", {"of": 3})
    assert gone
    assert again != first
    assert farm_jobs(database, [again])[again]["status"] == "queued"


def test_what_nobody_asks_for_any_more_is_forgotten_ended_or_not(database: Database) -> None:
    ids = [put_job(database, "square", {"of": number}) for number in range(4)]
    assert take_job(database, "lost", ["square"], 30.0)
    assert take_job(database, "one", ["square"], 30.0)
    assert end_job(database, ids[1], "one", result={"is": 1})
    with database.begin() as connection:
        connection.execute(text("UPDATE farm_jobs SET updated_at = 1"))
    # One is asked for again in time, and so is one that has its result.
    assert put_job(database, "square", {"of": 1}) == ids[1]
    assert put_job(database, "square", {"of": 3}) == ids[3]
    forget_jobs(database)
    rows = farm_jobs(database, ids)
    assert {job_id: row["status"] for job_id, row in rows.items()} == {ids[1]: "done", ids[3]: "queued"}


def test_who_asks_does_one_job_at_a_time_however_many_ask(database: Database, head_pool: Pool) -> None:
    begun, looked, both = threading.Event(), threading.Event(), threading.Event()
    done: list[int] = []

    def slow_square(_: Database, __: Pool, inputs: Mapping[str, Any], ___: Told) -> dict[str, Any]:
        if begun.is_set() and not looked.is_set():
            both.set()
        begun.set()
        # The other has looked for its work again and again by then, or has begun it.
        until(lambda: looked.is_set() or both.is_set(), "the other to look", 2 * PATIENCE)
        done.append(inputs["of"])
        return {"is": inputs["of"] ** 2}

    farm = Farm(database, head_pool, {"square": slow_square}, patience=0.0)
    first: list[dict[str, Any]] = []
    thread = threading.Thread(target=lambda: first.extend(farm.do("square", [{"of": 2}])))
    thread.start()
    assert begun.wait(PATIENCE)
    looks: list[float] = []

    def told(share: float) -> None:
        looks.append(share)
        if len(looks) == 3:
            looked.set()

    assert farm.do("square", [{"of": 3}], told) == [{"is": 9}]
    thread.join()
    assert first == [{"is": 4}]
    assert not both.is_set()
    assert sorted(done) == [2, 3]


def test_short_work_does_not_wait_for_a_long_job_of_this_machine(database: Database, head_pool: Pool) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def square(_: Database, __: Pool, inputs: Mapping[str, Any], ___: Told) -> dict[str, Any]:
        if inputs["of"] == 2:
            begun.set()
            assert go_on.wait(PATIENCE)
        return {"is": inputs["of"] ** 2}

    farm = Farm(database, head_pool, {"square": square}, patience=0.0)
    first: list[dict[str, Any]] = []
    thread = threading.Thread(target=lambda: first.extend(farm.do("square", [{"of": 2}])))
    thread.start()
    try:
        assert begun.wait(PATIENCE)
        assert farm.do("square", [{"of": 3}], short=True) == [{"is": 9}]
        assert first == []
    finally:
        go_on.set()
        thread.join()
    assert first == [{"is": 4}]


def test_a_worker_that_has_nothing_to_do_ends_when_it_is_told(database: Database, head_pool: Pool) -> None:
    worker = FarmWorker(database, head_pool, {})
    thread = threading.Thread(target=worker.run)
    thread.start()
    worker.stop()
    thread.join(timeout=60)
    assert not thread.is_alive()
