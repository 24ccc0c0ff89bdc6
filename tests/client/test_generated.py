"""A client that openapi-python-client makes of docs/openapi.json works against a live server.

The generator needs another typer than the project has: it is installed into an environment of its own, by pip.
"""

from __future__ import annotations

import subprocess
import venv
from pathlib import Path

import pytest

from tests.arenas import Running, bot_source

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"
PROGRAM = """
import importlib, io, pkgutil, sys
import made as package
from made import AuthenticatedClient, Client
from made.api.arena import leaderboard_api_v1_leaderboard_get as leaderboard
from made.api.backtests import tapes_api_v1_tapes_get as tapes, upload_tape_api_v1_tapes_post as upload_tape
from made.api.bots import (
    check_api_v1_bots_check_post as check, list_bots_api_v1_bots_get as bots,
    retire_api_v1_bots_bot_id_delete as retire, show_api_v1_bots_bot_id_get as show, upload_api_v1_bots_post as upload,
)
from made.api.people import me_api_v1_me_get as me
from made.api.strategies import submit_api_v1_strategies_post as submit
from made.api.trust import key_api_v1_key_get as key
from made.api.webhooks import (
    add_api_v1_webhooks_post as add, remove_api_v1_webhooks_webhook_id_delete as remove,
    webhooks_api_v1_webhooks_get as webhooks,
)
from made.models import (
    BotDetail, Problem, StrategyRequest, UploadApiV1BotsPostFilesBody, UploadApiV1BotsPostJsonBotRequest,
    WebhookRequest,
)
from made.types import File

for module in pkgutil.walk_packages(package.__path__, "made."):
    importlib.import_module(module.name)
url, source, name, token = sys.argv[1:]
nobody, known = Client(base_url=url), AuthenticatedClient(base_url=url, token=token)
made = upload.sync(client=known, body=UploadApiV1BotsPostJsonBotRequest(source=source))
assert isinstance(made, BotDetail) and made.name == name, made
same = upload.sync(client=known, body=UploadApiV1BotsPostFilesBody(file=File(io.BytesIO(source.encode()), "bot.py")))
assert same.bot_id == made.bot_id, same
found = show.sync(name, client=nobody)
assert (found.bot_id, found.status) == (made.bot_id, "active"), found
assert made.bot_id in {row.bot_id for row in bots.sync(client=nobody).items}
assert leaderboard.sync(client=nobody, limit=5).season.number == 1
assert me.sync(client=known).admin
assert len(key.sync(client=nobody).key) == 44
asked = submit.sync_detailed(client=known, body=StrategyRequest(prompt="Hold BTCUSDT."), idempotency_key="one")
assert asked.status_code == 202, asked
prices = io.BytesIO(b"time,symbol,price\\n1767225600,BTCUSDT,1\\n")
tape = upload_tape.sync(client=known, body=File(prices), name="a.csv")
assert tape.name in {one.name for one in tapes.sync(client=nobody).items}
hook = add.sync(client=known, body=WebhookRequest(url="https://example.org/hook"))
assert [one.id for one in webhooks.sync(client=known).items] == [hook.id]
assert remove.sync_detailed(hook.id, client=known).status_code == 204
refused = upload.sync(client=nobody, body=UploadApiV1BotsPostJsonBotRequest(source=source))
assert isinstance(refused, Problem) and refused.status == 401, refused
missing = show.sync_detailed("nobody of this name", client=nobody)
assert missing.status_code == 404 and isinstance(missing.parsed, Problem), missing
assert retire.sync_detailed(made.bot_id, client=known).status_code == 204
print("all of it")
"""


@pytest.mark.long  # it installs a generator; test_api_document holds the document itself
def test_a_generated_client_works(guarded: Running, own_name: str, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    installed = _run(python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "openapi-python-client")
    if installed.returncode:
        pytest.skip(f"pip cannot install openapi-python-client here: {installed.stderr[-300:]}")
    made = _run(
        python, "-m", "openapi_python_client", "generate", "--path", DOCUMENT, "--meta", "none",
        "--output-path", tmp_path / "made",
    )  # fmt: skip
    assert made.returncode == 0, made.stdout + made.stderr
    (tmp_path / "try.py").write_text(PROGRAM)
    token = guarded.settings.arena_token.get_secret_value()
    done = _run(python, tmp_path / "try.py", guarded.url, bot_source(name=own_name), own_name, token)
    assert (done.stdout, done.returncode) == ("all of it\n", 0), done.stderr


def _run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=300, check=False)
