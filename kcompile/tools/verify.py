"""`verify`: every op of one model, native against float64; the fused step against float64; gradients against differences.

Each op is judged on the very operands that native code gave it, so an error is the op's own and not its predecessors'. Sums are
judged against the sum of the magnitudes of their terms, everything else against the largest magnitude of the result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..compiler import lower_to, to_program
from ..ir.evaluate import evaluate, run_node
from ..ir.graph import Graph, Node, Value
from ..ir.passes.describe import describe
from ..ir.passes.differentiate import differentiate
from ..ir.passes.plan import plan
from ..ir.passes.widen import widen
from ..ir.rebuild import rebuild
from .native import executable_of, run_native
from .operands import Operands, operands
from .report import Report, table
from .shaken import SUMS, shaken_runs, sum_scales
from .subject import Subject

Array = npt.NDArray[Any]
BATCH = 5
ROUNDINGS = 64  # roundings of the dtype that one op may be off by; a sum of more than LONG_SUM terms by more, as the root of their number
LONG_SUM = 1024
SHAKES = 4  # how many times as far as the shaken float64 steps (shaken.py) a native step may be from the exact one
DIFFERENCE = 1e-6  # how far finite differences move a weight: few units cross the kink of a relu on so short a way
GRADIENT_TOLERANCE = 5e-3
GROUPS = 12  # slopes that are measured of a model with more weights
MOVE = 0.02  # how far from the model's own weights gradients are looked at
COARSE = 8  # roundings of the coarsest dtype in the step, where that is more: half precision rounds every value on the way
SOURCES = ("param", "state")


@dataclass(frozen=True)
class Check:
    """One comparison: `error` in units of what is allowed (above 1 fails). `what`: op, output or gradient."""

    kind: str
    layer: str
    what: str
    source: str
    error: float
    allowed: float

    @property
    def ok(self) -> bool:
        return self.error <= self.allowed


@dataclass(frozen=True)
class Verification:
    """What `model.verify()` gives; `passed` is what a test asks, `str` is a table with the worst of each layer."""

    name: str
    batch: int
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        return all(check.ok for check in self.checks)

    def of(self, kind: str) -> list[Check]:
        return [check for check in self.checks if check.kind == kind]

    def __str__(self) -> str:
        ops, whole, gradients = self.of("op"), self.of("step"), self.of("gradient")
        lines = [f"{self.name} at batch {self.batch}: {'passed' if self.passed else 'FAILED'}; {len(ops)} ops, "
                 f"{len(whole)} results of the fused step, {len(gradients)} gradients"]
        for title, checks in (("ops: native against float64, worst of each layer", ops),
                              ("the fused step against float64", whole), ("gradients against finite differences", gradients)):
            if checks:
                lines.append(title)
                lines += _worst_lines(checks)
        return "\n".join(lines)

    def data(self) -> dict[str, Any]:
        return {"name": self.name, "batch": self.batch, "passed": self.passed,
                "checks": [{**vars(check), "ok": check.ok} for check in self.checks]}


def _worst_lines(checks: list[Check]) -> list[str]:
    layers: dict[str, list[Check]] = {}
    for check in checks:
        layers.setdefault(check.layer, []).append(check)
    rows = []
    for layer, found in layers.items():
        worst = max(found, key=lambda c: (c.error / c.allowed if c.allowed else np.inf * c.error if c.error else 0.0))
        rows.append(("ok" if all(c.ok for c in found) else "FAILED", layer or "(top)", f"{len(found)}", f"{worst.error:.2g}",
                     f"allowed {worst.allowed:.2g}", f"{worst.what}  {worst.source}".rstrip()))
    return table(rows, right=(2, 3), indent="  ")


def verify(subject: Subject, batch: int = BATCH, seed: int = 0) -> Verification:
    """Raises TargetError for a subject that is no graph, or whose sizes are not known."""
    traced, given = operands(subject, batch, seed)
    checks = [*_ops(lower_to(traced, "filtered"), given)]
    probe, weights = _probe(traced)
    program = to_program(probe)
    executable = executable_of(program)
    native, after = run_native(program, given.params, given.states, given.symbols, executable)
    checks += _whole(probe, given, native, after, checks)
    if weights:
        beside = _beside(traced, given, seed)
        native, _ = run_native(program, beside.params, beside.states, beside.symbols, executable)
        lost = {c.what for c in checks if c.kind == "step" and c.allowed > 1.0}
        checks += _gradients(traced, weights, beside, native, lost)
    return Verification(traced.name, batch, tuple(checks))


def verify_model(model: Any, batch: int = BATCH, step: str | None = None, seed: int = 0) -> Verification:
    """What `model.verify` returns."""
    from .subject import of_model
    return verify(of_model(model, step), batch, seed)


def verify_report(subject: Subject, batch: int, seed: int) -> Report:
    found = verify(subject, batch, seed)
    return Report(str(found), found.data(), 0 if found.passed else 1)


# -- op by op -----------------------------------------------------------------------------------------------------
def _ops(graph: Graph, given: Operands) -> list[Check]:
    """Every node with a kernel of its own, run natively in one program whose outputs are all values."""
    every = rebuild(graph)
    nodes = [node for node in every.nodes() if node.op.name not in SOURCES]
    every.outputs = {f"{n}.{v.index}": v for n, node in enumerate(nodes) for v in node.outputs}
    every.updates = {}
    wide = [node for node in widen(every).nodes() if node.op.name not in SOURCES]
    outputs, _ = run_native(plan(describe(every)), given.params, given.states, given.symbols)
    values: dict[Value, Array] = {v: given.params[name] for name, v in every.params.items()}
    values.update({v: given.states[path] for path, v in every.states.items()})
    for n, node in enumerate(nodes):
        values.update({v: outputs[f"{n}.{v.index}"] for v in node.outputs})
    checks = []
    with np.errstate(all="ignore"):
        for node, exact in zip(nodes, wide, strict=True):
            inputs = [_widened(values[v]) for v in node.inputs]
            wanted = run_node(exact, inputs, given.symbols)
            scales = sum_scales(exact, inputs, given.symbols) if node.op.name in SUMS else wanted
            for value, reference, scale in zip(node.outputs, wanted, scales, strict=True):
                error, allowed = _error(values[value], reference, scale), _allowed(node, value)
                if error > allowed and node.op.name in SUMS:
                    allowed *= max(1.0, (_terms(exact, inputs, given.symbols) / LONG_SUM) ** 0.5)
                checks.append(Check("op", node.path, node.op.name, node.source, error, allowed))
    return checks


def _terms(node: Node, inputs: list[Array], symbols: Mapping[str, int]) -> float:
    """How many terms the longest sum of an op has: what it gives where all of them are 1."""
    counts = run_node(node, [np.ones_like(a) if a.dtype.kind == "f" else a for a in inputs], symbols)
    return float(max((count.max(initial=0.0) for count in counts), default=0.0))


def _allowed(node: Node, value: Value) -> float:
    """The dtype's own rounding, times ROUNDINGS; 0 for integers and booleans, which are exact."""
    if not value.dtype.is_float:
        return 0.0
    types = [v.dtype for v in (*node.inputs, value) if v.dtype.is_float]
    return ROUNDINGS * max(float(t.limits.eps) for t in types)


