"""The rewrite rules, one module a family; importing this package fills `ir.rewrite.RULES`, in this order."""

from __future__ import annotations

from collections.abc import Iterable

from ..rewrite import RULES, Rule
from . import arithmetic, casts, constants, contractions, gradients, logic, reductions, shapes, slices

__all__ = ["DEFAULT_INEXACT", "arithmetic", "casts", "constants", "contractions", "gradients", "logic", "reductions", "rules_named",
           "shapes", "slices"]

# Inexact rules that are always on, and why.
DEFAULT_INEXACT: dict[str, str] = {
    "power_two": "a product is rounded correctly and 30 times cheaper than pow",
    "power_three": "two roundings, as good as any pow",
    "power_half": "a square root is rounded correctly; -inf and -0.0 are no base of a root",
    "power_minus_half": "as power_half",
    "power_minus_one": "a quotient is rounded correctly",
    "sum_of_broadcast": "one rounding in place of n",
    "sum_over_unit_axes": "only the sign of a zero can change",
    "sum_of_negated": "only the sign of a zero can change",
    "add_of_complementary_masks": "only the sign of a zero can change",
    "zeros_that_were_padded": "only what an infinity or a NaN in a weight makes of the zeros around an image can change",
}


def rules_named(names: Iterable[str] | None = None, extra: Iterable[str] = ()) -> list[Rule]:
    """The rules of the given names; by default all exact ones and DEFAULT_INEXACT. `extra` are added to them.
    Raises ValueError for an unknown name."""
    wanted = set(names) if names is not None else {n for n, r in RULES.items() if not r.inexact} | set(DEFAULT_INEXACT)
    wanted |= set(extra)
    unknown = sorted(wanted - set(RULES))
    if unknown:
        raise ValueError(f"no rule is named {unknown[0]!r}")
    return [entry for name, entry in RULES.items() if name in wanted]
