"""The report of a closed season, with planted skill and without."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine as Database
from sqlalchemy import text
from typer.testing import CliRunner

from arena.errors import ConflictError, StoreError
from arena.store.receipts import is_signed, read_key, sealed
from arena.store.seasons import close_season
from arena.trust.season_report import report_page, season_report
from tests.trust.test_statistics import database, recorded

__all__ = ["database"]


def closed(database: Database, returns: np.ndarray) -> dict[str, Any]:
    season_id, _ = recorded(database, returns, [f"Bot {n}" for n in range(returns.shape[1])])
    close_season(database, season_id)
    return season_report(database, 1)


def test_an_open_season_has_no_report_yet(database: Database) -> None:
    recorded(database, np.zeros((3, 1)), ["One"])
    with pytest.raises(ConflictError, match="still open"):
        season_report(database, 1)


@pytest.mark.system
def test_planted_skill_is_found_and_luck_is_not(database: Database) -> None:
    pytest.importorskip("arch", reason="the extra 'trust' is not installed")
    returns = np.random.default_rng(1).normal(0, 1e-2, (400, 6))
    returns[:, 2] += 4e-3
    report = closed(database, returns)
    best = report["best_of_many"]
    assert best["stepm"] == ["Bot 2"]
    assert best["spa_p"] < 0.01
    # One of six is really better: what is best in one half is best in the other.
    assert [(each["author"], each["bots"]) for each in report["overfitting"]] == [("ann", 6)]
    assert report["overfitting"][0]["pbo"] < 0.05


def test_a_short_season_says_what_it_needs(database: Database) -> None:
    report = closed(database, np.zeros((12, 2)))
    assert report["best_of_many"] == {"needs": "needs 30 periods, has 12"}
    assert report["overfitting"] == []
    assert "needs 30 periods, has 12" in report_page(report)


def test_the_command_writes_each_format_and_signs(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from arena.cli.main import app

    closed(database, np.zeros((3, 1)))
    monkeypatch.chdir(tmp_path)
    given = ["season", "report", "1", "--db", str(tmp_path / "lab.db"), "--out"]
    for suffix, begins in ((".json", "{"), (".html", "<!doctype html>"), (".csv", "rank,name")):
        done = CliRunner().invoke(app, [*given, f"report{suffix}"])
        assert done.exit_code == 0, done.output
        assert (tmp_path / f"report{suffix}").read_text("utf-8").startswith(begins)
    document = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert is_signed(document["report"], document["signature"], document["key"])


@pytest.mark.system
def test_a_report_is_proved_by_its_signature_and_by_the_database(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from arena.cli.main import app

    closed(database, np.random.default_rng(2).normal(0, 1e-2, (40, 2)))
    monkeypatch.chdir(tmp_path)
    given = ["--db", str(tmp_path / "lab.db")]
    assert CliRunner().invoke(app, ["season", "report", "1", *given, "--out", "report.json"]).exit_code == 0
    done = CliRunner().invoke(app, ["verify", "report.json", *given])
    assert (done.exit_code, "the signature holds" in done.output) == (0, True), done.output
    with database.begin() as connection:
        connection.execute(text("UPDATE seasons SET fee_bps = 9"))
    done = CliRunner().invoke(app, ["verify", "report.json", *given])
    assert (done.exit_code, "Computed again, this part differs: rules." in done.output) == (1, True), done.output


def test_a_signature_is_that_of_one_kind_of_document(tmp_path: Path) -> None:
    from arena.cli.main import app

    signer = read_key(tmp_path / "arena.key")
    report = sealed("report", {"table": [], "season": {"number": 1}, "fee": None}, signer)
    seal = {name: report[name] for name in ("signature", "key")}
    whole = json.dumps(report)
    assert verified(app, tmp_path, whole).exit_code == 0
    others = {
        "under another name": json.dumps({"board": report["report"], **seal}),
        "with a second document": json.dumps({**report, "board": {"items": []}}),
        "NaN, which is signed as null is": whole.replace("null", "NaN"),
        "a part of no JSON": json.dumps({"report": {"table": 10**30}, **seal}).replace("1" + "0" * 30, "-Infinity"),
        "half a character": json.dumps({"report": {"table": "\ud800"}, **seal}),
    }
    for what, document in others.items():
        done = verified(app, tmp_path, document)
        assert isinstance(done.exception, StoreError), what
        assert "is no signed season report" in str(done.exception), what
    # A number that no JSON of ours holds is no fault, but no signed one either.
    assert not is_signed({"table": 10**30}, report["signature"], report["key"])
    huge = json.dumps({"report": {"table": 10**30}, **seal})
    assert verified(app, tmp_path, huge).exit_code == 1


def verified(app: Any, folder: Path, document: str) -> Any:
    (folder / "signed.json").write_text(document, "utf-8")
    return CliRunner().invoke(app, ["verify", str(folder / "signed.json")])
