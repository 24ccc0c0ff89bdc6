"""Webhooks over real TLS and a real resolver, in a network of its own that nothing outside sees."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
APART = ["unshare", "--user", "--map-root-user", "--mount", "--net"]
PRIVATE = "an address of a private network"


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    try:
        subprocess.run([*APART, "ip", "address"], check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this machine gives no network of its own: needs user namespaces and `ip`")
    folder = tmp_path_factory.mktemp("network")
    run = subprocess.run(
        [*APART, sys.executable, "-m", "tests.webhooks.network", str(folder)], cwd=ROOT, timeout=200, check=False,
        env={**os.environ, "SSL_CERT_FILE": str(folder / "authorities.pem")}, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout)
    return found


@pytest.mark.system
@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("good.example", "HTTP 200"),
        ("8.8.8.8", "HTTP 200"),
        ("wrong.example", "its certificate is not taken: Hostname mismatch"),
        ("old.example", "its certificate is not taken: certificate has expired"),
        ("self.example", "its certificate is not taken: self-signed certificate"),
        ("rebind.example", "HTTP 200"),
        ("rebind.example, again", PRIVATE),
        ("inner.example", PRIVATE),
        ("cloud.example", PRIVATE),
        ("nobody.example", "is not found"),
        ("moved.example", "HTTP 307"),
    ],
)
def test_what_a_receiver_is_answered_with(network: dict[str, Any], name: str, answer: str) -> None:
    assert answer in network["said"][name]


@pytest.mark.system
def test_only_the_checked_address_is_reached_and_by_its_name(network: dict[str, Any]) -> None:
    """The name server has said 127.0.0.1 of `rebind.example` to every question but the first."""
    assert set(network["got"]) == {"8.8.8.8"}
    reached = [line.split(" ") for line in network["got"]["8.8.8.8"]]
    # As TLS was told, and as HTTP was.
    assert [(name, host.rpartition(":")[0]) for name, host, _ in reached] == [
        ("good.example", "good.example"), ("", "8.8.8.8"), ("", "rebind.example"), ("", "moved.example"),
    ]  # fmt: skip