def _coarsest(graph: Graph) -> float:
    """What a gradient may be off by for the rounding of its values alone."""
    return COARSE * max((float(t.dtype.limits.eps) for node in graph.links for t in node.types if t.dtype.is_float), default=0.0)


def _widened(array: Array) -> Array:
    return array.astype(np.float64) if _is_float(array) else array


def _is_float(array: Array) -> bool:
    return array.dtype.kind == "f" or array.dtype.name == "bfloat16"


def _error(native: Array, reference: Array, scale: Array) -> float:
    """The largest difference by the largest magnitude; for integers the share of elements that differ. NaN and infinities
    must be where the reference, rounded to the native dtype, has them."""
    if not _is_float(native):
        return float(np.mean(native != reference)) if native.size else 0.0
    rounded = reference.astype(native.dtype).astype(np.float64)
    found = native.astype(np.float64)
    finite = np.isfinite(rounded)
    if not np.array_equal(np.isfinite(found), finite) or not np.array_equal(found[~finite], rounded[~finite], equal_nan=True):
        return float("inf")
    if not finite.any():
        return 0.0
    magnitudes = np.abs(scale[np.isfinite(scale)])
    largest = max(float(magnitudes.max(initial=0.0)), float(np.finfo(np.float32).tiny))
    return float(np.abs(found[finite] - reference[finite]).max()) / largest


# -- the fused step -----------------------------------------------------------------------------------------------
def _probe(traced: Graph) -> tuple[Graph, list[Value]]:
    """The step without its optimizer: outputs, metrics, and the gradients as outputs; and the weights of the gradients, of `traced`."""
    gradients = [node for node in traced.nodes() if node.op.name == "gradient"]
    weights = [v for node in gradients for v in node.inputs[1:]]
    probe = Graph(traced.name)
    probe.links, probe._next = traced.links, traced._next
    probe.params, probe.states = dict(traced.params), dict(traced.states)
    probe.outputs = {f"output {name}": value for name, value in traced.outputs.items()}
    probe.updates = {path: value for path, value in traced.updates.items()
                     if not gradients or traced.role(path) in ("metric", "statistic")}
    number = 0
    for node in gradients:
        probe.outputs.setdefault("loss", node.inputs[0])
        for value in node.outputs:
            probe.outputs[f"gradient {number}"] = value
            number += 1
    return rebuild(probe), weights


