"""Every op: what `infer` promises is what the reference gives, for any batch; its kernel description computes the same."""

import numpy as np
import pytest
from op_cases import assert_near, case_name, cases, output_types, results_of, run_description

from kcompile.ir.kernel import STORE
from kcompile.ir.op import OPS, NoGradient, OpaqueKernel
from kcompile.ir.sampling import BATCHES, bound_type, sample_operands
from kcompile.ir.types import evaluate_dim

WITHOUT_SAMPLES = {"param", "state", "gradient", "custom_gradient", "cotangent"}
DESCRIBED = cases(lambda op, sample: not isinstance(op.kernel, OpaqueKernel))


def test_every_op_has_samples():
    assert {op.name for op in OPS.values() if not op.samples} == WITHOUT_SAMPLES


def test_case_names_are_distinct():
    names = [case_name(op, s, n) for op in OPS.values() for n, s in enumerate(op.samples)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("op", OPS.values(), ids=str)
def test_what_is_not_there_says_why(op):
    assert not isinstance(op.vjp, NoGradient) or op.vjp.why
    assert not isinstance(op.kernel, OpaqueKernel) or op.kernel.why


@pytest.mark.parametrize(("op", "sample"), cases())
def test_reference_has_the_inferred_type(op, sample):
    for batch in BATCHES:
        symbols = {"B": batch}
        results = results_of(op, sample_operands(op, sample, symbols), sample, symbols)
        for array, type in zip(results, output_types(op, sample), strict=True):
            assert (array.shape, array.dtype) == (bound_type(type, symbols).shape, type.dtype.numpy)


@pytest.mark.parametrize(("op", "sample"), cases())
def test_reference_leaves_its_operands_alone(op, sample):
    operands = sample_operands(op, sample, {"B": 7})
    before = [a.copy() for a in operands]
    results_of(op, operands, sample, {"B": 7})
    for a, b in zip(operands, before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("op", "sample"), DESCRIBED)
def test_description_computes_the_reference(op, sample):
    for batch in BATCHES:
        symbols = {"B": batch}
        operands = sample_operands(op, sample, symbols)
        found = run_description(op, operands, sample, symbols)
        for array, expected in zip(found, results_of(op, operands, sample, symbols), strict=True):
            assert_near(array, expected, f"B = {batch}")


@pytest.mark.parametrize(("op", "sample"), DESCRIBED)
def test_description_stores_each_element_once(op, sample):
    symbols = {"B": 7}
    outputs = output_types(op, sample)
    written: dict[str, list[np.ndarray]] = {}
    kernels = op.kernel(sample.inputs, outputs, sample.attrs)
    for kernel in kernels:
        extents = {name: evaluate_dim(d, symbols) for name, d in kernel.axes.items()}
        for equation in kernel.equations:
            if equation.kind == STORE:
                written.setdefault(equation.name, []).append(_elements(equation, kernel, extents, symbols))
    types = {name: t for kernel in kernels for name, t in kernel.arrays.items()}
    for name, elements in written.items():
        count = evaluate_dim(types[name].size, symbols)
        assert sorted(np.concatenate(elements).tolist()) == list(range(count)), name


def _elements(equation, kernel, extents, symbols):
    """The row-major numbers of the elements that a store writes."""
    grid = dict(zip(equation.free, np.meshgrid(*(np.arange(extents[a]) for a in equation.free), indexing="ij"), strict=True))
    shape = [evaluate_dim(d, symbols) for d in kernel.arrays[equation.name].shape]
    total = np.zeros([extents[a] for a in equation.free], np.int64)
    for aff, extent in zip(equation.index, shape, strict=True):
        place = evaluate_dim(aff.const, symbols) + sum(evaluate_dim(c, symbols) * grid[v] for v, c in aff.terms)
        assert np.all((np.asarray(place) >= 0) & (np.asarray(place) < extent))
        total = total * extent + place
    return total.reshape(-1)


@pytest.mark.parametrize(("op", "sample"), DESCRIBED)
def test_description_is_well_formed(op, sample):
    outputs = output_types(op, sample)
    given = {f"in{n}": t for n, t in enumerate(sample.inputs)} | {f"out{n}": t for n, t in enumerate(outputs)}
    ready = {f"in{n}" for n in range(len(sample.inputs))}
    for kernel in op.kernel(sample.inputs, outputs, sample.attrs):
        assert set(kernel.arrays) == {*kernel.reads, *kernel.writes}
        assert all(kernel.arrays[n] == given[n] for n in kernel.arrays if n in given)
        assert all(n in given or n.startswith("tmp") for n in kernel.arrays)
        assert set(kernel.reads) - set(kernel.writes) <= ready, "a temporary is read before it is written"
        ready |= set(kernel.writes)
        assert set(kernel.axes) == {a for e in kernel.equations for a in e.axes}
        for equation in kernel.equations:
            assert equation.kind != STORE or equation.expr.dtype == kernel.arrays[equation.name].dtype
    assert set(given) - set(ready) == set()
