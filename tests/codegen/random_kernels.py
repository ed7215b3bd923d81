"""Random kernel descriptions: maps, reductions, contractions and windows with odd extents, strides, offsets and guards."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from kcompile.ir.kernel import LET, REDUCE, STORE, Eq, Kernel
from kcompile.ir.scalar import Aff, AxisValue, Const, Expr, Guard, Load, Ref, apply, cast
from kcompile.ir.types import Dim, DimLike, DType, TensorType, f16, f32, f64, i32, i64

B = Dim.symbol("B")
EXTENTS: tuple[DimLike, ...] = (1, 2, 3, 5, 8, 16, 17, 33, B)


@dataclass
class _Maker:
    rng: random.Random
    dtype: DType
    axes: dict[str, DimLike] = field(default_factory=dict)
    arrays: dict[str, TensorType] = field(default_factory=dict)
    results: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def load(self, available: tuple[str, ...], guarded: bool) -> Expr:
        """A load from a new array over some of the axes, in any order; dims are what the index needs."""
        rng = self.rng
        chosen = [a for a in available if rng.random() < 0.75]
        rng.shuffle(chosen)
        index: list[Aff] = []
        shape: list[DimLike] = []
        guards: list[Guard] = []
        for axis in chosen:
            extent = self.axes[axis]
            stride = rng.choice([1, 1, 1, 1, 2, 3]) if isinstance(extent, int) else 1
            offset = rng.choice([0, 0, 0, 1, 2])
            if guarded and isinstance(extent, int) and rng.random() < 0.3:
                size = rng.randint(1, extent)
                shift = rng.randint(-2, 2)
                index.append(Aff.of(axis, shift))
                guards.append(Guard(Aff.of(axis, shift), 0, size))
                shape.append(size)
            elif isinstance(extent, int) and rng.random() < 0.1:
                index.append(Aff.of({axis: -1}, extent - 1))
                shape.append(extent)
            else:
                index.append(Aff.of({axis: stride}, offset))
                shape.append((extent - 1) * stride + 1 + offset)
        storage = rng.choice([self.dtype, self.dtype, self.dtype, i32]) if self.dtype != f16 else f16
        name = f"a{len(self.arrays)}"
        self.arrays[name] = TensorType(tuple(shape), storage)
        other = Const(rng.choice([0.0, 1.5]) if storage.is_float else 1, storage) if guards else None
        return cast(Load(name, tuple(index), storage, tuple(guards), other), self.compute)

    @property
    def compute(self) -> DType:
        return f32 if self.dtype == f16 else self.dtype

    def expr(self, available: tuple[str, ...], depth: int, guarded: bool = True) -> Expr:
        rng = self.rng
        kind = rng.random()
        refs = [n for n, axes in self.results.items() if set(axes) <= set(available)]
        if depth == 0 or kind < 0.25:
            if refs and rng.random() < 0.5:
                return Ref(rng.choice(refs), self.compute)
            if available and rng.random() < 0.1:
                return cast(AxisValue(Aff.of(rng.choice(available), 1), i64), self.compute)
            return self.load(available, guarded)
        if kind < 0.85:
            fn = rng.choice(["add", "sub", "mul", "max", "min"])
            return apply(fn, self.expr(available, depth - 1, guarded), self.expr(available, depth - 1, guarded))
        if kind < 0.95:
            x = self.expr(available, depth - 1, guarded)
            return apply("tanh", x) if rng.random() < 0.5 else apply("abs", x)
        condition = apply("lt", self.expr(available, depth - 1, guarded), self.expr(available, depth - 1, guarded))
        return apply("select", condition, self.expr(available, depth - 1, guarded), Const(0.5, self.compute))


def random_kernel(seed: int) -> Kernel:
    rng = random.Random(seed)
    maker = _Maker(rng, rng.choice([f32, f32, f32, f64, f16]))
    for name in ("i", "j", "k", "l")[:rng.randint(1, 4)]:
        extent = rng.choice(EXTENTS)
        maker.axes[name] = extent if extent != B or B not in maker.axes.values() else 4
    names = tuple(maker.axes)
    free = tuple(a for a in names if rng.random() < 0.65)
    rest = tuple(a for a in names if a not in free)
    equations: list[Eq] = []
    for n in range(rng.randint(1, 2) if rest else 0):
        op = rng.choice(["add", "add", "max", "min"])
        if op == "add" and rng.random() < 0.6:
            value: Expr = apply("mul", maker.load(names, rng.random() < 0.2), maker.load(names, False))
        else:
            value = maker.expr(names, 2)
        if rng.random() < 0.3:
            equations.append(Eq(LET, f"v{n}", value, names))
            value = Ref(f"v{n}", maker.compute)
        equations.append(Eq(REDUCE, f"r{n}", value, free, rest, op))
        maker.results[f"r{n}"] = free
        if equations[0].kind == LET:
            maker.results["v0"] = names
    for n in range(rng.randint(1, 2)):
        over = names if rest and rng.random() < 0.3 else free
        if rng.random() < 0.3:
            equations.append(Eq(LET, f"w{n}", maker.expr(over, 1), over))
            maker.results[f"w{n}"] = over
        order = list(over)
        rng.shuffle(order)
        name = f"out{n}"
        stored = maker.expr(over, 2)
        maker.arrays[name] = TensorType(tuple(maker.axes[a] for a in order), maker.dtype)
        equations.append(Eq(STORE, name, cast(stored, maker.dtype), over, index=tuple(Aff.of(a) for a in order)))
    return Kernel(f"random{seed}", maker.axes, maker.arrays, tuple(equations))
