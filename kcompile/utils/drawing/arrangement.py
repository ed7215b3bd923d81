"""Where everything of a diagram goes: each group is laid out by itself, and is one node of the group around it."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from .diagram import LINE, TITLE_SIZE, Box, Diagram, Group, Measure
from .layered import PASSAGE, Link, layered, simplified
from .tracks import Point

RANKDIRS = ("TB", "BT", "LR", "RL")
FRAME_PAD, LOOP = 14.0, 12.0  # a loop must be narrower than the margin of ports
Rect = tuple[float, float, float, float]  # left, top, width, height


@dataclass
class Arrangement:
    """Rectangles of boxes and groups (by id), a route for each arrow from its source to its target, and the size; in points."""

    width: float
    height: float
    boxes: dict[int, Rect] = field(default_factory=dict)
    groups: dict[int, Rect] = field(default_factory=dict)
    routes: list[list[Point]] = field(default_factory=list)


@dataclass
class _Laid:
    """A group by itself: the corners of its children, where arrows pass its edge, and their ways inside."""

    width: float
    height: float
    corners: dict[int, Point]
    entries: dict[int, float]
    exits: dict[int, float]
    pieces: dict[int, list[Point]]


@dataclass
class _Way:
    """An arrow: the level where its two sides part, and the group or box on each level from there to its ends, upper side first."""

    level: Group
    upper: list[Box | Group]
    lower: list[Box | Group]
    reversed: bool = False


def arrange(diagram: Diagram, measure: Measure, rankdir: str = "TB", straight: bool = False) -> Arrangement:
    """Place a diagram. rankdir: TB, BT, LR or RL; straight: slanted lines in place of right angles."""
    return _Arranger(diagram, measure, rankdir, straight).arranged()


class _Arranger:
    def __init__(self, diagram: Diagram, measure: Measure, rankdir: str, straight: bool) -> None:
        self.diagram, self.measure, self.rankdir, self.straight = diagram, measure, rankdir, straight
        self.sideways = rankdir in ("LR", "RL")
        self.laid: dict[int, _Laid] = {}
        self.loops = {id(source) for source, target in diagram.arrows if source is target}
        self.above: dict[int, Group] = {}
        self._note_parents(diagram.root)
        self.ways = [None if source is target else self._way(source, target) for source, target in diagram.arrows]
        self._turn_back_arrows()

    def _note_parents(self, group: Group) -> None:
        for child in group.children:
            self.above[id(child)] = group
            if isinstance(child, Group):
                self._note_parents(child)

    def _lineage(self, box: Box) -> list[Box | Group]:
        found: list[Box | Group] = [box]
        while id(found[-1]) in self.above:
            found.append(self.above[id(found[-1])])
        return found[::-1]

    def _way(self, source: Box, target: Box) -> _Way:
        a, b = self._lineage(source), self._lineage(target)
        common = 0
        while a[common] is b[common]:
            common += 1
        level = a[common - 1]
        assert isinstance(level, Group)
        return _Way(level, a[common:], b[common:])

    def _turn_back_arrows(self) -> None:
        """Arrows that would close a ring go up: they are laid out the other way round."""
        levels: dict[int, list[_Way]] = defaultdict(list)
        for way in self.ways:
            if way is not None:
                levels[id(way.level)].append(way)
        for ways in levels.values():
            after = defaultdict(list)
            for way in ways:
                after[id(way.upper[0])].append(way)
            state: dict[int, int] = {}  # 1: on the path, 2: done
            for root in [id(child) for child in ways[0].level.children]:
                stack = [(root, iter(after[root]))] if root not in state else []
                state.setdefault(root, 1)
                while stack:
                    node, rest = stack[-1]
                    way = next(rest, None)
                    if way is None:
                        state[node] = 2
                        stack.pop()
                        continue
                    target = id(way.lower[0])
                    if state.get(target) == 1:
                        way.reversed, way.upper, way.lower = True, way.lower, way.upper
                    elif target not in state:
                        state[target] = 1
                        stack.append((target, iter(after[target])))

    # -- each group by itself ----------------------------------------------------------------------------------------
    def _size(self, child: Box | Group) -> tuple[float, float]:
        if isinstance(child, Group):
            return self.laid[id(child)].width, self.laid[id(child)].height
        width, height = child.size(self.measure)
        if self.sideways:
            width, height = height, width
        return (width + 2 * LOOP if id(child) in self.loops else width), height

    def _pads(self, group: Group) -> tuple[float, float, float, float]:
        """(left, top, right, bottom) around the content, as it is laid out."""
        if group is self.diagram.root:
            return 0.0, 0.0, 0.0, 0.0
        title = TITLE_SIZE * LINE + 4.0
        left, top, bottom = (title if self.sideways else 0.0), (title if self.rankdir == "TB" else 0.0), (
            title if self.rankdir == "BT" else 0.0)
        return FRAME_PAD + left, FRAME_PAD + top, FRAME_PAD, FRAME_PAD + bottom

    def _lay(self, group: Group) -> None:
        for child in group.children:
            if isinstance(child, Group):
                self._lay(child)
        number = {id(child): place for place, child in enumerate(group.children)}
        sizes = [self._size(child) for child in group.children]
        links, arrows = [], []
        entries: dict[int, int] = {}
        exits: dict[int, int] = {}
        for arrow, way in enumerate(self.ways):
            if way is None:
                continue
            upper = lower = None
            if way.level is group:
                upper, lower = way.upper[0], way.lower[0]
            elif (inner := self._below(way.lower, group)) is not None:
                lower = inner
                entries[arrow] = len(sizes)
                sizes.append((PASSAGE, 0.0))
            elif (inner := self._below(way.upper, group)) is not None:
                upper = inner
                exits[arrow] = len(sizes)
                sizes.append((PASSAGE, 0.0))
            else:
                continue
            links.append(Link(entries[arrow] if upper is None else number[id(upper)], exits[arrow] if lower is None else number[id(lower)],
                              self._offset(upper, arrow, "exits"), self._offset(lower, arrow, "entries")))
            arrows.append(arrow)
        placed = layered(sizes, links, frozenset(entries.values()), frozenset(exits.values()), self.straight)
        left, top, right, bottom = self._pads(group)
        title = self.measure(group.title, TITLE_SIZE, False) + 2 * FRAME_PAD
        width = max(placed.width + left + right, 0.0 if self.sideways or group is self.diagram.root else title)
        height = max(placed.height + top + bottom, title if self.sideways and group is not self.diagram.root else 0.0)
        dx, dy = left + (width - left - right - placed.width) / 2, top
        corners = {id(child): (placed.centres[place][0] - sizes[place][0] / 2 + dx, placed.centres[place][1] - sizes[place][1] / 2 + dy)
                   for place, child in enumerate(group.children)}
        self.laid[id(group)] = _Laid(
            width, height, corners, {arrow: placed.centres[node][0] + dx for arrow, node in entries.items()},
            {arrow: placed.centres[node][0] + dx for arrow, node in exits.items()},
            {arrow: [(x + dx, y + dy) for x, y in route] for arrow, route in zip(arrows, placed.routes, strict=True)})

    @staticmethod
    def _below(side: list[Box | Group], group: Group) -> Box | Group | None:
        """The part of an arrow's side that lies directly in this group."""
        return next((inner for outer, inner in itertools.pairwise(side) if outer is group), None)

    def _offset(self, end: Box | Group | None, arrow: int, which: str) -> float | None:
        """Where an arrow passes the edge of an inner group, from the group's middle; 0 for a point of passage, None for a box."""
        if isinstance(end, Box):
            return None
        if end is None:
            return 0.0
        laid = self.laid[id(end)]
        ports: dict[int, float] = getattr(laid, which)
        return ports[arrow] - laid.width / 2

    # -- all together ------------------------------------------------------------------------------------------------
    def arranged(self) -> Arrangement:
        root = self.diagram.root
        self._lay(root)
        whole = self.laid[id(root)]
        turn = self._turner(whole.width, whole.height)
        size = (whole.height, whole.width) if self.sideways else (whole.width, whole.height)
        found = Arrangement(*size)
        corners: dict[int, Point] = {}
        self._settle(root, (0.0, 0.0), corners)
        for place, corner in corners.items():
            if place in self.laid and place != id(root):
                found.groups[place] = _turned(turn, corner, (self.laid[place].width, self.laid[place].height))
        for box in root.boxes():
            width, height = self._size(box)
            loop = LOOP if id(box) in self.loops else 0.0
            x, y = corners[id(box)]
            found.boxes[id(box)] = _turned(turn, (x + loop, y), (width - 2 * loop, height))
        for number, (way, (source, _)) in enumerate(zip(self.ways, self.diagram.arrows, strict=True)):
            route = self._loop(corners[id(source)], self._size(source)) if way is None else self._route(number, way, corners)
            found.routes.append([turn(point) for point in route])
        return found

    def _settle(self, group: Group, corner: Point, corners: dict[int, Point]) -> None:
        corners[id(group)] = corner
        for child in group.children:
            x, y = self.laid[id(group)].corners[id(child)]
            inner = (corner[0] + x, corner[1] + y)
            if isinstance(child, Group):
                self._settle(child, inner, corners)
            else:
                corners[id(child)] = inner

    def _route(self, arrow: int, way: _Way, corners: dict[int, Point]) -> list[Point]:
        groups = [*[part for part in reversed(way.upper) if isinstance(part, Group)], way.level,
                  *[part for part in way.lower if isinstance(part, Group)]]
        route: list[Point] = []
        for group in groups:
            x, y = corners[id(group)]
            route += [(x + px, y + py) for px, py in self.laid[id(group)].pieces[arrow]]
        route = simplified(route)
        return route[::-1] if way.reversed else route

    @staticmethod
    def _loop(corner: Point, size: tuple[float, float]) -> list[Point]:
        """Out of the side of a box, and in again."""
        right, top, height = corner[0] + size[0] - LOOP, corner[1], size[1]
        return [(right, top + height * 0.75), (right + LOOP, top + height * 0.75), (right + LOOP, top + height * 0.25),
                (right, top + height * 0.25)]

    def _turner(self, width: float, height: float) -> Callable[[Point], Point]:
        """From places of the layout, top to bottom, to those of the picture."""
        return {"TB": lambda point: point, "BT": lambda point: (point[0], height - point[1]), "LR": lambda point: (point[1], point[0]),
                "RL": lambda point: (height - point[1], point[0])}[self.rankdir]


def _turned(turn: Callable[[Point], Point], corner: Point, size: tuple[float, float]) -> Rect:
    ax, ay = turn(corner)
    bx, by = turn((corner[0] + size[0], corner[1] + size[1]))
    return min(ax, bx), min(ay, by), abs(ax - bx), abs(ay - by)
