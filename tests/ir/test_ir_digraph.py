"""The digraph behind a graph does what networkx's does, in the same order; networkx is loaded for who asks for it."""

from __future__ import annotations

import random
import subprocess
import sys

import networkx as nx
import pytest

from kcompile.ir import build
from kcompile.ir.digraph import Digraph
from kcompile.ir.graph import Graph
from kcompile.ir.types import parse_type


@pytest.mark.parametrize("seed", range(5))
def test_it_does_what_networkx_does(seed: int) -> None:
    chance, ours, theirs = random.Random(seed), Digraph(), nx.DiGraph()
    for n in range(300):
        known = list(ours)
        action = chance.choice(("node", "node", "edge", "edge", "edge", "edge", "unlink", "remove")) if known else "node"
        if action == "node":
            both = [ours.append(n, ()), theirs.add_node(n)]
        elif action == "edge":
            pair = chance.choice(known), chance.choice(known)
            both = [graph.add_edge(*pair) for graph in (ours, theirs) if pair[0] != pair[1]]
        elif action == "unlink":
            both = [graph.remove_edge(*pair) for pair in chance.sample(list(ours.edges()), min(1, len(list(ours.edges()))))
                    for graph in (ours, theirs)]
        else:
            gone = chance.choice(known)
            both = [graph.remove_node(gone) for graph in (ours, theirs)]
        assert not any(both) and len(ours) == len(theirs)
    assert list(ours) == list(theirs) and list(ours.edges()) == list(theirs.edges()) and len(list(ours.edges())) > 10
    for node in ours:
        assert node in ours
        assert list(ours.successors(node)) == list(theirs.successors(node))
        assert list(ours.predecessors(node)) == list(theirs.predecessors(node))
    assert 1000 not in ours


def test_a_graph_for_networkx() -> None:
    graph = Graph("g")
    x = build.param(graph, "x", parse_type("f32[B]"))
    graph.outputs["y"] = build.exp(x) * x
    found = graph.digraph
    assert isinstance(found, nx.DiGraph)
    assert [node.op.name for node in nx.topological_sort(found)] == ["param", "exp", "mul"]
    assert found.in_degree(graph.outputs["y"].node) == 2


def test_networkx_is_not_loaded_for_a_graph() -> None:
    code = "import sys; from kcompile.ir.graph import Graph; Graph(); assert 'networkx' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
