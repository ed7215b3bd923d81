"""Kernel descriptions of the convolutions: each a sum of products over affine loads, without guards in the main loop.

    conv              y[n, y, x, o] = sum over ky, kx, c of x[n, y*s + ky*d, x*s + kx*d, c] * w[ky, kx, c, o], where x is guarded
                      against its border of zeros
    conv_filter_grad  dw[ky, kx, c, o] = sum over n, y, x of the same x times dy[n, y, x, o]
    conv_input_grad   the filter reversed and transposed into a temporary (but for large pointwise ones), then for each of
                      the s*s phases of the input positions a sum over that phase's taps and o, where dy is guarded against its
                      border or, where that is dearer, padded into another temporary; positions of padding are not computed

With groups there is a free axis g more; channel axes of extent 1 within a group are left out, so that in a depthwise
convolution g itself is the last axis, of unit stride.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from kcompile.common.struct import struct

from ..kernel import Eq, Kernel
from ..op import Attrs
from ..scalar import Aff, Expr, Guard
from ..types import DimLike, TensorType
from .describe import Types, axes_of, described, load, multiply, number, operands, plain, reduce, ref, store
from .spatial import Phase, phases, spatial_names, spatial_of

Arrays = dict[str, TensorType]
BORDER = 0.12  # the share of a sum's terms beyond the border of the image from which they are better not computed
FEW = 4  # channels of a result that are no lanes: where channels are summed, these are
POSITIONS = 32  # of an image that read a panel of a filter
WIDE = 256  # channels whose panels are packed: rows of a kilobyte
MATRIX = 128 << 10  # elements of a filter that a core's caches do not hold beside an image
SUMMED = 8  # channels at least that are lanes of a sum


@struct(frozen=True)
class _Channels:
    """Channel axes of a grouped contraction: `inner` and `outer` are channels a group (C/groups and O/groups)."""

    groups: int
    inner: int
    outer: int

    @staticmethod
    def of(filter_inner: DimLike, filter_outer: DimLike, groups: int) -> _Channels:
        assert isinstance(filter_inner, int) and isinstance(filter_outer, int)
        return _Channels(groups, filter_inner, filter_outer // groups)

    @property
    def group_axes(self) -> dict[str, DimLike]:
        return {"g": self.groups} if self.groups > 1 else {}

    def axis(self, name: str, extent: int) -> dict[str, DimLike]:
        """The axis c or o; none where a group has one such channel and g stands for it."""
        return {} if extent == 1 and self.groups > 1 else {name: extent}

    def _channel(self, name: str, extent: int) -> Aff:
        terms: dict[str, DimLike] = {"g": extent} if self.groups > 1 else {}
        terms.update(dict.fromkeys(self.axis(name, extent), 1))
        return Aff.of(terms)

    @property
    def input_channel(self) -> Aff:
        return self._channel("c", self.inner)

    @property
    def output_channel(self) -> Aff:
        return self._channel("o", self.outer)

    def sums_in_lanes(self, results: int, summed: int) -> bool:
        """Whether channels that are summed are better lanes than those of the result."""
        return self.groups == 1 and results <= FEW and summed >= SUMMED

    @property
    def filter_inner(self) -> Aff:
        return Aff.of(dict.fromkeys(self.axis("c", self.inner), 1))


def _contraction(name: str, free: dict[str, DimLike], over: dict[str, DimLike], arrays: Arrays, target: Sequence[Aff],
                 product: Expr) -> Kernel:
    """out0[target] = the sum of the product; reduced axes of extent 1 were left out by the caller."""
    if not over:
        return described(name, free, arrays, [store(arrays, "out0", target, product, free)])
    total = reduce("acc", "add", product, free, over)
    return described(name, {**free, **over}, arrays, [total, store(arrays, "out0", target, ref(total), free)])


def _window_axes(window: Sequence[DimLike], names: Sequence[str]) -> tuple[dict[str, DimLike], list[Aff]]:
    """Axes of the kernel positions and their indices; an extent of 1 is the constant 0."""
    axes = {name: k for name, k in zip(names, window, strict=True) if k != 1}
    return axes, [Aff.of(name) if name in axes else Aff.of(0) for name in names]


def _window_index(outputs: Sequence[str], taps: Sequence[Aff], attrs: Attrs) -> list[Aff]:
    """Where x is read: output position * stride + kernel position * dilation."""
    return [Aff.of({name: s}) + tap * d
            for name, tap, s, d in zip(outputs, taps, attrs["strides"], attrs["dilation"], strict=True)]


def _inside_border(places: Sequence[Aff], x: TensorType, attrs: Attrs) -> list[Guard]:
    border = attrs["border"] or ((0, 0),) * len(places)
    return [Guard(place, low, extent - high)
            for place, extent, (low, high) in zip(places, spatial_of(x.shape), border, strict=True) if low or high]


def forward_kernels(inputs: Types, outputs: Types, attrs: Attrs) -> list[Kernel]:
    w, y = inputs[1], outputs[0]
    channels = _Channels.of(w.shape[-2], w.shape[-1], attrs["groups"])
    turned = channels.outer > 1 and channels.sums_in_lanes(channels.outer, channels.inner)
    arrays = operands(inputs, outputs, **({"tmp0": _turned(w)} if turned else {}))
    names = spatial_names(y.rank - 2)
    window_axes, taps = _window_axes(w.shape[:-2], spatial_names(y.rank - 2, "k"))
    free: dict[str, DimLike] = {"n": y.shape[0], **dict(zip(names, spatial_of(y.shape), strict=True)), **channels.group_axes,
                                **channels.axis("o", channels.outer)}
    inner = channels.axis("c", channels.inner) if channels.inner > 1 or not window_axes else {}
    over = {**window_axes, **inner}
    zero = {"c": Aff.of(0)} if "c" not in over else {}
    places = _window_index(names, taps, attrs)
    read = load(arrays, "in0", [Aff.of("n"), *places, channels.input_channel.substitute(zero)], _inside_border(places, inputs[0], attrs))
    both = [channels.filter_inner.substitute(zero), channels.output_channel]
    factor = load(arrays, "tmp0", [*taps, *both[::-1]]) if turned else load(arrays, "in1", [*taps, *both])
    target = [Aff.of("n"), *plain(names), channels.output_channel]
    product = _contraction("conv", free, over, arrays, target, multiply(read, factor))
    return [_turn_filter(arrays, back=False), product] if turned else [product]


def filter_grad_kernels(inputs: Types, outputs: Types, attrs: Attrs) -> list[Kernel]:
    dy, dw = inputs[1], outputs[0]
    arrays = operands(inputs, outputs)
    channels = _Channels.of(dw.shape[-2], dw.shape[-1], attrs["groups"])
    count = dy.rank - 2
    names, window = spatial_names(count), spatial_names(count, "k")
    free: dict[str, DimLike] = {**dict(zip(window, dw.shape[:-2], strict=True)), **channels.group_axes, "c": channels.inner,
                                **channels.axis("o", channels.outer)}
    over: dict[str, DimLike] = {"n": dy.shape[0], **dict(zip(names, spatial_of(dy.shape), strict=True))}
    from_x = Aff.of({"g": channels.inner if channels.groups > 1 else 0, "c": 1})
    places = _window_index(names, plain(window), attrs)
    read = load(arrays, "in0", [Aff.of("n"), *places, from_x], _inside_border(places, inputs[0], attrs))
    factor = load(arrays, "in1", [Aff.of("n"), *plain(names), channels.output_channel])
    target = [*plain(window), Aff.of("c"), channels.output_channel]
    return [_contraction("conv_filter_grad", free, over, arrays, target, multiply(read, factor))]


# -- input gradient ---------------------------------------------------------------------------------------------
def input_grad_kernels(inputs: Types, outputs: Types, attrs: Attrs) -> list[Kernel]:
    dy, w = inputs
    (dx,) = outputs
    channels = _Channels.of(w.shape[-2], w.shape[-1], attrs["groups"])
    window = [int(k) for k in w.shape[:-2]]  # type: ignore[arg-type]
    cut = attrs["padding"] or ((0, 0),) * len(window)
    by_axis = [phases(extent, k, s, d, before) for extent, k, s, d, (before, _)
               in zip(spatial_of(dx.shape), window, attrs["strides"], attrs["dilation"], cut, strict=True)]
    bounded = _bounded(by_axis, spatial_of(dy.shape), channels)
    low, high = _padding(by_axis, spatial_of(dy.shape), bounded)
    padded = dy.with_shape((dy.shape[0], *(a + n + b for a, n, b in zip(low, spatial_of(dy.shape), high, strict=True)), dy.shape[-1]))
    as_it_lies = channels.sums_in_lanes(channels.inner, channels.outer) or _packed_anyway(w, dx, attrs, channels)
    turned = {} if as_it_lies else {"tmp0": _turned(w)}
    arrays = operands(inputs, outputs, **turned, tmp1=padded)
    kernels = [_turn_filter(arrays)] if turned else []
    source = "in0"
    if padded != dy:
        kernels.append(_pad(arrays, low))
        source = "tmp1"
    for chosen in itertools.product(*by_axis):
        kernels.append(_phase_kernel(arrays, source, chosen, low, bounded, window, channels, dx))
    return kernels


def _packed_anyway(w: TensorType, dx: TensorType, attrs: Attrs, channels: _Channels) -> bool:
    """Whether the filter is a large matrix, of which every schedule copies a panel before many positions read it: it turns it then, and
    there need not be a copy of all of it."""
    positions = math.prod(n for n in spatial_of(dx.shape) if isinstance(n, int))
    plain = all(n == 1 for n in (*w.shape[:-2], *attrs["strides"])) and not any(map(any, attrs["padding"] or ()))
    return plain and channels.groups == 1 and positions >= POSITIONS and channels.inner >= WIDE and channels.inner * channels.outer > MATRIX


def _bounded(by_axis: list[list[Phase]], extents: Sequence[DimLike], channels: _Channels) -> list[bool]:
    """The axes along which taps past the border are left out by a guard, so that dy need not be copied to be padded. Along the last one
    positions are computed side by side with the same taps: where there are no channels to compute instead, zeros are cheaper, unless too
    much of the work would be zeros."""
    if channels.groups > 1 and channels.inner == 1:
        return [False] * len(by_axis)  # rows of a depthwise convolution share what they read, along any axis
    wasted, work = (sum(n) for n in zip(*(p.outside(extents[-1]) for p in by_axis[-1]), strict=True))
    side_by_side = channels.inner == 1 and not channels.sums_in_lanes(1, channels.outer)
    return [True] * (len(by_axis) - 1) + [wasted > (BORDER * work if side_by_side else 0)]


def _padding(by_axis: list[list[Phase]], extents: Sequence[DimLike], bounded: Sequence[bool]) -> tuple[list[int], list[DimLike]]:
    """Zeros needed around dy so that no tap of any phase reads outside, where no guard sees to that."""
    low, high = [], []
    for axis_phases, extent, guarded in zip(by_axis, extents, bounded, strict=True):
        working = [p for p in axis_phases if p.taps and not guarded]
        low.append(max((-p.lowest for p in working if p.lowest < 0), default=0))
        over: DimLike = 0
        for p in working:
            more = p.beyond - extent
            over = more if not isinstance(more, int) or not isinstance(over, int) or more > over else over
        high.append(over)
    return low, high


def _turned(w: TensorType) -> TensorType:
    return w.with_shape((*w.shape[:-2], w.shape[-1], w.shape[-2]))


def _turn_filter(arrays: Arrays, back: bool = True) -> Kernel:
    """tmp0[k.., o, c] = w[k.., c, o], or, with `back`, w[K-1-k.., c, o]: the other channels become the last axis, of unit stride."""
    turned = arrays["tmp0"]
    window = spatial_names(turned.rank - 2, "k")
    axes: dict[str, DimLike] = dict(zip([*window, "o", "c"], turned.shape, strict=True))
    places = [Aff.of({name: -1}, extent - 1) for name, extent in zip(window, turned.shape[:-2], strict=True)] if back else plain(window)
    value = load(arrays, "in1", [*places, Aff.of("c"), Aff.of("o")])
    return described("turn_filter", axes, arrays, [store(arrays, "tmp0", plain(axes), value, axes)])


def _pad(arrays: Arrays, low: Sequence[int]) -> Kernel:
    axes = axes_of(arrays["tmp1"].shape)
    index = [aff + -(low[n - 1] if 0 < n < len(axes) - 1 else 0) for n, aff in enumerate(plain(axes))]
    guards = [Guard(aff, 0, extent) for aff, extent, padded
              in zip(index, arrays["in0"].shape, arrays["tmp1"].shape, strict=True) if extent != padded]
    return described("pad", axes, arrays, [store(arrays, "tmp1", plain(axes), load(arrays, "in0", index, guards), axes)])


def _phase_kernel(arrays: Arrays, source: str, chosen: Sequence[Phase], low: Sequence[int], bounded: Sequence[bool],
                  window: Sequence[int], channels: _Channels, dx: TensorType) -> Kernel:
    names = spatial_names(len(chosen))
    free: dict[str, DimLike] = {"n": dx.shape[0], **{name: p.count for name, p in zip(names, chosen, strict=True)},
                                **channels.group_axes, **channels.axis("c", channels.inner)}
    target = [Aff.of("n"), *(p.target(name) for name, p in zip(names, chosen, strict=True)), channels.input_channel]
    if not all(p.taps for p in chosen):
        zeros: list[Eq] = [store(arrays, "out0", target, number(0, dx.dtype), free)]
        return described("zeros", free, arrays, zeros)
    tap_axes, taps = _window_axes([p.taps for p in chosen], spatial_names(len(chosen), "k"))
    over = {**tap_axes, **channels.axis("o", channels.outer)}
    # taps count from the last, as the filter is reversed: tap t of a phase is its position taps - 1 - t
    places = [Aff.of(name) + tap * p.back + (p.lowest + a) for name, tap, p, a in zip(names, taps, chosen, low, strict=True)]
    positions = [tap * p.step + (k - 1 - p.first - (p.taps - 1) * p.step) for tap, p, k in zip(taps, chosen, window, strict=True)]
    if "tmp0" in arrays:
        factor = load(arrays, "tmp0", [*positions, channels.output_channel, channels.filter_inner])
    else:
        back = [place * -1 + (k - 1) for place, k in zip(positions, window, strict=True)]
        factor = load(arrays, "in1", [*back, channels.filter_inner, channels.output_channel])
    guards = [Guard(place, 0, extent) for place, p, extent, guarded
              in zip(places, chosen, spatial_of(arrays["in0"].shape), bounded, strict=True) if guarded and p.reaches_past(extent)]
    read = load(arrays, source, [Aff.of("n"), *places, channels.output_channel], guards)
    return _contraction("conv_input_grad", free, over, arrays, target, multiply(read, factor))
