"""A layered layout: nodes in ranks from top to bottom, few crossings, straight connections where they can be.

The steps are those of Sugiyama, Tagawa and Toda (1981): ranks by the longest way, points of passage on connections that skip ranks,
orders by barycentres, coordinates by least squares with the least distances kept.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from .tracks import Point, Segment, route_gap

NODE_GAP, RANK_GAP, TRACK_GAP, EDGE_GAP, PASSAGE = 24.0, 34.0, 9.0, 12.0, 14.0
PORT_GAP, PORT_MARGIN = 12.0, 14.0
_ORDER_SWEEPS, _PLACE_SWEEPS = 12, 30


@dataclass
class Link:
    """A connection between two nodes, by number. Offsets: where it leaves and enters, from the node's middle; None where that is free."""

    source: int
    target: int
    out_offset: float | None = None
    in_offset: float | None = None


@dataclass
class _Vertex:
    """A node, or a point where a connection passes a rank."""

    width: float
    height: float
    rank: int
    real: bool
    x: float = 0.0
    before: list[_Edge] = field(default_factory=list)
    after: list[_Edge] = field(default_factory=list)


@dataclass
class _Edge:
    """The part of a link between two neighbouring ranks."""

    source: _Vertex
    target: _Vertex
    weight: float
    out_offset: float | None
    in_offset: float | None
    out_x: float = 0.0
    in_x: float = 0.0


@dataclass
class Placed:
    """Middles of the nodes, a route for each link (from its source down to its target), and the size of it all."""

    centres: list[Point]
    routes: list[list[Point]]
    width: float
    height: float


def layered(sizes: Sequence[tuple[float, float]], links: Sequence[Link], first: frozenset[int] = frozenset(),
            last: frozenset[int] = frozenset(), straight: bool = False) -> Placed:
    """Place nodes of these (width, height), in points.

    links: without cycles and without loops; first, last: nodes of no height that stand for the upper and lower edge of the whole;
    straight: slanted lines in place of right angles.
    """
    ranks = _ranks(len(sizes), links, first, last)
    nodes = [_Vertex(width, height, rank, True) for (width, height), rank in zip(sizes, ranks, strict=True)]
    chains = [_chain(nodes, link) for link in links]
    vertices = nodes + [edge.target for chain in chains for edge in chain if not edge.target.real]
    layers: list[list[_Vertex]] = [[] for _ in range(max(ranks, default=0) + 1)]
    for vertex in _first_order(vertices):
        layers[vertex.rank].append(vertex)
    _order(layers)
    _place(layers)
    left = min((vertex.x - vertex.width / 2 for vertex in vertices), default=0.0)
    for vertex in vertices:
        vertex.x -= left
    _ports(vertices)
    return _routed(nodes, chains, layers, first, last, straight)


