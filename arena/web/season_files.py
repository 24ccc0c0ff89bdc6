"""What can be downloaded of a season: its tables as CSV and Parquet, its report, and all of it as one file."""

from __future__ import annotations

import csv
import io
import tempfile
import threading
import zipfile
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import IO, Any

import orjson

from arena.engine.backtest.report import csv_cell
from arena.errors import ConflictError, NotFoundError
from arena.store import queries
from arena.store.season_tables import TABLES, season_frame
from arena.trust.season_report import report_page, season_report
from arena.web.context import AppState

NAMES = ("board", *TABLES)
BUNDLE = "season.zip"
FILES = (
    *(f"{name}.{ending}" for name in NAMES for ending in ("csv", "parquet")), "report.json", "report.html", BUNDLE
)  # fmt: skip
TYPES = {
    "csv": "text/csv", "parquet": "application/vnd.apache.parquet", "json": "application/json", "html": "text/html",
    "zip": "application/zip",
}  # fmt: skip
MAX_REPORTS = 20  # in memory
SMALL = 200_000  # bots times score points: a report of so many is made while a page waits


@dataclass(slots=True)
class SeasonReports:
    """The reports of closed seasons, each made once; callable from any thread."""

    _made: OrderedDict[int, dict[str, Any]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, context: AppState, number: int) -> dict[str, Any]:
        """Return the report of a closed season; ConflictError while it is open."""
        with self._lock:
            found = self._made.get(number)
            if found is None:
                found = self._made[number] = season_report(context.database, number)
                while len(self._made) > MAX_REPORTS:
                    self._made.popitem(last=False)
            return found

    def at_hand(self, context: AppState, season: dict[str, Any], bots: int) -> dict[str, Any] | None:
        """Return the report of a closed season where it is there or quick to make, else None."""
        if season["status"] != "closed":
            return None
        number = int(season["number"])
        if number not in self._made:
            spans = (season["closed_at"] or season["opened_at"]) - season["opened_at"]
            if bots * spans / max(1.0, season["score_interval"]) > SMALL:
                return None
        return self.get(context, number)


def season_file(context: AppState, reports: SeasonReports, number: int, name: str) -> IO[bytes]:
    """Return one file of a season, at its start; NotFoundError names those there are."""
    if name not in FILES:
        raise NotFoundError(f"A season has no file of that name; there are {', '.join(FILES)}.")
    season = queries.season_by_number(context.database, number)
    made = tempfile.TemporaryFile(prefix="arena-season-")  # noqa: SIM115 - whoever sends it closes it
    try:
        if name == BUNDLE:
            _write_bundle(context, reports, season, made)
        else:
            _write(context, reports, season, name, made)
    except BaseException:
        made.close()
        raise
    made.seek(0)
    return made


def _write(context: AppState, reports: SeasonReports, season: dict[str, Any], name: str, file: IO[bytes]) -> None:
    stem, _, ending = name.partition(".")
    if stem == "report":
        report = reports.get(context, season["number"])
        file.write(
            orjson.dumps(report, option=orjson.OPT_INDENT_2) if ending == "json" else report_page(report).encode()
        )
        return
    frame = season_frame(context.database, season["id"], stem)
    if ending == "parquet":
        frame.write_parquet(file, compression="zstd")
        return
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(frame.columns)
    for row in frame.iter_rows():
        writer.writerow([csv_cell(value) for value in row])
    text.flush()
    text.detach()


def _write_bundle(context: AppState, reports: SeasonReports, season: dict[str, Any], file: IO[bytes]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as bundle:
        bundle.writestr("season.json", orjson.dumps(season, option=orjson.OPT_INDENT_2))
        names = [*(f"{name}.parquet" for name in NAMES), "board.csv"]
        if season["status"] == "closed":
            names += ["report.json", "report.html"]
        for name in names:
            with tempfile.TemporaryFile(prefix="arena-season-") as part:
                try:
                    _write(context, reports, season, name, part)
                except ConflictError:  # it was opened anew meanwhile
                    continue
                part.seek(0)
                with bundle.open(name, "w") as member:
                    while piece := part.read(1 << 20):
                        member.write(piece)
