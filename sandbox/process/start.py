"""What a zygote's interpreter executes first: memory is tuned before the modules that workers use are imported."""

from __future__ import annotations

import sys

from sandbox.tuning.plan import Tuning


def main() -> None:
    """Run a zygote; the command line names its control socket, the runtime, and the tuning tricks that are on."""
    descriptor, runtime, *tricks = sys.argv[1:]
    tuning = Tuning(tricks)
    tuning.before_imports()
    from sandbox.language import class_numbers

    class_numbers.begin()
    from sandbox.process import zygote

    zygote.run_zygote(int(descriptor), runtime, tuning)
