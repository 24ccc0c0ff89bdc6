from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from arena.errors import MarketDataError, NotFoundError
from arena.feeds.archives import Archive, archives
from arena.feeds.download import Downloader, DownloadError
from arena.feeds.fakes.archive_site import FakeArchiveSite, zipped
from arena.feeds.history import load_history

NAME = "BTCUSDT-trades-2025-01-01.zip"
TEXT = "".join(f"{n},{100 + n % 7}.5,1,100,{1735689600000000 + n * 250_000},True,True\n" for n in range(4000))
CONTENT = zipped(NAME, TEXT)


@pytest.fixture
def site():
    with FakeArchiveSite() as found:
        yield found


@pytest.fixture
def wanted(site) -> Archive:
    [archive] = archives("btcusdt", "trades", "2025-01-01", None)
    site.put(archive.path, CONTENT)
    return archive


def fetch(site: FakeArchiveSite, folder: Path, archive: Archive, **told) -> bool:
    with Downloader(folder, base_url=site.url, pause=lambda _: None) as downloader:
        return downloader.fetch(archive, **told)


def test_files_are_named_as_the_archive_names_them():
    [month] = archives("BTCUSDT", "1m", "2025-01", None)
    assert month.path == "data/spot/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2025-01.zip"
    [day] = archives("BTCUSDT", "aggTrades", "2025-01-31", None)
    assert day.path == "data/spot/daily/aggTrades/BTCUSDT/BTCUSDT-aggTrades-2025-01-31.zip"
    assert archives("BTCUSDT", "1M", "2025-01", None)[0].name == "BTCUSDT-1mo-2025-01.zip"


def test_a_range_holds_both_of_its_ends():
    names = [archive.name[11:-4] for archive in archives("BTCUSDT", "1m", "2024-11", "2025-02")]
    assert names == ["2024-11", "2024-12", "2025-01", "2025-02"]
    assert len(archives("BTCUSDT", "trades", "2024-02-27", "2024-03-01")) == 4


@pytest.mark.parametrize(
    ("symbol", "what", "first", "last", "words"),
    [
        ("BTC/USDT", "1m", "2025-01", None, "no symbol"),
        ("BTCUSDT", "7m", "2025-01", None, "neither trades nor aggTrades"),
        ("BTCUSDT", "1m", "January", None, "neither a month"),
        ("BTCUSDT", "1m", "2025-13", None, "neither a month"),
        ("BTCUSDT", "1m", "2025-03", "2025-01", "no range"),
        ("BTCUSDT", "1m", "2025-01", "2025-01-31", "no range"),
        ("BTCUSDT", "1w", "2025-01-01", None, "monthly files only"),
        ("BTCUSDT", "1m", "1900-01-01", "2025-01-01", "ask for fewer"),
    ],
)
def test_what_the_archive_cannot_hold_is_refused_before_any_request(symbol, what, first, last, words):
    with pytest.raises(MarketDataError, match=words) as refusal:
        archives(symbol, what, first, last)
    assert refusal.value.usage


def test_a_file_comes_with_its_checksum_and_can_be_played(site, wanted, tmp_path):
    heard: list[tuple[int, int | None]] = []
    assert fetch(site, tmp_path, wanted, progress=lambda done, total: heard.append((done, total)))
    assert heard[-1] == (len(CONTENT), len(CONTENT))
    assert sorted(path.name for path in tmp_path.iterdir()) == [NAME, NAME + ".CHECKSUM"]
    market = load_history([str(tmp_path / NAME)], interval=None)
    assert (market.symbols, len(market.times)) == (("BTCUSDT",), 1000)
    assert any("SHA-256 is the one" in note for note in market.notes)


def test_a_file_that_is_there_already_is_not_fetched_again(site, wanted, tmp_path):
    fetch(site, tmp_path, wanted)
    site.requests.clear()
    assert not fetch(site, tmp_path, wanted)
    assert [path.endswith(".CHECKSUM") for path, _ in site.requests] == [True]