def _whole(probe: Graph, given: Operands, native: Mapping[str, Array], after: Mapping[str, Array], ops: list[Check]) -> list[Check]:
    """Each result against float64, by how far it moves when every op is off by what `ops` found (see shaken.py)."""
    graph = rebuild(differentiate(probe))
    params, states = ({k: _widened(a) for k, a in arrays.items()} for arrays in (given.params, given.states))
    exact = evaluate(widen(graph), params, states, given.symbols)
    errors: dict[str, float] = {}
    for check in ops:
        errors[check.what] = max(errors.get(check.what, 0.0), min(check.error, check.allowed))
    runs = list(shaken_runs(graph, params, states, given.symbols, errors))
    checks = []
    for part, (kind, found, table_) in enumerate((("", native, probe.outputs), ("state ", after, probe.updates))):
        for name, reference in exact[part].items():
            value = table_[name]
            node = value.node.inputs[1 + value.index].node if value.node.op.name == "gradient" else value.node
            layer = str(node.attrs["path"]) if node.op.name == "state" else node.path
            moved = max(_error(run[part][name].astype(value.dtype.numpy), reference, reference) for run in runs)
            least = ROUNDINGS * float(value.dtype.limits.eps) if value.dtype.is_float else 0.0
            checks.append(Check("step", layer, f"{kind}{name}", node.source, _error(found[name], reference, reference),
                                max(least, SHAKES * moved)))
    return checks


# -- gradients ----------------------------------------------------------------------------------------------------
def _beside(traced: Graph, given: Operands, seed: int) -> Operands:
    """The same with the weights moved a little. Biases that are still zero put units at the kink of a relu, where there is no slope
    to compare with."""
    rng = np.random.default_rng(seed + 1)
    states = dict(given.states)
    for path, value in traced.states.items():
        if value.dtype.is_float and traced.role(path) == "weight":
            array = _widened(states[path])
            states[path] = (array + MOVE * rng.standard_normal(array.shape)).astype(states[path].dtype)
    return Operands(given.params, states, given.symbols)


def _gradients(traced: Graph, weights: list[Value], given: Operands, native: Mapping[str, Array], lost: set[str]) -> list[Check]:
    """The native gradient along a random direction of each weight against the loss at two points beside, in float64.

    Each slope takes two float64 forward passes: of a model with many weights, neighbours are moved together, and each alone where
    together they are off. `lost`: gradients that roundings move by more than they are (those of values that cannot matter: a shift
    before a normalization), and left out: there is no slope to compare such a one with.
    """
    node = next((n for n in traced.nodes() if n.op.name == "gradient"), None)
    if node is None:
        return []
    if any(v.node.op.name != "state" for v in weights):
        return []  # gradients by values in the middle of a graph: nothing to move
    only = Graph(traced.name)
    only.links, only._next = traced.links, traced._next
    only.params, only.states, only.outputs = dict(traced.params), dict(traced.states), {"loss": node.inputs[0]}
    loss = widen(differentiate(rebuild(only)))
    params = {k: _widened(a) for k, a in given.params.items()}
    states = {k: _widened(a) for k, a in given.states.items()}
    paths = [str(weight.node.attrs["path"]) for weight in node.inputs[1:]]
    rng = np.random.default_rng(1)
    directions = [rng.standard_normal(states[path].shape) for path in paths]
    products = [_widened(native[f"gradient {n}"]) * direction for n, direction in enumerate(directions)]
    sizes = [float(np.abs(product).sum()) for product in products]

    def error_of(group: list[int]) -> float:
        """Each member counts as much as the others, as far as that takes no longer steps; relative to one of them."""
        middle = float(np.median([sizes[n] for n in group]))
        factors = {n: min(1.0, middle / sizes[n]) if sizes[n] else 1.0 for n in group}
        sides = []
        for sign in (1, -1):
            moved = {paths[n]: states[paths[n]] + sign * DIFFERENCE * factors[n] * directions[n] for n in group}
            sides.append(float(evaluate(loss, params, {**states, **moved}, given.symbols)[0]["loss"]))
        slope = (sides[0] - sides[1]) / (2 * DIFFERENCE)
        scale = (sum(factors[n] * sizes[n] for n in group) + abs(slope)) / len(group)
        return abs(sum(factors[n] * float(products[n].sum()) for n in group) - slope) / scale if scale > 1e-7 else 0.0

    allowed = max(GRADIENT_TOLERANCE, _coarsest(traced))
    errors: dict[int, float] = {}
    numbers = [n for n in range(len(paths)) if f"gradient {n}" not in lost]
    size = max(1, -(-len(numbers) // GROUPS))
    for first in range(0, len(numbers), size):
        group = numbers[first:first + size]
        together = error_of(group)
        errors.update({n: together if together <= allowed or len(group) == 1 else error_of([n]) for n in group})
    return [Check("gradient", paths[n], "slope along a random direction", node.inputs[1 + n].node.source, errors[n], allowed)
            for n in numbers]
