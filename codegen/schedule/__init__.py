"""The scheduling steps: functions nest -> nest that keep what a nest computes. Steps name loops by their variable, so
that one call transforms every loop of that name alike."""

from .accumulate import jam, rfactor
from .loops import collapse, parallel, reorder, tile, unroll, vectorize
from .pack import pack, transpose

__all__ = ["collapse", "jam", "pack", "parallel", "reorder", "rfactor", "tile", "transpose", "unroll", "vectorize"]
