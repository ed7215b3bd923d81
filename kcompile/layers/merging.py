"""Owns layers of several inputs: elementwise merges, Concatenate, Dot; and their functional forms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import config, ops
from .layer import Layer


def _several(layer: Layer, input_shape: Any) -> list[tuple[Any, ...]]:
    """The shapes of a list of inputs. Raises ValueError for anything else."""
    if not isinstance(input_shape, (list, tuple)) or not input_shape or not isinstance(input_shape[0], (list, tuple)):
        raise ValueError(f"A `{type(layer).__name__}` layer should be called on a list of inputs. Received: input_shape={input_shape} "
                         "(not a list of shapes)")
    return [tuple(shape) for shape in input_shape]


class BaseMerge(Layer):
    """An associative function of inputs of one shape, or of shapes that broadcast; lower ranks get axes behind the batch."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        shapes = _several(self, input_shape)
        batches = {shape[0] for shape in shapes if shape} - {None}
        if len(batches) > 1:
            raise ValueError(f"Cannot merge tensors with different batch sizes. Received tensors with shapes {shapes}")
        self.compute_output_shape(shapes)

    def _merge(self, inputs: list[Any]) -> Any:
        raise NotImplementedError

    def call(self, inputs: Any) -> Any:
        if not isinstance(inputs, (list, tuple)):
            raise ValueError(f"A `{type(self).__name__}` layer should be called on a list of inputs. "
                             f"Received: inputs={inputs!r} (not a list)")
        rank = max(len(x.shape) for x in inputs)
        return self._merge([self._raised(x, rank) for x in inputs])

    def _raised(self, x: Any, rank: int) -> Any:
        mask = getattr(x, "_keras_mask", None)
        while len(x.shape) < rank:
            x = ops.expand_dims(x, 1)
        if mask is not None:
            x._keras_mask = mask
        return x

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """The broadcast shape. Raises ValueError naming the two shapes that do not go together."""
        shapes = _several(self, input_shape)
        rank = max(map(len, shapes))
        merged: tuple[Any, ...] = ()
        for shape in shapes:
            shape = (*shape[:1], *(1,) * (rank - len(shape)), *shape[1:])
            merged = _broadcast(merged, shape) if merged else shape
        return merged

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """A position passes where any input's mask lets it; without a mask on every input there is none."""
        if not isinstance(mask, (list, tuple)) or any(m is None for m in mask):
            return None
        merged = mask[0]
        for other in mask[1:]:
            merged = ops.logical_or(merged, other)
        return merged


def _broadcast(a: Sequence[Any], b: Sequence[Any]) -> tuple[Any, ...]:
    merged: list[Any] = [a[0] if a[0] is not None else b[0]]
    for m, n in zip(a[1:], b[1:], strict=True):
        if m is not None and n is not None and m != n and 1 not in (m, n):
            raise ValueError(f"Inputs have incompatible shapes. Received shapes {tuple(a[1:])} and {tuple(b[1:])}")
        merged.append(n if m == 1 else m if n == 1 or n is None else n if m is None else m)
    return tuple(merged)


def _mask_like(x: Any) -> Any:
    """The mask of x with axes of 1 up to its rank, or None."""
    mask = getattr(x, "_keras_mask", None)
    while mask is not None and len(mask.shape) < len(x.shape):
        mask = ops.expand_dims(mask, -1)
    return mask


class Add(BaseMerge):
    """The sum of the inputs."""

    def _merge(self, inputs: list[Any]) -> Any:
        total = inputs[0]
        for x in inputs[1:]:
            total = ops.add(total, x)
        return total


class Subtract(BaseMerge):
    """The first of two inputs minus the second."""

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        if len(input_shape) != 2:
            raise ValueError(f"A `Subtract` layer should be called on exactly 2 inputs. Received: input_shape={input_shape}")

    def _merge(self, inputs: list[Any]) -> Any:
        return ops.subtract(inputs[0], inputs[1])


