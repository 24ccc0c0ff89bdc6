"""Compiles and runs every snippet of a file that holds them in a dict `C`; prints the outcomes."""

from __future__ import annotations

import json
import runpy
import sys

from kit import Wall, observe


def main() -> None:
    """Print {snippet: "ok" or what went wrong}."""
    snippets = runpy.run_path(sys.argv[1])["C"]
    wall, outcomes = Wall(), {}
    for name, source in snippets.items():
        code, violations = wall.compile(source)
        if code is None:
            outcomes[name] = f"refused: {violations[0].rule}"
            continue
        wall.seed()
        seen = observe(lambda _out, code=code: exec(code, wall.namespace()))
        outcomes[name] = seen[0] if seen else "ok"
    print(json.dumps(outcomes))


if __name__ == "__main__":
    main()
