"""In which direction a core goes through panels and blocks: so as to find in its caches what it has just read, and never to want the lines
that another core wants at the same time."""

from __future__ import annotations

from ..access import chain, inner_loops
from ..schedule import backwards, opposite, takes, why_not_opposite, why_not_takes
from ..schedule.lead import tile_sums
from .base import Scheduling


class Directions(Scheduling):
    """Steps that turn loops round. No result depends on who begins where."""

    def _turn_back(self) -> None:
        """An update does its panels from the last to the first: these were read last, by the forward product, and those that it leaves in
        the cache are read next."""
        updated = {written for written, read in self.nest.in_place.items() if self.nest.arrays[read].rank > 2}
        shared = [loop for loop in inner_loops(self.nest.body) if loop.parallel and loop.extent != loop.step]
        alone = [loop.var for loop in shared] == list(self.columns) or (self.in_pieces and chain(self.nest.body)[:1] == shared[:1])
        if self.columns and updated and alone and any(True for _ in tile_sums(self.nest.body)):
            self.nest = backwards(self.nest, shared[0].var)
            self.note(f"a thread does its panels along {shared[0].var} from the last to the first: it has read these last")

    def _by_panels(self) -> None:
        """Lets the shares of cores end between any two panels, where what all panels of a share read is packed for all of them at once."""
        shared = [loop for loop in chain(self.nest.body) if loop.parallel]
        if self.together and not why_not_takes(self.nest, shared[-1].var, self.columns[-1]):
            self.nest = takes(self.nest, shared[-1].var, self.columns[-1])
            self.note(f"threads do {shared[-1].step} of {shared[-1].var} at once, but their shares end anywhere")

    def _opposite(self) -> None:
        """Lets cores that go through the blocks of a long sum do so towards each other."""
        cut = [step[step.index("(") + 1:-1].split(", ")[0] for step in self.nest.steps if step.startswith("block(")]
        for over in cut:
            if not why_not_opposite(self.nest, over):
                self.nest = opposite(self.nest, over)
                self.note(f"half of the cores begin with the second half of {over}: two never ask for the same lines at once")