class Multiply(BaseMerge):
    """The product of the inputs; masked elements count as 1, and where all are masked the result is 0."""

    def _merge(self, inputs: list[Any]) -> Any:
        masks = [_mask_like(x) for x in inputs]
        product, passes = None, None
        for x, mask in zip(inputs, masks, strict=True):
            if mask is not None:
                x = ops.where(mask, x, ops.ones_like(x))
                passes = mask if passes is None else ops.logical_or(passes, mask)
            product = x if product is None else ops.multiply(product, x)
        if passes is not None and all(mask is not None for mask in masks):
            product = ops.where(passes, product, ops.zeros_like(product))
        return product


class Average(BaseMerge):
    """The mean of the inputs."""

    def _merge(self, inputs: list[Any]) -> Any:
        total = inputs[0]
        for x in inputs[1:]:
            total = ops.add(total, x)
        return ops.divide(total, len(inputs))


class _Extremum(BaseMerge):
    """A choice among the inputs' elements; masked ones take no part (where all are masked, the first input's stays)."""

    def _choose(self, a: Any, b: Any) -> Any:
        raise NotImplementedError

    def _merge(self, inputs: list[Any]) -> Any:
        best, passes = inputs[0], _mask_like(inputs[0])
        for x in inputs[1:]:
            mask = _mask_like(x)
            chosen = self._choose(best, x)
            if passes is not None:
                chosen = ops.where(passes, chosen, x)
            if mask is not None:
                chosen = ops.where(mask, chosen, best)
            passes = ops.logical_or(passes, mask) if passes is not None and mask is not None else None
            best = chosen
        return best


class Maximum(_Extremum):
    """The elementwise maximum of the inputs."""

    def _choose(self, a: Any, b: Any) -> Any:
        return ops.maximum(a, b)


class Minimum(_Extremum):
    """The elementwise minimum of the inputs."""

    def _choose(self, a: Any, b: Any) -> Any:
        return ops.minimum(a, b)


class Concatenate(Layer):
    """The inputs one after the other along `axis`; all other sizes agree (ValueError otherwise)."""

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        self.compute_output_shape(input_shape)

    def call(self, inputs: Any) -> Any:
        return ops.concatenate(list(inputs), axis=self.axis)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        shapes = _several(self, input_shape)
        rank = len(shapes[0])
        axis = self.axis % rank if rank else 0
        merged = list(shapes[0])
        for shape in shapes[1:]:
            if len(shape) != rank or any(m is not None and n is not None and m != n
                                         for place, (m, n) in enumerate(zip(merged, shape, strict=True)) if place != axis):
                raise ValueError("A `Concatenate` layer requires inputs with matching shapes except for the concatenation axis. "
                                 f"Received: input_shape={shapes}")
            for place in range(rank):
                if place == axis:
                    merged[place] = None if None in (merged[place], shape[place]) else merged[place] + shape[place]
                elif merged[place] is None:
                    merged[place] = shape[place]
        return tuple(merged)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The inputs' masks (all true where there is none), concatenated as the inputs are; None when no input has one."""
        if not isinstance(mask, (list, tuple)) or all(m is None for m in mask):
            return None
        rank = len(inputs[0].shape)
        full = []
        for x, m in zip(inputs, mask, strict=True):
            if m is None:
                full.append(ops.ones_like(x, dtype="bool"))
                continue
            while len(m.shape) < rank:
                m = ops.expand_dims(m, -1)
            full.append(ops.logical_and(m, ops.ones_like(x, dtype="bool")))
        # as the other merges have it: a step passes when any of its elements does
        merged = ops.concatenate(full, axis=self.axis)
        return ops.any(merged, axis=-1) if rank > 1 else merged

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


