"""The modules a bot may import: read-only facades that hold an allow-list of names and nothing else."""

from __future__ import annotations

from sandbox.language.modules.facade import Facade
from sandbox.language.modules.services import Services


def build(services: Services) -> dict[str, Facade]:
    """Return every offered module by its dotted name."""
    from sandbox.language.modules import classes, clock, copying, data, numeric, stubs, text, typing_forms

    offered: dict[str, Facade] = {}
    for part in (data, classes, clock, copying, text, typing_forms, numeric, stubs):
        offered.update(part.build(services))
    return offered


def take_over(services: Services) -> None:
    """Have the library itself keep a bot's clock and chance, and all it needs at hand, where only bots run."""
    from sandbox.language.modules.chance import replace_library_chance
    from sandbox.language.modules.clock import replace_library_clock
    from sandbox.language.modules.codec_table import load_codecs
    from sandbox.language.modules.native_faults import mend

    replace_library_clock(services)
    replace_library_chance(services)
    load_codecs()
    mend()
