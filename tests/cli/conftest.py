"""Commands run in this process, in a folder and an environment of their own."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from arena.cli import output
from arena.cli.main import main


@dataclass
class Done:
    """What a command has left behind."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Return the one document on stdout."""
        return json.loads(self.out)


Run = Callable[..., Done]


@contextlib.contextmanager
def logging_kept() -> Iterator[None]:
    """Undo what a command does to logging, which belongs to the whole process: other tests read the log."""
    loggers = [logging.getLogger(name) for name in ("", "arena", "sandbox")]
    before = [(logger, list(logger.handlers), logger.level) for logger in loggers]
    try:
        yield
    finally:
        for logger, handlers, level in before:
            logger.handlers[:] = handlers
            logger.setLevel(level)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `arena ARGUMENTS`; keywords are environment variables."""
    for name in list(os.environ):
        if name not in {"PATH", "HOME", "VIRTUAL_ENV"}:
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def command(*arguments: object, **environment: str) -> Done:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["arena", *map(str, arguments)])
            capsys.readouterr()
            # `--json -` sends tables to stderr, for the rest of a command's process.
            patch.setattr(output.console, "stderr", output.console.stderr)
            with logging_kept(), pytest.raises(SystemExit) as ended:
                main()
        captured = capsys.readouterr()
        code = ended.value.code
        assert isinstance(code, int)
        assert "Traceback" not in captured.err
        return Done(code, captured.out, captured.err)

    return command
