"""The `.arena` file: frames are read back unchanged; damage is reported and skipped."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import logged_by_feeds

from arena.errors import MarketDataError
from arena.feeds.base import RawFrame
from arena.feeds.recording.layout import (
    HEAD_BYTES,
    MAGIC,
    MARKER,
    MAX_PAYLOAD,
    RECORD_BYTES,
    BlockKind,
    DamagedError,
    RecordedFeed,
    RecordingSession,
    pack_block,
    read_head,
    read_payload,
)
from arena.feeds.recording.reader import Block, Damage, FrameBatch, blocks, sessions
from arena.feeds.recording.writer import FlushPolicy, Recording

FEEDS = (RecordedFeed("binance", ("BTCUSDT",), {"stream": "trade"}), RecordedFeed("manifold", ()))
SMALL = FlushPolicy(seconds=60.0, block_bytes=400)


def frame(n: int, feed: str = "binance") -> RawFrame:
    return RawFrame(feed, 1_700_000_000_000_000_000 + n, b'{"n":%d,"padding":"%s"}' % (n, b"x" * (n % 50)))


def write(path: Path, frames: list[RawFrame], *, append: bool = False, flush: FlushPolicy = SMALL) -> Recording:
    recording = Recording(path, FEEDS, append=append, flush=flush, clock=lambda: 5.0)
    for one in frames:
        recording.write(one)
    recording.close()
    return recording


def many_blocks(path: Path, count: int = 40) -> list[RawFrame]:
    """Write `count` frames, each in a block of its own."""
    frames = [frame(n) for n in range(count)]
    write(path, frames[:1])
    for one in frames[1:]:
        write(path, [one], append=True)
    return frames


def read(path: Path) -> list[RecordingSession | FrameBatch | Damage]:
    with path.open("rb") as stream:
        return list(sessions(stream))


def frames_in(path: Path) -> list[RawFrame]:
    return [one for found in read(path) if isinstance(found, FrameBatch) for one in found.frames]


def damage_in(path: Path) -> list[Damage]:
    return [found for found in read(path) if isinstance(found, Damage)]


def frame_blocks(path: Path) -> list[Block]:
    with path.open("rb") as stream:
        return [found for found in blocks(stream) if isinstance(found, Block) and found.head.kind == BlockKind.FRAMES]


def test_recorded_frames_are_read_back_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "m.arena"
    frames = [frame(n, "manifold" if n % 3 else "binance") for n in range(500)]
    frames += [RawFrame("binance", -1, b""), RawFrame("binance", 2**63 - 1, bytes(range(256)) * 40)]
    recording = write(path, frames)
    assert frames_in(path) == frames
    assert read(path)[0] == RecordingSession(FEEDS, 5.0)
    assert damage_in(path) == []
    assert (recording.frames, recording.bytes, recording.lost, recording.problem) == (502, path.stat().st_size, 0, "")


def test_the_head_of_a_block_has_its_number_of_frames_and_their_times(tmp_path: Path) -> None:
    path = tmp_path / "m.arena"
    frames = [frame(n) for n in range(300)]
    write(path, frames)
    heads = [block.head for block in frame_blocks(path)]
    assert sum(head.frames for head in heads) == 300
    assert (heads[0].first, heads[-1].last) == (frames[0].receive_time_ns, frames[-1].receive_time_ns)


def test_frames_are_in_the_file_soon_although_it_is_still_open(tmp_path: Path) -> None:
    path = tmp_path / "m.arena"
    recording = Recording(path, FEEDS, flush=FlushPolicy(seconds=0.01))
    try:
        recording.write(frame(1))
        written = threading.Event()
        while not recording.frames:
            assert not written.wait(0.01)
        assert frames_in(path) == [frame(1)]
    finally:
        recording.close()


@settings(deadline=None)
@given(data=st.binary(max_size=200), payloads=st.lists(st.binary(max_size=60), max_size=5))
def test_any_bytes_are_a_recording_or_damage_and_never_an_error(data: bytes, payloads: list[bytes]) -> None:
    whole = [pack_block(BlockKind.FRAMES, payload, 0) for payload in payloads]
    stream = io.BytesIO(MAGIC + data + b"".join(whole))
    found = list(sessions(stream))
    assert all(isinstance(one, Damage | FrameBatch) for one in found)
    # A frame cannot be read without its session, so everything but empty blocks is damage.
    assert sum(one.size for one in found if isinstance(one, Damage)) <= len(data) + len(b"".join(whole))


@pytest.fixture(scope="module")
def sixty_blocks(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("torn") / "m.arena"
    many_blocks(path, 60)
    return path.read_bytes()


@settings(deadline=None)
@given(cut=st.integers(min_value=0))
def test_a_torn_tail_is_named_and_everything_before_it_is_read(sixty_blocks: bytes, cut: int) -> None:
    cut = len(MAGIC) + cut % (len(sixty_blocks) - len(MAGIC) + 1)
    whole = [found for found in blocks(io.BytesIO(sixty_blocks)) if isinstance(found, Block) and found.end <= cut]
    end = whole[-1].end if whole else len(MAGIC)
    found = list(sessions(io.BytesIO(sixty_blocks[:cut])))
    count = sum(block.head.frames for block in whole)
    assert [one for batch in found if isinstance(batch, FrameBatch) for one in batch.frames] == [
        frame(n) for n in range(count)
    ]
    damage = [one for one in found if isinstance(one, Damage)]
    assert damage == ([Damage(end, cut - end, torn=True)] if cut > end else [])


@pytest.mark.parametrize("where", ["marker", "head", "payload"])
def test_a_damaged_block_is_named_and_the_others_are_read(tmp_path: Path, where: str) -> None:
    path = tmp_path / "m.arena"
    frames = many_blocks(path)
    block = frame_blocks(path)[20]
    data = bytearray(path.read_bytes())
    data[block.offset + {"marker": 0, "head": 8, "payload": HEAD_BYTES + 3}[where]] ^= 0x40
    path.write_bytes(data)
    assert damage_in(path) == [Damage(block.offset, block.end - block.offset, torn=False)]
    assert frames_in(path) == frames[:20] + frames[21:]


def test_a_stretch_of_zeros_longer_than_the_window_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "m.arena"
    frames = many_blocks(path, 3)
    block = frame_blocks(path)[1]
    data = path.read_bytes()
    path.write_bytes(data[: block.offset] + bytes(3_000_000) + data[block.offset :])
    assert damage_in(path) == [Damage(block.offset, 3_000_000, torn=False)]
    assert frames_in(path) == frames


def test_a_payload_that_unpacks_to_more_than_its_head_states_is_damage() -> None:
    block = pack_block(BlockKind.FRAMES, bytes(1_000_000), 0)
    head = read_head(block[:HEAD_BYTES])
    lying = type(head)(head.kind, head.codec, 0, head.stored, 10, 0, 0, 0, 0, head.check)
    with pytest.raises(DamagedError):
        read_payload(lying, block[HEAD_BYTES:])


def test_appending_continues_after_the_last_valid_block(tmp_path: Path) -> None:
    path = tmp_path / "m.arena"
    write(path, [frame(1)])
    sound = path.stat().st_size
    write(path, [frame(2)], append=True)
    path.write_bytes(path.read_bytes()[:-3])
    recording = write(path, [frame(3)], append=True)
    # The second session stands: only its frames were torn.
    assert recording.cut_off > 0
    assert path.stat().st_size > sound
    assert frames_in(path) == [frame(1), frame(3)]
    assert damage_in(path) == []
    assert sum(isinstance(found, RecordingSession) for found in read(path)) == 3


def test_a_file_that_is_there_is_neither_overwritten_nor_mixed_up(tmp_path: Path) -> None:
    path = tmp_path / "m.arena"
    write(path, [frame(1)])
    with pytest.raises(MarketDataError, match="is there already; --append"):
        Recording(path, FEEDS)
    other = tmp_path / "prices.csv"
    other.write_text("time,symbol,price\n")
    with pytest.raises(MarketDataError, match=r"no \.arena recording"):
        Recording(other, FEEDS, append=True)
    assert other.read_text() == "time,symbol,price\n"
    assert frames_in(path) == [frame(1)]


def test_one_file_has_one_writer(tmp_path: Path) -> None:
    path = tmp_path / "m.arena"
    recording = Recording(path, FEEDS)
    with pytest.raises(MarketDataError, match="another process"):
        Recording(path, FEEDS, append=True)
    recording.close()


def test_a_path_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MarketDataError, match="cannot be written: No such file"):
        Recording(tmp_path / "no" / "m.arena", FEEDS)


def test_frames_a_slow_disk_has_no_room_for_are_counted_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "m.arena"
    recording = write(path, [frame(n) for n in range(10)], flush=FlushPolicy(60.0, 10**6, waiting_bytes=200))
    found = [one for one in read(path) if isinstance(one, FrameBatch)]
    assert recording.lost > 0
    assert sum(batch.lost for batch in found) == recording.lost == 10 - len(frames_in(path))


FULL_DISK = """
import random, resource, signal, sys, threading
from pathlib import Path
from arena.feeds.base import RawFrame
from arena.feeds.recording.layout import RecordedFeed
from arena.feeds.recording.writer import FlushPolicy, Recording
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
recording = Recording(Path(sys.argv[1]), [RecordedFeed("a", ())], flush=FlushPolicy(60.0, 1))
while not recording.problem:
    before = recording.frames
    recording.write(RawFrame("a", 1, random.randbytes(500)))
    while recording.frames == before and not recording.problem:
        threading.Event().wait(0.001)
