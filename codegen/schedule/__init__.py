"""The scheduling steps: functions nest -> nest that keep what a nest computes. Steps name loops by their variable, so
that one call transforms every loop of that name alike.

`apply(nest, "tile(j, 32)")` runs a step from its text, as `nest.steps` records it: a schedule can be replayed.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ..nest import Nest
from .abreast import abreast
from .accumulate import jam, rfactor
from .across import across, why_not_across
from .ahead import ahead
from .along import along, why_not_along
from .approach import approach
from .behind import behind
from .block import block, block_inside
from .chains import chains, why_not_chains
from .chunk import chunk
from .edges import edges, why_not_edges
from .errand import errand
from .expect import expect
from .foresee import foresee
from .lead import lead
from .loops import ScheduleError, backwards, collapse, parallel, reorder, tile, unroll, vectorize
from .meanwhile import meanwhile
from .narrow import narrow, why_not_back, why_not_narrow
from .next_panel import next_panel
from .oncoming import oncoming, why_not_oncoming
from .opposite import opposite, why_not_opposite
from .pack import keep, pack, pack_all, transpose
from .portion import portion
from .prefetch import prefetch
from .refill import refill
from .repack import repack
from .several import can_have_several, several
from .short import short, why_not_short
from .singly import singly, why_not_singly
from .slide import slide, why_not_slide
from .slide_sums import slide_sums, why_not_slide_sums
from .stash import stash, stash_flat, stash_turned
from .stream import stream, too_many_vectors
from .strip import strip
from .sweep import sweep
from .takes import takes, why_not_takes
from .trim import trim
from .unasked import is_asked, unasked
from .unpacked import unpacked, why_not_unpacked
from .upcoming import next_sample, upcoming

STEPS: dict[str, Callable[..., Nest]] = {
    step.__name__: step
    for step in (tile, vectorize, unroll, parallel, reorder, collapse, jam, rfactor, transpose, pack, stash, stash_flat, stash_turned,
                 block, block_inside, portion, ahead, expect, foresee, strip, chunk, pack_all, keep, slide, singly,
                 short, trim, edges, prefetch, lead, sweep, refill, repack, approach, next_panel, unpacked, several, behind,
                 backwards, errand, meanwhile, slide_sums, along, across, abreast, narrow, oncoming, opposite, unasked, upcoming,
                 stream, chains, takes)
}
_STEP = re.compile(r"(\w+)\((.*)\)")


def apply(nest: Nest, step: str) -> Nest:
    """The nest after a step given as text. Raises ScheduleError for an unknown step or one that does not apply."""
    match = _STEP.fullmatch(step.strip())
    if not match or match[1] not in STEPS:
        raise ScheduleError(f"no step is written {step!r}; there are {', '.join(STEPS)}")
    args = [int(a) if a.isdigit() else a for a in (part.strip() for part in match[2].split(",")) if a]
    try:
        return STEPS[match[1]](nest, *args)
    except TypeError as error:
        raise ScheduleError(f"{step}: {error}") from None


__all__ = ["STEPS", "ScheduleError", "abreast", "across", "ahead", "along", "apply", "approach", "backwards", "behind", "block",
           "block_inside", "can_have_several", "chains", "chunk", "collapse", "edges", "errand", "expect", "foresee", "is_asked", "jam",
           "keep", "lead", "meanwhile", "narrow", "next_panel", "next_sample", "oncoming", "opposite", "pack", "pack_all", "parallel",
           "portion", "prefetch", "refill", "reorder", "repack", "rfactor", "several", "short", "singly", "slide", "slide_sums", "stash",
           "stash_flat", "stash_turned", "stream", "strip", "sweep", "takes", "tile", "too_many_vectors", "transpose", "trim", "unasked",
           "unpacked", "unroll", "upcoming", "vectorize", "why_not_across", "why_not_along", "why_not_back", "why_not_chains",
           "why_not_edges", "why_not_narrow", "why_not_oncoming", "why_not_opposite", "why_not_short", "why_not_singly", "why_not_slide",
           "why_not_slide_sums", "why_not_takes", "why_not_unpacked"]
