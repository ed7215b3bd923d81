"""Graph -> graph in which convolutions by 3x3 filters go by Winograd's minimal filtering, F(2x2, 3x3).

Of a tile of 2x2 results 36 products of a direct convolution are left 16 (Winograd 1980; Lavin and Gray, arXiv:1509.09308):

    y  = A' [(G w G') * (B' x B)] A           forward; x a tile of 4x4, every second pixel
    dx = the same of dy, with the filter turned about and its channels exchanged

where * multiplies element by element and, of all channels, is a product of matrices for each of the 16 elements. All numbers in A, B and
G are 0, 1, -1 and 1/2, and sums are a ninth as long, so that results are as near to the true ones as those of direct convolutions.
It is worth its transforms where channels are many, which shapes decide. The gradient of a filter could go the same way, but both of
its operands would be four times as large and come from memory (docs/decisions/0010-minimal-filtering.md).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from .. import build
from ..graph import Graph, Node, Value
from ..ops.winograd import FILTER, INPUT, OUTPUT
from ..rebuild import prune, rebuild
from ..types import f32, is_static

TILE = 2  # results of a tile along each axis
FEWEST = 32  # channels, of what is read and of what is made
NEAR = 1 << 13  # products of them at most where tiles are few: then a filter's 16 matrices stay in the second-level cache
MANY = 36  # tiles of an image, for which larger matrices may come from further away
WASTE = 1.1  # results of whole tiles for one of the image, at most
DEAD = 1.15  # lanes for each that is alive, at most: a direct convolution takes several terms side by side, and has few dead ones
SHARE = 0.55  # of the products of a direct convolution, which leaves out those by the zeros around an image, at most


def winograd(graph: Graph, lanes: int = 1) -> Graph:
    """Every convolution and gradient of one for which it pays. `lanes`: of a vector, where it pays only if few are dead in products."""
    chosen = {node for node in graph.links if node.op.name in WAYS and _fits(node) and _alive(node, lanes)}

    def change(new: Graph, node: Node, inputs: tuple[Value, ...]) -> Sequence[Value] | None:
        return [WAYS[node.op.name](node, *inputs)] if node in chosen else None
    if not chosen:
        return graph
    new = rebuild(graph, change)
    prune(new)  # pads that only convolutions read
    return new


def _fits(node: Node) -> bool:
    attrs = node.attrs
    if node.outputs[0].dtype != f32 or attrs["groups"] != 1 or any(s != 1 for s in (*attrs["strides"], *attrs["dilation"])):
        return False
    image, filter = node.inputs
    if filter.shape[:-2] != (3, 3) or not all(is_static(n) for n in (*image.shape[1:], *node.outputs[0].shape[1:])):
        return False
    channels = [int(str(n)) for n in filter.shape[-2:]]
    tiles, results = math.prod(_tiles(node)), math.prod(_extents(node.outputs[0]))
    if min(channels) < FEWEST or (math.prod(channels) > NEAR and tiles < MANY) or TILE * TILE * tiles > WASTE * results:
        return False
    return (TILE + 2) ** 2 * tiles <= SHARE * _direct(node) and (not attrs.get("border") or _is_padded(node))


def _alive(node: Node, lanes: int) -> bool:
    """Whether the channels that are made nearly fill their vectors."""
    made = int(str(node.outputs[0].shape[-1]))
    return -(-made // lanes) * lanes <= DEAD * made


def _direct(node: Node) -> int:
    """Products of a direct convolution, for each pair of a channel and a filter."""
    image = node.inputs[0].node.inputs[0] if _is_padded(node) else node.inputs[0]
    return math.prod(sum(0 <= start + y + k < inside for y in range(results) for k in range(3))
                     for start, inside, results in zip(_start(node), _extents(image), _extents(node.outputs[0]), strict=True))


def _extents(image: Value) -> list[int]:
    """Height and width."""
    return [int(str(n)) for n in image.shape[1:3]]


def _is_padded(node: Node) -> bool:
    """Whether it is a convolution of an image with zeros around it."""
    pad = node.inputs[0].node
    return node.op.name == "conv" and pad.op.name == "pad" and pad.attrs["value"] == 0 \
        and not any(pad.attrs[end][axis] for end in ("low", "high") for axis in (0, 3))


def _start(node: Node) -> list[int]:
    """Where, in the image without the zeros around it, the first tile begins."""
    if node.op.name == "conv_input_grad":
        return [low - 2 for low, _ in node.attrs["padding"] or ((0, 0), (0, 0))]
    return [-int(low) for low in node.inputs[0].node.attrs["low"][1:3]] if _is_padded(node) else [0, 0]


def _tiles(node: Node) -> list[int]:
    """How many there are of the result, one below the other and side by side."""
    return [-(-n // TILE) for n in _extents(node.outputs[0])]


def _product(node: Node, image: Value, filter: Value) -> Value:
    """The result, of an image and a filter's tile [4, 4, C, O]."""
    tiles = build.winograd_input(image, INPUT, TILE, _start(node), _tiles(node))
    whole = build.winograd_output(build.winograd_products(tiles, filter), OUTPUT)
    return build.slice(whole, (0,) * 4, (whole.shape[0], *_extents(node.outputs[0]), whole.shape[3]))


def _forward(node: Node, x: Value, w: Value) -> Value:
    return _product(node, x.node.inputs[0] if _is_padded(node) else x, build.winograd_filter(w, FILTER))


def _input_gradient(node: Node, dy: Value, w: Value) -> Value:
    about = tuple(row[::-1] for row in FILTER)
    return _product(node, dy, build.transpose(build.winograd_filter(w, about), (0, 1, 3, 2)))


WAYS = {"conv": _forward, "conv_input_grad": _input_gradient}