recording.write(RawFrame("a", 2, b"after"))
recording.close()
print(recording.frames, recording.problem)
"""


def test_a_full_disk_ends_the_recording_with_a_sentence_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "m.arena"
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, check=True, timeout=280
    )  # fmt: skip
    kept, _, sentence = done.stdout.partition(" ")
    assert sentence.strip() == f"The recording {path} has ended: File too large. It is good up to here."
    assert done.stderr.strip() == sentence.strip()
    assert 0 < int(kept) == len(frames_in(path))
    assert damage_in(path) == []


def test_a_recording_of_a_newer_version_is_refused_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "m.arena"
    path.write_bytes(MAGIC + pack_block(BlockKind.SESSION, b'{"format":2,"opened_at":1,"feeds":[]}', 0))
    with pytest.raises(MarketDataError, match="newer version"):
        read(path)


def test_frames_whose_session_is_damaged_are_not_taken_for_another_feeds(tmp_path: Path) -> None:
    path = tmp_path / "m.arena"
    write(path, [frame(1)])
    end = path.stat().st_size
    write(path, [frame(2)], append=True)
    data = bytearray(path.read_bytes())
    data[end + HEAD_BYTES] ^= 1
    path.write_bytes(data)
    assert frames_in(path) == [frame(1)]
    assert [found.offset for found in damage_in(path)] == [end, frame_blocks(path)[1].offset]


def test_a_defect_of_ours_ends_the_recording_and_nothing_else(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "m.arena"
    strange = RawFrame("binance", 2**80, b"no such time")
    with caplog.at_level("ERROR", logger="arena.feeds.recording"):
        recording = write(path, [strange])
    assert recording.problem.endswith("by a defect of ours: error.")
    assert recording.problem in logged_by_feeds(caplog.records)
    assert (frames_in(path), damage_in(path)) == ([], [])


def test_the_page_has_the_bytes_as_they_are() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "recordings.md").read_text("utf-8")
    for magic in (MAGIC, MARKER):
        assert f"`{magic.hex(' ').upper()}`" in page
    assert f"a head of {HEAD_BYTES} bytes" in page
    assert f"| {RECORD_BYTES} | length |" in page
    assert f"at most {MAX_PAYLOAD // 2**20} MiB" in page
    assert f"every second or {FlushPolicy().block_bytes // 1024} KiB" in page
    assert f"up to {FlushPolicy().waiting_bytes // 2**20} MiB" in page
