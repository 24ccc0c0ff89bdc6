"""A season's page, its report and its files."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterator

import polars as pl
import pytest

from arena.store.season_archive import archive_season
from arena.web.season_files import FILES
from tests.arenas import BUYER, Running, bot_source, running, settings_for, until

HTML = {"accept": "text/html"}


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An arena whose first season is over, with a trade of a bot whose name a spreadsheet would run."""
    folder = tmp_path_factory.mktemp("closed")
    with running(settings_for(folder), folder) as arena:
        seat = arena.admitted(bot_source(BUYER, name="=1+1 <b>"))
        until(lambda: seat.score.trades and arena.get(f"/bots/{seat.id}/trades")["items"], "a trade", 60)
        arena.api("POST", "/seasons")
        arena.ticks(1)
        yield arena


def test_the_page_of_a_season_says_its_rules_its_end_and_its_report(closed: Running) -> None:
    page = closed.client.get("/seasons/1", headers=HTML).text
    assert "This season is over" in page
    assert "Closing report" in page
    assert "cannot be said: needs 30 periods" in page
    assert "SHA-256" in page
    assert "<b>" not in page.split('id="board-table"')[1].split("</table>")[0]
    for name in ("season.zip", "trades.parquet", "equity.csv", "report.html"):
        assert f"/api/v1/seasons/1/files/{name}" in page


def test_a_season_that_goes_on_has_a_page_and_no_report(closed: Running) -> None:
    page = closed.client.get("/seasons/2", headers=HTML).text
    assert "This season goes on" in page
    assert "when the operator closes it" in page
    assert "Closing report" not in page
    answer = closed.api("GET", "/seasons/2/report")
    assert answer.status_code == 409
    assert "still open" in answer.json()["detail"]


@pytest.mark.system
def test_the_report_is_what_the_command_writes(closed: Running) -> None:
    report = closed.get("/seasons/1/report")["report"]
    assert report["season"]["number"] == 1
    assert report["best_of_many"]["needs"].startswith("needs 30 periods")
    assert "=1+1 <b>" in {row["name"] for row in report["table"]}


@pytest.mark.parametrize("name", FILES)
def test_every_file_of_a_season_can_be_downloaded(closed: Running, name: str) -> None:
    answer = closed.api("GET", f"/seasons/1/files/{name}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"] == f'attachment; filename="season-1-{name}"'
    assert answer.content


@pytest.mark.parametrize("table", ["board", "trades", "orders", "equity", "ticks"])
def test_csv_and_parquet_hold_the_same_rows(closed: Running, table: str) -> None:
    text = closed.api("GET", f"/seasons/1/files/{table}.csv").text
    rows = list(csv.DictReader(io.StringIO(text)))
    frame = pl.read_parquet(io.BytesIO(closed.api("GET", f"/seasons/1/files/{table}.parquet").content))
    assert frame.height == len(rows) > 0
    assert frame.columns == list(rows[0])
    numbers = [name for name in ("equity", "price", "time", "n", "size") if name in frame.columns]
    for name in numbers:
        assert [float(row[name]) for row in rows if row[name]] == frame[name].drop_nulls().to_list()


def test_what_was_moved_to_the_archive_is_downloaded_as_well(closed: Running) -> None:
    before = {name: closed.api("GET", f"/seasons/1/files/{name}.csv").text for name in ("ticks", "equity")}
    archive_season(closed.arena.database, 1)
    assert {name: closed.api("GET", f"/seasons/1/files/{name}.csv").text for name in before} == before


def test_a_csv_file_runs_no_formula(closed: Running) -> None:
    (trade, *_) = csv.DictReader(io.StringIO(closed.api("GET", "/seasons/1/files/trades.csv").text))
    assert trade["bot_name"] == "'=1+1 <b>"


def test_a_closed_season_as_one_file_has_its_tables_and_its_report(closed: Running) -> None:
    with zipfile.ZipFile(io.BytesIO(closed.api("GET", "/seasons/1/files/season.zip").content)) as bundle:
        assert set(bundle.namelist()) >= {"season.json", "board.csv", "trades.parquet", "report.html", "report.json"}
        assert json.loads(bundle.read("season.json"))["number"] == 1
        assert json.loads(bundle.read("report.json"))["report"]["season"]["number"] == 1
    with zipfile.ZipFile(io.BytesIO(closed.api("GET", "/seasons/2/files/season.zip").content)) as bundle:
        assert "report.json" not in bundle.namelist()


@pytest.mark.parametrize(
    ("address", "status"),
    [("/seasons/9/files/board.csv", 404), ("/seasons/1/files/seeds.csv", 404), ("/seasons/9/report", 404),
     ("/seasons/2/files/report.json", 409)],
)  # fmt: skip
def test_what_a_season_does_not_have_is_said(closed: Running, address: str, status: int) -> None:
    assert closed.api("GET", address).status_code == status