def _ranks(count: int, links: Sequence[Link], first: frozenset[int], last: frozenset[int]) -> list[int]:
    """The longest way from a source; nodes that only give stand just before what they give to."""
    targets, waiting = defaultdict(list), [0] * count
    for link in links:
        targets[link.source].append(link.target)
        waiting[link.target] += 1
    ready = [node for node in range(count) if not waiting[node]]
    sources, ranks, done = set(ready), [0] * count, []
    while ready:
        node = ready.pop()
        done.append(node)
        for target in targets[node]:
            ranks[target] = max(ranks[target], ranks[node] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    for node in sources - first:
        if targets[node]:
            ranks[node] = min(ranks[target] for target in targets[node]) - 1
    bottom = max(ranks, default=0)
    for node in last:
        ranks[node] = bottom
    return ranks


def _chain(nodes: list[_Vertex], link: Link) -> list[_Edge]:
    """The parts of a link, one between each two ranks."""
    source, target = nodes[link.source], nodes[link.target]
    stops = [source, *(_Vertex(PASSAGE, 0.0, rank, False) for rank in range(source.rank + 1, target.rank)), target]
    chain = []
    for upper, lower in itertools.pairwise(stops):
        weight = (8.0 if not lower.real else 2.0) if not upper.real else 2.0 if not lower.real else 1.0
        edge = _Edge(upper, lower, weight, link.out_offset if upper is source else 0.0, link.in_offset if lower is target else 0.0)
        upper.after.append(edge)
        lower.before.append(edge)
        chain.append(edge)
    return chain


def _first_order(vertices: list[_Vertex]) -> list[_Vertex]:
    """Depth first from the sources, so that what belongs together starts out together."""
    seen: set[int] = set()
    found = []
    for root in sorted(vertices, key=lambda vertex: vertex.rank):
        stack = [root]
        while stack:
            vertex = stack.pop()
            if id(vertex) in seen:
                continue
            seen.add(id(vertex))
            found.append(vertex)
            stack.extend(edge.target for edge in reversed(vertex.after))
    return found


def _order(layers: list[list[_Vertex]]) -> None:
    """Sort each rank by the mean place of its neighbours, down and up again; the order with the fewest crossings stays."""
    best, fewest = [list(layer) for layer in layers], _crossings(layers)
    for sweep in range(_ORDER_SWEEPS):
        if not fewest:
            break
        down = sweep % 2 == 0
        places: dict[int, float] = {}
        for layer in layers if down else reversed(layers):
            means = {}
            for number, vertex in enumerate(layer):
                near = [places[id(edge.source if down else edge.target)] for edge in (vertex.before if down else vertex.after)]
                means[id(vertex)] = sum(near) / len(near) if near else float(number)
            layer.sort(key=lambda vertex: means[id(vertex)])
            places = {id(vertex): float(number) for number, vertex in enumerate(layer)}
        found = _crossings(layers)
        if found < fewest:
            best, fewest = [list(layer) for layer in layers], found
    layers[:] = best


def _crossings(layers: list[list[_Vertex]]) -> int:
    total = 0
    for layer, below in itertools.pairwise(layers):
        places = {id(vertex): number for number, vertex in enumerate(below)}
        seen: list[int] = []
        for vertex in layer:
            ends = sorted(places[id(edge.target)] for edge in vertex.after)
            total += sum(1 for end in ends for other in seen if other > end)
            seen += ends
    return total


def _place(layers: list[list[_Vertex]]) -> None:
    """Horizontal places: each rank as near to its neighbours as the distances allow, down and up until it rests."""
    for layer in layers:
        at = 0.0
        for vertex in layer:
            vertex.x = at + vertex.width / 2
            at += vertex.width + NODE_GAP
    for sweep in range(_PLACE_SWEEPS):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            _settle(layer, True, True)
    for layer in reversed(layers):
        _settle(layer, False, True)
    for layer in layers:  # what has one predecessor stands right below it
        _settle(layer, True, False)


def _settle(layer: list[_Vertex], upper: bool, lower: bool) -> None:
    """Move a rank towards its upper or lower neighbours, or the mean of both."""
    wanted, weights = [], []
    for vertex in layer:
        pull = [(edge.weight, edge.source.x + (edge.out_offset or 0.0) - (edge.in_offset or 0.0)) for edge in vertex.before if upper]
        pull += [(edge.weight, edge.target.x + (edge.in_offset or 0.0) - (edge.out_offset or 0.0)) for edge in vertex.after if lower]
        weight = sum(one for one, _ in pull)
        wanted.append(sum(one * x for one, x in pull) / weight if weight else vertex.x)
        weights.append(weight or 0.01)
    distances = [(a.width + b.width) / 2 + NODE_GAP for a, b in itertools.pairwise(layer)]
    for vertex, x in zip(layer, spread(wanted, weights, distances), strict=True):
        vertex.x = x


def spread(wanted: Sequence[float], weights: Sequence[float], distances: Sequence[float], low: float = -math.inf,
           high: float = math.inf) -> list[float]:
    """Places in this order, as near as can be to those wanted (weighted least squares), at least these distances apart.

    They lie in low ... high, which must have room for the distances.

    Pools adjacent violators: places that would come too near move as one.
    """
    shifts = [0.0]
    for distance in distances:
        shifts.append(shifts[-1] + distance)
    pools: list[tuple[float, float, int]] = []  # (mean, weight, how many)
    for want, weight, shift in zip(wanted, weights, shifts, strict=False):
        mean, total, count = want - shift, weight, 1
        while pools and pools[-1][0] > mean:
            other, heavy, many = pools.pop()
            mean, total, count = (mean * total + other * heavy) / (total + heavy), total + heavy, count + many
        pools.append((mean, total, count))
    means = (min(max(mean, low), high - shifts[-1]) for mean, _, count in pools for _ in range(count))
    return [mean + shift for shift, mean in zip(shifts, means, strict=False)]


def _ports(vertices: list[_Vertex]) -> None:
    """Where each connection leaves and enters: straight above each other where both nodes allow it."""
    for vertex in vertices:
        for edge in vertex.after:
            edge.out_x, edge.in_x = _facing(edge)
    for vertex in vertices:
        if not vertex.real:
            continue
        for edges, side in ((vertex.after, "out"), (vertex.before, "in")):
            free = sorted((edge for edge in edges if getattr(edge, f"{side}_offset") is None),
                          key=lambda edge: (edge.target.x if side == "out" else edge.source.x))
            if len(free) < 2:
                continue
            room = max(vertex.width - 2 * PORT_MARGIN, 1.0)
            gap = min(PORT_GAP, room / (len(free) - 1))
            wanted = [getattr(edge, f"{side}_x") for edge in free]
            places = spread(wanted, [1.0] * len(free), [gap] * (len(free) - 1), vertex.x - room / 2, vertex.x + room / 2)
            for edge, place in zip(free, places, strict=True):
                setattr(edge, f"{side}_x", place)


def _facing(edge: _Edge) -> tuple[float, float]:
    """(x at the upper end, x at the lower end) of one connection, alone."""
    ends = []
    for vertex, offset in ((edge.source, edge.out_offset), (edge.target, edge.in_offset)):
        half = max(vertex.width / 2 - PORT_MARGIN, 0.0) if vertex.real and offset is None else 0.0
        middle = vertex.x + (offset or 0.0)
        ends.append((middle, middle - half, middle + half))
    (upper, upper_low, upper_high), (lower, lower_low, lower_high) = ends
    for x in (lower, upper):
        if upper_low - 0.5 <= x <= upper_high + 0.5 and lower_low - 0.5 <= x <= lower_high + 0.5:
            return x, x
    low, high = max(upper_low, lower_low), min(upper_high, lower_high)
    if low <= high:
        return (low + high) / 2, (low + high) / 2
    return min(max(lower, upper_low), upper_high), min(max(upper, lower_low), lower_high)


def _routed(nodes: list[_Vertex], chains: list[list[_Edge]], layers: list[list[_Vertex]], first: frozenset[int], last: frozenset[int],
            straight: bool) -> Placed:
    """Heights of ranks and gaps, and the routes through them."""
    at, tops, bottoms = 0.0, [], []
    bends: dict[int, list[Point]] = {}
    for number, layer in enumerate(layers):
        height = max((vertex.height for vertex in layer), default=0.0)
        tops.append(at)
        bottoms.append(at + height)
        at += height
        if number == len(layers) - 1:
            break
        edges = [edge for vertex in layer for edge in vertex.after]
        heights, tracks = route_gap([Segment(edge.out_x, edge.in_x) for edge in edges])
        gap = RANK_GAP if straight else RANK_GAP + TRACK_GAP * max(tracks - 1, 0)
        below = max((vertex.height for vertex in layers[number + 1]), default=0.0)
        if not tracks and not (height and below):
            gap = EDGE_GAP  # below the upper edge, or above the lower one, with nothing to turn around
        step = (gap - 24.0) / max(tracks + 1, 2)
        for edge, track in zip(edges, heights, strict=True):
            if track is not None and not straight:
                y = at + 6.0 + step * (track + 1)
                bends[id(edge)] = [(edge.out_x, y), (edge.in_x, y)]
        at += gap
    middles = [(vertex.x, (tops[vertex.rank] + bottoms[vertex.rank]) / 2) for vertex in nodes]
    for number in first:
        middles[number] = (middles[number][0], 0.0)
    for number in last:
        middles[number] = (middles[number][0], at)
    where = {id(vertex): y for vertex, (_, y) in zip(nodes, middles, strict=True)}
    routes = []
    for chain in chains:
        route: list[Point] = [(chain[0].out_x, where[id(chain[0].source)] + chain[0].source.height / 2)]
        for edge in chain:
            route += [(edge.out_x, bottoms[edge.source.rank]), *bends.get(id(edge), []), (edge.in_x, tops[edge.target.rank])]
        route.append((chain[-1].in_x, where[id(chain[-1].target)] - chain[-1].target.height / 2))
        routes.append(simplified(route))
    width = max((vertex.x + vertex.width / 2 for layer in layers for vertex in layer), default=0.0)
    return Placed(middles, routes, width, at)


def simplified(route: list[Point]) -> list[Point]:
    """The route without points on straight lines and without repeated ones."""
    found: list[Point] = []
    for point in route:
        if found and abs(found[-1][0] - point[0]) < 0.01 and abs(found[-1][1] - point[1]) < 0.01:
            continue
        while len(found) > 1 and abs((found[-1][0] - found[-2][0]) * (point[1] - found[-1][1])
                                     - (found[-1][1] - found[-2][1]) * (point[0] - found[-1][0])) < 0.01:
            found.pop()
        found.append(point)
    return found
