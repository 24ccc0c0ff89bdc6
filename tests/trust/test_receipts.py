"""Receipts that hold, and what is seen of each change to one."""

from __future__ import annotations

import copy
import json
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from arena.errors import StoreError
from arena.store.bundle import open_bundle
from arena.store.receipts import canonical, hash_of, is_signed, read_key, receipt_problems
from tests.arenas import Running, bot_source


def chain(tmp_path: Path) -> list[dict[str, Any]]:
    signer, rows, previous = read_key(tmp_path / "arena.key"), [], None
    for n in range(3):
        document = {"name": f"b{n}", "previous": previous}
        previous = hash_of(document)
        rows.append({
            "n": n, "document": document, "hash": previous, "signature": signer.sign(document), "key": signer.public,
        })  # fmt: skip
    return rows


def test_the_key_is_made_once_and_is_its_owners_only(tmp_path: Path) -> None:
    first = read_key(tmp_path / "arena.key")
    assert read_key(tmp_path / "arena.key").public == first.public
    assert stat.S_IMODE((tmp_path / "arena.key").stat().st_mode) == 0o600
    (tmp_path / "arena.key").write_bytes(b"short")
    with pytest.raises(StoreError, match="32 bytes"):
        read_key(tmp_path / "arena.key")


def test_a_chain_holds_and_each_change_is_seen(tmp_path: Path) -> None:
    rows = chain(tmp_path)
    assert receipt_problems(rows, rows[0]["key"]) == []
    changed = copy.deepcopy(rows)
    changed[1]["document"]["name"] = "other"
    assert [p.split(":")[0] for p in receipt_problems(changed)] == [
        "Receipt 1 was changed",
        "Receipt 1 is not signed by its key.",
    ]
    # With hash made to fit, the signature and the next link still tell.
    changed[1]["hash"] = hash_of(changed[1]["document"])
    assert receipt_problems(changed) == [
        "Receipt 1 is not signed by its key.", "Receipt 2 does not follow the one before it.",
    ]  # fmt: skip
    assert receipt_problems([rows[0], rows[2]]) == ["Receipt 2 does not follow the one before it."]
    other = read_key(tmp_path / "other.key")
    assert receipt_problems(rows, other.public)[0] == "Receipt 0 is signed by another key."


@pytest.mark.parametrize("signature", ["", "AAAA", "not base64!", "A" * 88])
def test_what_is_no_signature_is_not_one(signature: str, tmp_path: Path) -> None:
    row = chain(tmp_path)[0]
    assert not is_signed(row["document"], signature, row["key"])
    assert not is_signed(row["document"], row["signature"], signature)


def test_the_order_of_keys_does_not_matter() -> None:
    assert canonical({"b": 1, "a": [1.5]}) == canonical({"a": [1.5], "b": 1}) == b'{"a":[1.5],"b":1}'


def test_a_bot_has_a_receipt_of_its_code_and_rules(live: Running, own_name: str) -> None:
    seat = live.admitted(bot_source(name=own_name))
    found = live.get(f"/bots/{seat.id}/receipt")
    assert found["problems"] == []
    assert found["document"]["code_sha256"] == seat.bot.source_hash
    assert found["document"]["admitted_tick"] == seat.entry.admitted_tick
    assert found["document"]["rules"]["benchmark"] == "equal weight"
    public = live.get("/key")["key"]
    assert is_signed(found["document"], found["signature"], public)


def changed_member(path: Path, out: Path, name: str, change: Any) -> Path:
    """Write a ZIP again with one member changed."""
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(out, "w") as written:
        for member in archive.namelist():
            data = archive.read(member)
            written.writestr(member, change(data) if member == name else data)
    return out


def test_bundles_and_boards_of_a_server_are_signed_and_each_change_is_seen(live: Running, tmp_path: Path) -> None:
    seat = live.admitted(bot_source(name="Sealed"))
    live.ticks(3)
    key = live.get("/key")["key"]
    whole = tmp_path / "whole.zip"
    whole.write_bytes(live.client.get(f"/api/v1/bots/{seat.id}/bundle").content)
    bundle = open_bundle(whole)
    assert (bundle.key, bundle.problems) == (key, [])

    def manifest(change: Any) -> Any:
        def changed(data: bytes) -> bytes:
            document = json.loads(data)
            change(document)
            return json.dumps(document).encode()

        return changed

    for change, said in (
        (lambda d: d["season"].update(fee_bps=1.0), "It was changed after it was signed."),
        (lambda d: d["bot"].update(author="mallory"), "It was changed after it was signed."),
        (lambda d: d["receipts"][-1]["document"].update(author="mallory"), "was changed: its hash differs"),
        (lambda d: d.update(receipts="x"), "Its receipts cannot be read."),
    ):
        found = open_bundle(changed_member(whole, tmp_path / "changed.zip", "manifest.json", manifest(change)))
        assert any(said in problem for problem in found.problems), found.problems
    other = read_key(tmp_path / "other.key")

    def sign_again(data: bytes) -> bytes:
        del data
        with zipfile.ZipFile(whole) as archive:
            document = json.loads(archive.read("manifest.json"))
        return json.dumps({"signature": other.sign(document), "key": other.public}).encode()

    forged = open_bundle(changed_member(whole, tmp_path / "forged.zip", "signature.json", sign_again))
    # The receipts in it are still those of the server's key.
    assert any("signed by another key" in problem for problem in forged.problems)
    board = live.get("/leaderboard/signed")
    assert is_signed(board["board"], board["signature"], key)
    assert board["board"]["season"]["rules"]["delay_ticks"] == 1


def test_the_command_checks_signed_files(live: Running, tmp_path: Path) -> None:
    from arena.cli.main import app

    board, path = live.get("/leaderboard/signed"), tmp_path / "board.json"
    key = board["key"]
    path.write_text(json.dumps(board))

    def verify(*more: str) -> Any:
        return CliRunner().invoke(app, ["verify", str(path), "--json", *more])

    assert json.loads(verify("--key", key).output)["signature"] == {"key": key, "holds": True, "problems": []}
    assert verify("--key", "another").exit_code == 1
    board["board"]["season"]["fee_bps"] = 99.0
    path.write_text(json.dumps(board))
    done = verify()
    assert done.exit_code == 1
    assert json.loads(done.output)["signature"]["problems"] == ["It was changed after it was signed."]
    path.write_text("[]")
    assert isinstance(verify().exception, StoreError)
