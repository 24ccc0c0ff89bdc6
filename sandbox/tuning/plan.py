"""What is done in the zygote to save memory and time, as one object with one switch.

The zygote calls it between its own stages. With no tricks it does nothing, and every bot sees the same: they change
where objects lie and what is warm, never a result.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # Imported late: what only one stage needs must not lie between the objects that workers use.
    from sandbox.process.child import ChildKit

TRICKS = ("packing", "rehearsal", "prefault", "freeze")


class Tuning:
    """The tricks that are on, called at each stage of a zygote's life."""

    def __init__(self, tricks: Collection[str] = TRICKS) -> None:
        """Take the names of the tricks that are on; none of them turns all tuning off."""
        self.tricks = frozenset(tricks)
        self._copy_pages: Callable[[bytes], None] | None = None

    def before_imports(self) -> None:
        """Prepare memory for the modules that workers use; called before they are imported."""
        if "packing" in self.tricks:
            from sandbox.tuning.packing import fill_holes

            fill_holes()

    def rehearse(self, kit: ChildKit) -> None:
        """Run a bot of our own, so that code and caches are warm; called when the kit is complete."""
        if "rehearsal" in self.tricks:
            from sandbox.tuning.rehearsal import rehearse

            rehearse(kit)

    def before_forks(self, kit: ChildKit) -> None:
        """Settle memory for good: collect garbage, pack, freeze, and find the pages that a worker will write to."""
        gc.collect()
        self.before_imports()
        if "freeze" in self.tricks:
            gc.freeze()
        if "prefault" in self.tricks:
            from sandbox.tuning.prefault import copy_pages, find_written_pages

            self._copy_pages = copy_pages
            kit.pages = find_written_pages(kit, kit.rehearsal)

    def in_child(self, kit: ChildKit, *, reading: bool) -> None:
        """Warm up a child before it is locked: a reader checks a bot of our own, a worker copies its pages."""
        if not reading:
            if self._copy_pages is not None:
                self._copy_pages(kit.pages)
        elif "rehearsal" in self.tricks:
            from sandbox.tuning.rehearsal import warm_up_reader

            warm_up_reader(kit)
