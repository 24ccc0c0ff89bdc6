"""The `arena` command."""

import sys
from typing import NoReturn

from arena.cli import early


def main() -> NoReturn:
    """Run a command and exit with its code."""
    early.begin(sys.argv[1:])
    from arena.cli.main import main as run

    run()
