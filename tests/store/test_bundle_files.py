"""A bundle from a stranger is read within bounds, or refused in one sentence."""

from __future__ import annotations

import copy
import hashlib
import io
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from arena.errors import StoreError
from arena.store.bundle import FORMAT, open_bundle, read_bundle, write_bundle
from arena.store.database import open_database
from arena.store.recorder import Recorder
from arena.store.seasons import resume_or_open
from tests.store.conftest import PLAN, Books
from tests.store.test_recorder import writes

LISTS = ("ticks", "events", "orders", "trades", "equity")


class Parts:
    """The parts of a whole bundle; `file` makes a ZIP of them with the right hashes."""

    def __init__(self, data: bytes) -> None:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            self.manifest: dict[str, Any] = orjson.loads(archive.read("manifest.json"))
            self.source = archive.read("bot.py")
            self.lists = {
                name: [orjson.loads(line) for line in archive.read(f"{name}.jsonl").splitlines()] for name in LISTS
            }

    def file(self, path: Path, compression: int = zipfile.ZIP_DEFLATED) -> Path:
        members = {"bot.py": self.source}
        for name, rows in self.lists.items():
            members[f"{name}.jsonl"] = b"".join(orjson.dumps(row) + b"\n" for row in rows)
        hashes = {name: hashlib.sha256(data).hexdigest() for name, data in members.items()}
        if isinstance(self.manifest, dict):
            self.manifest["sha256"] = hashes
        with zipfile.ZipFile(path, "w", compression) as archive:
            archive.writestr("manifest.json", orjson.dumps(self.manifest))
            for name, data in members.items():
                archive.writestr(name, data)
        return path


def bundle_of(books: Books) -> bytes:
    """Return the bundle of a bot with three ticks."""
    bot, recorder = books.admit("A"), Recorder(books.database)
    for n in range(3):
        recorder.record(writes(books, recorder, bot.id, n))
    with books.database.begin() as connection:
        detail = {"detail": "loaded after tick -1", "event": "start"}
        connection.execute(text("UPDATE bot_ticks SET event = :event, detail = :detail WHERE tick = 0"), detail)
    file = io.BytesIO()
    write_bundle(read_bundle(books.database, books.season.id, bot.id, "1"), file)
    return file.getvalue()


@pytest.fixture(scope="module")
def whole(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A whole bundle's bytes, of a database of its own."""
    folder = tmp_path_factory.mktemp("whole")
    shutil.copy(migrated_sqlite, folder / "lab.db")
    database = open_database(f"sqlite:///{folder / 'lab.db'}")
    made = bundle_of(Books(database, resume_or_open(database, PLAN, runtime={})[0]))
    database.dispose()
    return made


@pytest.fixture
def parts(whole: bytes) -> Parts:
    return Parts(whole)


def refused(path: Path) -> str:
    with pytest.raises(StoreError) as caught:
        open_bundle(path)
    said = str(caught.value)
    assert said.startswith(f"{path} is not a bundle of `arena export`: ")
    assert "\n" not in said
    return said


def test_a_whole_bundle_is_read(books: Books, tmp_path: Path) -> None:
    assert len(open_bundle(Parts(bundle_of(books)).file(tmp_path / "a.zip")).ticks) == 3


def change(where: str, name: str, value: Any) -> Callable[[Parts], None]:
    """Return what sets a value in the manifest's part or in the first row of a list."""

    def apply(parts: Parts) -> None:
        row = parts.lists[where][0] if where in LISTS else parts.manifest[where]
        row[name] = value

    return apply


@pytest.mark.parametrize(
    ("apply", "said"),
    [
        (change("ticks", "prices", {"BTCUSDT": "much"}), "price of tick 0"),
        (change("ticks", "prices", []), "prices cannot be []"),
        (change("ticks", "n", 2**63), "n cannot be"),
        (change("ticks", "prices", {f"S{n}": 1.0 for n in range(1001)}), "market is too large"),
        (change("ticks", "conditions", {"ended": {"X": "y"}}), "price of tick 0"),
        (change("ticks", "conditions", {"barred": 5}), "conditions of tick 0"),
        (change("events", "tick", 2**61), "outside the recorded ticks"),
        (change("events", "detail", "loaded after tick 9" + "9" * 5000), "does not say what it was loaded after"),
        (change("orders", "tick", -1), "outside the recorded ticks"),
        (change("trades", "price", None), "price cannot be None"),
        (change("trades", "size", True), "size cannot be True"),
        (change("equity", "bot_name", {}), "bot_name cannot be {}"),
        (change("season", "starting_cash", -1.0), "above 0"),
        (change("season", "fee_bps", 1e12), "rules"),
        (change("season", "runtime", "python"), "runtime cannot be"),
        (change("bot", "seed", "x"), "seed"),
        (change("bot", "seed", "9" * 20), "seed"),
        (change("entry", "bot_name", "\x1b[2J"), "name"),
        (change("entry", "orders_count", -5), "negative"),
    ],
)
def test_what_cannot_be_right_is_refused_by_name(
    parts: Parts, tmp_path: Path, apply: Callable[[Parts], None], said: str
) -> None:
    apply(parts)
    assert said in refused(parts.file(tmp_path / "a.zip"))


@pytest.mark.system
def test_a_member_that_unpacks_to_gigabytes_is_not_unpacked(parts: Parts, tmp_path: Path) -> None:
    path = parts.file(tmp_path / "a.zip")
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=9) as archive,
        archive.open("big", "w", force_zip64=True) as member,
    ):
        for _ in range(1100):
            member.write(b"\0" * (1 << 20))
    assert path.stat().st_size < 2_000_000
    assert "unpacks to more than 1024 MiB" in refused(path)


def test_many_members_are_refused(parts: Parts, tmp_path: Path) -> None:
    path = parts.file(tmp_path / "a.zip")
    with zipfile.ZipFile(path, "a") as archive:
        for n in range(100):
            archive.writestr(f"m{n}", b"")
    assert "members" in refused(path)


@pytest.mark.parametrize("number", [0, FORMAT + 1, -1, True, 1e308])
def test_a_bundle_of_an_unknown_format_is_refused(parts: Parts, tmp_path: Path, number: float) -> None:
    parts.manifest["format"] = number
    assert f"its format is none of 1 to {FORMAT}" in refused(parts.file(tmp_path / "bot.zip"))


@pytest.mark.parametrize("manifest", [b"[]", b"5", b"null", b'{"sha256": {}}', b"[" * 100_000, b"\xff"])
def test_a_manifest_of_another_kind_is_refused(tmp_path: Path, manifest: bytes) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("manifest.json", manifest)
    refused(tmp_path / "a.zip")


@pytest.mark.system
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_no_change_of_any_value_ends_in_anything_but_a_bundle_or_a_sentence(
    whole: bytes, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    parts = copy.deepcopy(Parts(whole))
    where = data.draw(st.sampled_from([*LISTS, "season", "bot", "entry"]))
    row = parts.lists[where][0] if where in LISTS else parts.manifest[where]
    name = data.draw(st.sampled_from(sorted(row)))
    row[name] = data.draw(st.one_of(
        st.none(), st.booleans(), st.integers(-(2**63), 2**63), st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=20), st.lists(st.booleans(), max_size=2), st.dictionaries(st.text(max_size=3), st.none()),
    ))  # fmt: skip
    path = parts.file(tmp_path_factory.mktemp("bundle") / "a.zip", zipfile.ZIP_STORED)
    try:
        open_bundle(path)
    except StoreError as error:
        assert str(error).startswith(str(path))  # noqa: PT017 - a bundle that is read is right too