class Dot(Layer):
    """The scalar products of two inputs' vectors along `axes` (one axis, or one for each), batch by batch.

    normalize=True: of the vectors scaled to length 1 (cosine proximity).
    """

    def __init__(self, axes: Any, normalize: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(axes, int) and (not isinstance(axes, (list, tuple)) or len(axes) != 2
                                          or not all(isinstance(axis, int) for axis in axes)):
            raise TypeError(f"Invalid format for argument `axes`: expected an integer or two. Received: axes={axes}")
        self.axes = axes
        self.normalize = normalize
        self.supports_masking = True

    def _axes(self, ranks: tuple[int, int]) -> tuple[int, int]:
        first, second = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        return first % ranks[0], second % ranks[1]

    def build(self, input_shape: Any) -> None:
        shapes = _several(self, input_shape)
        if len(shapes) != 2:
            raise ValueError(f"A `Dot` layer should be called on a list of 2 inputs. Received: input_shape={input_shape}")
        a, b = self._axes((len(shapes[0]), len(shapes[1])))
        if shapes[0][a] != shapes[1][b]:
            raise ValueError(f"Incompatible input shapes: axis values {shapes[0][a]} (at axis {a}) != {shapes[1][b]} (at axis {b}). "
                             f"Full input shapes: {shapes[0]}, {shapes[1]}")

    def call(self, inputs: Any) -> Any:
        if not isinstance(inputs, (list, tuple)) or len(inputs) != 2:
            raise ValueError("A `Dot` layer should be called on a list of 2 inputs.")
        x, y = inputs
        a, b = self._axes((len(x.shape), len(y.shape)))
        if self.normalize:
            x, y = _unit(x, a), _unit(y, b)
        # x as [N, rows, n] and y as [N, n, columns]: one matrix product a sample
        x = ops.moveaxis(x, a, -1)
        y = ops.moveaxis(y, b, 1)
        batch, rows, columns = ops.shape(x)[0], x.shape[1:-1], y.shape[2:]
        left = ops.reshape(x, (batch, -1, x.shape[-1])) if len(rows) != 1 else x
        right = ops.reshape(y, (batch, y.shape[1], -1)) if len(columns) != 1 else y
        product = ops.matmul(left, right)
        shape = (batch, *rows, *columns)
        return ops.reshape(product, shape if len(shape) > 1 else (batch, 1))

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        first, second = _several(self, input_shape)
        a, b = self._axes((len(first), len(second)))
        shape = (*[size for axis, size in enumerate(first) if axis != a], *[size for axis, size in enumerate(second) if axis not in (0, b)])
        return shape if len(shape) > 1 else (*shape, 1)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        return None

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axes": self.axes, "normalize": self.normalize}


def _unit(x: Any, axis: int) -> Any:
    """Vectors along `axis` divided by their length."""
    return x * ops.rsqrt(ops.maximum(ops.sum(ops.square(x), axis=axis, keepdims=True), config.epsilon() ** 2))


def add(inputs: Any, **kwargs: Any) -> Any:
    """Add()(inputs)."""
    return Add(**kwargs)(inputs)


def subtract(inputs: Any, **kwargs: Any) -> Any:
    """Subtract()(inputs)."""
    return Subtract(**kwargs)(inputs)


def multiply(inputs: Any, **kwargs: Any) -> Any:
    """Multiply()(inputs)."""
    return Multiply(**kwargs)(inputs)


def average(inputs: Any, **kwargs: Any) -> Any:
    """Average()(inputs)."""
    return Average(**kwargs)(inputs)


def maximum(inputs: Any, **kwargs: Any) -> Any:
    """Maximum()(inputs)."""
    return Maximum(**kwargs)(inputs)


def minimum(inputs: Any, **kwargs: Any) -> Any:
    """Minimum()(inputs)."""
    return Minimum(**kwargs)(inputs)


def concatenate(inputs: Any, axis: int = -1, **kwargs: Any) -> Any:
    """Concatenate(axis)(inputs)."""
    return Concatenate(axis=axis, **kwargs)(inputs)


def dot(inputs: Any, axes: Any = -1, **kwargs: Any) -> Any:
    """Dot(axes)(inputs)."""
    return Dot(axes=axes, **kwargs)(inputs)
