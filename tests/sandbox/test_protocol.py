"""Bytes from a worker are hostile: whatever they are, reading them ends in one of two ways."""

from __future__ import annotations

import itertools
import struct
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arena.core.orders import MAX_ORDERS_PER_TICK, Order, Rejection, Side
from arena.runtime.wire import BotError, BotReply, Level, Record, ReplyWriter, Where, read_reply
from sandbox.talk import protocol
from sandbox.talk.protocol import HEADER, Frame, FrameReader, Kind, ProtocolFault, encode

BUDGET = 4096


def read_all(chunks: list[bytes], budget: int = BUDGET) -> list[Frame] | ProtocolFault:
    reader, frames = FrameReader(budget), []
    try:
        for chunk in chunks:
            reader.feed(chunk)
            while (frame := reader.next()) is not None:
                frames.append(frame)
    except ProtocolFault as fault:
        return fault
    return frames


kinds = st.sampled_from(list(Kind))
seqs = st.integers(0, 2**32 - 1)


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_random_bytes_give_frames_or_a_fault_and_nothing_else(chunks: list[bytes]) -> None:
    read_all(chunks)


@given(st.lists(st.tuples(kinds, seqs, st.binary(max_size=200)), max_size=8), st.data())
def test_frames_come_out_as_they_went_in_however_they_are_cut(
    frames: list[tuple[Kind, int, bytes]], data: st.DataObject
) -> None:
    stream = b"".join(encode(*frame) for frame in frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    edges = [0, *cuts, len(stream)]
    chunks = [stream[a:b] for a, b in itertools.pairwise(edges)]
    assert read_all(chunks) == [Frame(*frame) for frame in frames]


@given(kinds, seqs, st.binary(max_size=200), st.integers(0, 208), st.integers(1, 255))
def test_one_flipped_byte_gives_frames_or_a_fault(kind: Kind, seq: int, payload: bytes, at: int, flip: int) -> None:
    stream = bytearray(encode(kind, seq, payload))
    stream[at % len(stream)] ^= flip
    read_all([bytes(stream)])


@given(st.integers(BUDGET + 1, 2**32 - 1), kinds, seqs)
def test_a_frame_beyond_the_budget_is_an_output_flood_before_its_payload_comes(
    length: int, kind: Kind, seq: int
) -> None:
    fault = read_all([HEADER.pack(length, kind, seq)])
    assert isinstance(fault, ProtocolFault)
    assert fault.oversize


@given(st.integers(0, 255).filter(lambda kind: kind not in set(Kind)), seqs)
def test_an_unknown_kind_is_fatal(kind: int, seq: int) -> None:
    fault = read_all([HEADER.pack(0, kind, seq)])
    assert isinstance(fault, ProtocolFault)
    assert not fault.oversize


def test_a_promised_gigabyte_is_given_no_room() -> None:
    tracemalloc.start()
    try:
        fault = read_all([HEADER.pack(2**30, Kind.REPLY, 1), b"x" * 1000])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(fault, ProtocolFault)
    assert peak < 1 << 20


@given(st.lists(st.binary(min_size=1, max_size=BUDGET), max_size=12))
def test_the_buffer_never_holds_more_than_one_frame(chunks: list[bytes]) -> None:
    reader = FrameReader(BUDGET)
    try:
        for chunk in chunks:
            piece = chunk[: reader.wanted]
            reader.feed(piece)
            assert len(reader._buffer) <= BUDGET + HEADER.size
            while reader.next() is not None:
                pass
    except ProtocolFault:
        pass


# -- replies of the bot runtime ---------------------------------------------------------------------


def read(payload: bytes, sent: int) -> BotReply | None:
    try:
        return read_reply(payload, sent)
    except ValueError:
        return None


# A fixed alphabet: what the text holds is not the point, and making it is slow on a busy machine.
texts = st.text("ab<\x00\u202e\ud800", max_size=20)
sizes = st.floats(min_value=1e-9, max_value=1e9)


@st.composite
def replies(draw: st.DrawFn) -> tuple[bytes, int]:
    ticks = draw(st.integers(1, 5))
    writer = ReplyWriter()
    for index in range(ticks):
        for _ in range(draw(st.integers(0, 3))):
            order = Order(draw(texts), draw(st.sampled_from(Side)), draw(sizes))
            writer.order(index, order)
        if draw(st.booleans()):
            writer.rejected(index, Rejection(draw(texts), draw(texts), None, draw(texts)))
            writer.log(index, draw(st.sampled_from(Level)), draw(texts))
            writer.logs_dropped(index, draw(st.integers(0, 2**40)))
            writer.overflow(index, draw(st.integers(0, 2**40)))
            line = draw(st.integers(0, 2**32 - 1))
            writer.error(index, BotError(Where.on_tick, draw(texts), draw(texts), line, draw(st.booleans())))
    return writer.finish(ticks, 1.0, 2.0), ticks


@given(st.binary(max_size=2000), st.integers(0, 100))
def test_random_bytes_give_a_reply_or_a_value_error(payload: bytes, sent: int) -> None:
    read(payload, sent)


@given(replies())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_a_reply_reads_back(written: tuple[bytes, int]) -> None:
    payload, ticks = written
    reply = read_reply(payload, ticks)
    assert (reply.done, reply.cash, reply.realized) == (ticks, 1.0, 2.0)


@given(replies(), st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=6))
@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
def test_a_mutated_reply_gives_only_orders_a_bot_could_make(
    written: tuple[bytes, int], changes: list[tuple[int, int]]
) -> None:
    payload, ticks = bytearray(written[0]), written[1]
    for at, value in changes:
        payload[at % len(payload)] = value
    reply = read(bytes(payload), ticks)
    for deeds in (reply.deeds if reply else {}).values():
        assert len(deeds.orders) <= MAX_ORDERS_PER_TICK
        for order in deeds.orders:
            assert type(order.size) is float
            assert 0.0 < order.size < float("inf")


