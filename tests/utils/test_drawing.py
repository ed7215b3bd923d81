"""The layout: nothing overlaps, every arrow begins and ends at its boxes and passes through no other; for random graphs too."""

import itertools
import random

import pytest

from kcompile.utils.drawing.arrangement import RANKDIRS, arrange
from kcompile.utils.drawing.diagram import Box, Cell, Diagram, Group
from kcompile.utils.drawing.layered import spread
from kcompile.utils.drawing.svg import measure


def box(name):
    return Box(name, [[Cell("", name)]])


def random_diagram(rng):
    """Boxes, some in groups of groups; arrows mostly forward, some back, some to oneself."""
    groups = [Group("root")]
    for number in range(rng.randrange(4)):
        inner = Group(f"group {number}")
        rng.choice(groups).children.append(inner)
        groups.append(inner)
    boxes = []
    for number in range(rng.randrange(1, 14)):
        made = box("x" * rng.randrange(1, 25) + str(number))
        rng.choice(groups).children.append(made)
        boxes.append(made)
    for group in groups:
        if not group.children:
            group.children.append(box("filler"))
    diagram = Diagram(groups[0])
    for _ in range(rng.randrange(2 * len(boxes))):
        a, b = sorted((rng.randrange(len(boxes)), rng.randrange(len(boxes))))
        if rng.random() < 0.1:
            a, b = b, a
        diagram.connect(boxes[a], boxes[b])
    return diagram


def contains(rect, point, slack=0.5):
    x, y, width, height = rect
    return x - slack <= point[0] <= x + width + slack and y - slack <= point[1] <= y + height + slack


def apart(a, b):
    return a[0] + a[2] <= b[0] + 0.01 or b[0] + b[2] <= a[0] + 0.01 or a[1] + a[3] <= b[1] + 0.01 or b[1] + b[3] <= a[1] + 0.01


def on_edge(rect, point):
    x, y, width, height = rect
    inside = (x + 0.5 < point[0] < x + width - 0.5) and (y + 0.5 < point[1] < y + height - 0.5)
    return contains(rect, point) and not inside


def check(diagram, rankdir):
    found = arrange(diagram, measure, rankdir)
    rects = found.boxes
    for a, b in itertools.combinations(rects.values(), 2):
        assert apart(a, b)
    whole = (0.0, 0.0, found.width, found.height)

    def check_group(group, outer):
        inside = []
        for child in group.children:
            rect = rects[id(child)] if isinstance(child, Box) else found.groups[id(child)]
            assert contains(outer, rect[:2]) and contains(outer, (rect[0] + rect[2], rect[1] + rect[3]))
            inside.append(rect)
            if isinstance(child, Group):
                check_group(child, rect)
        assert all(apart(a, b) for a, b in itertools.combinations(inside, 2))

    check_group(diagram.root, whole)
    pieces = []
    for route, (source, target) in zip(found.routes, diagram.arrows, strict=True):
        assert on_edge(rects[id(source)], route[0]) and on_edge(rects[id(target)], route[-1])
        assert all(contains(whole, point) for point in route)
        for a, b in itertools.pairwise(route):
            assert abs(a[0] - b[0]) < 0.6 or abs(a[1] - b[1]) < 0.6  # right angles
            way = (min(a[0], b[0]), min(a[1], b[1]), abs(a[0] - b[0]), abs(a[1] - b[1]))
            pieces.append(way)
            for key, rect in rects.items():
                shrunk = (rect[0] + 1, rect[1] + 1, rect[2] - 2, rect[3] - 2)
                assert apart(way, shrunk), (source.name, target.name, key)


@pytest.mark.parametrize("seed", range(40))
def test_random_diagrams(seed):
    rng = random.Random(seed)
    for rankdir in RANKDIRS:
        check(random_diagram(rng), rankdir)


def test_a_chain_is_straight():
    boxes = [box("a" * (number % 5 + 1)) for number in range(9)]
    diagram = Diagram(Group("root", list(boxes)))
    for a, b in itertools.pairwise(boxes):
        diagram.connect(a, b)
    assert all(len(route) == 2 and abs(route[0][0] - route[1][0]) < 0.01 for route in arrange(diagram, measure).routes)


def test_a_planar_graph_is_drawn_without_crossings():
    """Two branches that meet again: no two arrows cross."""
    a, b, c, d, e = (box(name) for name in "abcde")
    diagram = Diagram(Group("root", [a, d, c, b, e]))
    for source, target in ((a, b), (a, c), (b, d), (c, e), (d, e)):
        diagram.connect(source, target)
    found = arrange(diagram, measure)
    middle = {name: found.boxes[id(one)][0] + found.boxes[id(one)][2] / 2 for name, one in zip("abcde", (a, b, c, d, e), strict=True)}
    assert (middle["b"] < middle["c"]) == (middle["d"] < middle["c"])


def test_a_large_graph_takes_seconds():
    import time

    rng = random.Random(0)
    boxes = [box(f"layer {number}") for number in range(600)]
    diagram = Diagram(Group("root", list(boxes)))
    for number in range(1, 600):
        diagram.connect(boxes[number - 1], boxes[number])
        if number % 4 == 0:
            diagram.connect(boxes[rng.randrange(max(number - 9, 0), number)], boxes[number])
    since = time.process_time()
    assert len(arrange(diagram, measure).routes) == len(diagram.arrows)
    assert time.process_time() - since < 20


def test_spread():
    """Places as near as can be to those wanted, with the distances kept."""
    assert spread([0.0, 10.0], [1.0, 1.0], [4.0]) == [0.0, 10.0]
    assert spread([0.0, 0.0], [1.0, 1.0], [4.0]) == [-2.0, 2.0]
    assert spread([0.0, 0.0], [3.0, 1.0], [4.0]) == [-1.0, 3.0]
    assert spread([5.0, 0.0, 5.0], [1.0, 1.0, 1.0], [1.0, 1.0]) == [2.0, 3.0, 5.0]
    assert spread([0.0, 9.0, 9.0], [1.0] * 3, [2.0, 2.0], 1.0, 9.0) == [1.0, 7.0, 9.0]