def test_a_new_version_of_a_file_replaces_the_old_one(site, wanted, tmp_path):
    fetch(site, tmp_path, wanted)
    # Made once: an archive holds the time at which it was made.
    anew = zipped(NAME, TEXT * 2)
    site.put(wanted.path, anew)
    assert fetch(site, tmp_path, wanted)
    assert (tmp_path / NAME).read_bytes() == anew


def test_cut_connections_go_on_where_they_were_cut(site, wanted, tmp_path):
    site.cut(1000, 2000, 3000)
    assert fetch(site, tmp_path, wanted)
    assert (tmp_path / NAME).read_bytes() == CONTENT
    begun = [int(span.strip("bytes=-")) for _, span in site.requests if span]
    assert begun == sorted(begun)
    assert begun[-1] == 6000


def test_an_interrupted_command_goes_on_with_what_it_has(site, wanted, tmp_path):
    (tmp_path / (NAME + ".part")).write_bytes(CONTENT[:5000])
    assert fetch(site, tmp_path, wanted)
    assert site.requests[-1][1] == "bytes=5000-"
    assert (tmp_path / NAME).read_bytes() == CONTENT


def test_a_part_that_is_already_whole_is_only_verified(site, wanted, tmp_path):
    (tmp_path / (NAME + ".part")).write_bytes(CONTENT)
    assert fetch(site, tmp_path, wanted)
    assert (tmp_path / NAME).read_bytes() == CONTENT


@pytest.mark.parametrize("part", [b"of another issue", b"x" * (len(CONTENT) + 9)])
def test_a_part_of_another_version_is_discarded(site, wanted, tmp_path, part):
    (tmp_path / (NAME + ".part")).write_bytes(part)
    assert fetch(site, tmp_path, wanted)
    assert (tmp_path / NAME).read_bytes() == CONTENT


def test_a_site_without_range_requests_is_asked_for_the_whole_file(tmp_path, wanted):
    with FakeArchiveSite(ranges=False) as plain:
        plain.put(wanted.path, CONTENT)
        plain.cut(1000)
        assert fetch(plain, tmp_path, wanted)
    assert (tmp_path / NAME).read_bytes() == CONTENT


def test_a_wrong_checksum_names_both_digests_and_leaves_nothing(site, wanted, tmp_path):
    site.put(wanted.path, CONTENT, checksum="ab" * 32)
    with pytest.raises(DownloadError, match="ab" * 32) as refusal:
        fetch(site, tmp_path, wanted)
    assert hashlib.sha256(CONTENT).hexdigest() in str(refusal.value)
    assert not list(tmp_path.iterdir())


def test_a_file_that_the_site_does_not_have_is_reported(site, tmp_path):
    [archive] = archives("NOSUCH", "1m", "2025-01", None)
    with pytest.raises(NotFoundError, match=r"has no NOSUCH-1m-2025-01\.zip"):
        fetch(site, tmp_path, archive)


def test_a_retry_after_of_the_site_is_obeyed(site, wanted, tmp_path):
    waits: list[float] = []
    site.refuse(503, times=2)
    site.refuse(429, "7")
    with Downloader(tmp_path, base_url=site.url, pause=waits.append) as downloader:
        assert downloader.fetch(wanted)
    assert waits == [1, 2, 7]


def test_a_site_that_stays_away_is_given_up_on_and_the_part_is_kept(site, wanted, tmp_path):
    site.cut(500, *[0] * 9)
    with pytest.raises(DownloadError, match="goes on with it"):
        fetch(site, tmp_path, wanted)
    assert (tmp_path / (NAME + ".part")).read_bytes() == CONTENT[:500]


def test_other_refusals_end_the_download_at_once(site, wanted, tmp_path):
    site.refuse(403)
    with pytest.raises(DownloadError, match="403"):
        fetch(site, tmp_path, wanted)
    assert len(site.requests) == 1


def test_a_site_that_is_no_address_is_refused(tmp_path):
    with pytest.raises(MarketDataError, match="begins with https"):
        Downloader(tmp_path, base_url="data.binance.vision")