@given(replies(), st.integers(0, 400))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_a_reply_cut_short_gives_a_prefix_or_a_value_error(written: tuple[bytes, int], cut: int) -> None:
    payload, ticks = written
    whole, part = read_reply(payload, ticks), read(payload[: len(payload) - cut], ticks)
    assert part is None or set(part.deeds) <= set(whole.deeds)


@pytest.mark.parametrize("size", [float("nan"), float("inf"), -1.0, 0.0, -float("inf")])
def test_an_order_of_a_size_no_bot_can_give_breaks_the_protocol(size: float) -> None:
    body = struct.pack("<BdH", 0, size, 1) + b"X"
    payload = struct.pack("<I2d", 1, 0.0, 0.0) + struct.pack("<BI", Record.ORDER, 0) + body
    with pytest.raises(ValueError, match="an order that no bot can make"):
        read_reply(payload, 1)


def test_a_hundred_and_first_order_breaks_the_protocol() -> None:
    writer = ReplyWriter()
    for _ in range(MAX_ORDERS_PER_TICK + 1):
        writer.order(0, Order("X", Side.BUY, 1.0))
    with pytest.raises(ValueError, match="more orders"):
        read_reply(writer.finish(1, 0.0, 0.0), 1)


def test_records_out_of_order_break_the_protocol() -> None:
    writer = ReplyWriter()
    writer.log(1, Level.INFO, "later")
    writer.log(0, Level.INFO, "earlier")
    with pytest.raises(ValueError, match="a record for tick 0"):
        read_reply(writer.finish(2, 0.0, 0.0), 2)


def test_more_ticks_answered_than_sent_break_the_protocol() -> None:
    with pytest.raises(ValueError, match="3 ticks answered where 2 were sent"):
        read_reply(ReplyWriter().finish(3, 0.0, 0.0), 2)


def test_numbers_of_requests_come_again_without_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "_numbers", itertools.count(0xFFFFFFFD))
    assert [protocol.next_number() for _ in range(4)] == [0xFFFFFFFE, 0xFFFFFFFF, 1, 2]
