"""Random graphs of states that become one another, by views, rows and element by element: what the planner must keep in order."""

from __future__ import annotations

import random

from kcompile.ir import build
from kcompile.ir.graph import Graph, Value
from kcompile.ir.types import DType, TensorType

SHAPES = ((6, 20), (6, 20), (120,), (6,))


def random_states(seed: int, dtype: DType) -> Graph:
    """Two to four states, most of them updated, and an output or two. The same seed gives the same graph."""
    rng = random.Random(seed)
    graph = Graph(f"states{seed}")
    states = [build.state(graph, f"s{n}", "weight", TensorType(rng.choice(SHAPES), dtype)) for n in range(rng.randint(2, 4))]
    pool = [*states, build.param(graph, "x", TensorType((6, 20), dtype)), build.param(graph, "z", TensorType((120,), dtype))]
    for _ in range(rng.randint(2, 9)):
        pool.append(_step(rng, pool))
    for state in states:
        others = [v for v in pool if v.type == state.type and v is not state]
        if others and rng.random() < 0.85:
            graph.updates[state.node.attrs["path"]] = rng.choice(others[-4:])
    graph.outputs["y"] = rng.choice(pool)
    if rng.random() < 0.6:
        graph.outputs["w"] = rng.choice(pool)
    return graph


def _step(rng: random.Random, pool: list[Value]) -> Value:
    x, choice = rng.choice(pool), rng.randint(0, 6)
    if choice == 0 and x.shape != (6,):
        return build.reshape(x, (6, 20) if x.rank == 1 else (120,))
    if choice == 1 and x.rank == 2:
        return build.tanh(build.reduce_sum(x, (1,)))
    if choice in (1, 2) and x.shape == (6,):
        return build.broadcast(x, (6, 20), [0])
    if choice == 2:
        return build.reverse(x, [0])
    if choice == 3:
        return build.tanh(x)
    same = [v for v in pool if v.type == x.type]
    return rng.choice([build.add, build.sub, build.maximum])(x, rng.choice(same))
