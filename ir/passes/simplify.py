"""The rewrite rules applied, equal computations merged, dead nodes left behind: all in one sweep."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from ..graph import Graph
from ..ops.pseudo import PSEUDO_OPS
from ..rewrite import Application, Rewriter, Rule
from ..rules import rules_named

AFTER_DIFFERENTIATION = frozenset({"stop_gradient_after_differentiation"})


@lru_cache(maxsize=64)
def _rules(inexact: tuple[str, ...], pseudo: bool) -> tuple[Rule, ...]:
    return tuple(r for r in rules_named(extra=inexact) if not (pseudo and r.name in AFTER_DIFFERENTIATION))


def simplify(graph: Graph, inexact: Iterable[str] = ()) -> Graph:
    """A simplified copy. `inexact` names rules that change bits and shall be applied beside the default ones."""
    return simplify_with_log(graph, inexact)[0]


def simplify_with_log(graph: Graph, inexact: Iterable[str] = ()) -> tuple[Graph, list[Application]]:
    """The simplified copy, and which rule was applied to which node of the graph given, in order."""
    pseudo = any(node.op.name in PSEUDO_OPS for node in graph.links)
    rewriter = Rewriter(_rules(tuple(inexact), pseudo))
    return rewriter.run(graph), rewriter.log
