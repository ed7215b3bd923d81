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
from ..ops.winograd import FILTER, INPUT, OUTPUT, Matrix
from ..rebuild import rebuild
from ..types import DimLike, f32, is_static

TILE = 2  # results of a tile along each axis
FEWEST = 32  # channels, of what is read and of what is made
NEAR = 1 << 13  # products of them at most where tiles are few: then a filter's 16 matrices stay in the second-level cache
MANY = 36  # tiles of an image, for which larger matrices may come from further away
WASTE = 1.1  # results of whole tiles for one of the image, at most


def winograd(graph: Graph) -> Graph:
    """Every convolution and gradient of one for which it pays."""
    chosen = {node for node in graph.links if node.op.name in WAYS and _fits(node)}

    def change(new: Graph, node: Node, inputs: tuple[Value, ...]) -> Sequence[Value] | None:
        return [WAYS[node.op.name](node, *inputs)] if node in chosen else None
    return rebuild(graph, change) if chosen else graph


def _fits(node: Node) -> bool:
    attrs = node.attrs
    if node.outputs[0].dtype != f32 or attrs["groups"] != 1 or any(s != 1 for s in (*attrs["strides"], *attrs["dilation"])):
        return False
    image, filter = node.inputs
    if filter.shape[:-2] != (3, 3) or not all(is_static(n) for n in (*image.shape[1:], *node.outputs[0].shape[1:])):
        return False
    channels = [int(str(n)) for n in filter.shape[-2:]]
    extents = [int(str(n)) for n in node.outputs[0].shape[1:3]]
    tiles = math.prod(_tiles(extents))
    if min(channels) < FEWEST or (math.prod(channels) > NEAR and tiles < MANY) or TILE * TILE * tiles > WASTE * math.prod(extents):
        return False
    return not attrs.get("border") or _padding(image) is not None


def _padding(x: Value) -> tuple[Value, tuple[int, int]] | None:
    """What a pad of zeros surrounds, along an image's height and width, and by how much above and to the left; None for anything else."""
    node = x.node
    if node.op.name != "pad" or node.attrs["value"] != 0 or any(node.attrs[end][axis] for end in ("low", "high") for axis in (0, 3)):
        return None
    return node.inputs[0], (int(node.attrs["low"][1]), int(node.attrs["low"][2]))


def _tiles(extents: Sequence[DimLike]) -> tuple[int, int]:
    tall, broad = (-(-int(str(n)) // TILE) for n in extents)
    return tall, broad


def _image(old: Value, x: Value) -> tuple[Value, tuple[int, int]]:
    """An image without its padding, and where the padded one begins in it. `old`: the value in the graph before."""
    padded = _padding(old)
    if padded is None:
        return x, (0, 0)
    return x.node.inputs[0], (-padded[1][0], -padded[1][1])


def _product(tiles: Value, filter: Value, spatial: Sequence[DimLike]) -> Value:
    """The image made of tiles that are multiplied by a filter's, [4, 4, C, O]."""
    whole = build.tiles_together(build.tile_products(tiles, filter), OUTPUT)
    return build.slice(whole, (0,) * 4, (whole.shape[0], *spatial, whole.shape[3]))


def _forward(node: Node, x: Value, w: Value) -> Value:
    spatial = node.outputs[0].shape[1:3]
    image, start = _image(node.inputs[0], x)
    return _product(build.tiles_apart(image, INPUT, TILE, start, _tiles(spatial)), build.filter_tile(w, FILTER), spatial)


def _input_gradient(node: Node, dy: Value, w: Value) -> Value:
    spatial = node.outputs[0].shape[1:3]
    before = [low for low, _ in node.attrs["padding"] or ((0, 0), (0, 0))]
    about = tuple(row[::-1] for row in FILTER)
    tiles = build.tiles_apart(dy, INPUT, TILE, [low - 2 for low in before], _tiles(spatial))
    return _product(tiles, build.transpose(build.filter_tile(w, about), (0, 1, 3, 2)), spatial)


def _turned(matrix: Matrix) -> Matrix:
    return tuple(zip(*matrix, strict=True))


WAYS = {"conv": _forward, "conv_input_grad": _input_gradient}
