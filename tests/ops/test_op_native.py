"""Every op natively, through the whole route to machine code, against its numpy reference: any batch, one thread and several.

That a kernel stays inside its arrays is judged by tests/codegen/test_op_samples.py.
"""

import numpy as np
import pytest
from op_cases import assert_near, cases, new_graph, results_of

from kcompile.codegen.executable import compile_program
from kcompile.codegen.options import CodegenOptions
from kcompile.ir.op import OpaqueKernel
from kcompile.ir.passes.again import again
from kcompile.ir.passes.centre import centre
from kcompile.ir.passes.describe import describe
from kcompile.ir.passes.fuse import fuse
from kcompile.ir.passes.plan import plan
from kcompile.ir.passes.split import split
from kcompile.ir.sampling import BATCHES, bound_type, sample_operands

NATIVE = cases(lambda op, sample: not isinstance(op.kernel, OpaqueKernel) or op.kernel.view)
THREADS = (1, 3)


def native_results(executable, program, operands, outputs, symbols, threads):
    arrays = {f"x{n}": np.array(a, order="C") for n, a in enumerate(operands)}
    for name in outputs:
        buffer = program.outputs[name]
        type = bound_type(program.buffers[buffer].type, symbols)
        arrays[buffer] = np.full(type.shape, 77, type.dtype.numpy)
    executable.run(arrays, symbols, threads)
    return [arrays[program.outputs[name]] for name in outputs]


@pytest.mark.parametrize(("op", "sample"), NATIVE)
def test_native_is_the_reference(op, sample):
    graph, _, values = new_graph(sample, op)
    outputs = [f"y{n}" for n in range(len(values))]
    graph.outputs.update(zip(outputs, values, strict=True))
    program = plan(again(centre(split(fuse(describe(graph))))))
    executable = compile_program(program, options=CodegenOptions(cache_dir=None, single_thread_below=0))
    for batch in BATCHES:
        symbols = {"B": batch}
        operands = sample_operands(op, sample, symbols)
        expected = results_of(op, operands, sample, symbols)
        by_threads = [native_results(executable, program, operands, outputs, symbols, threads) for threads in THREADS]
        for n, wanted in enumerate(expected):
            assert_near(by_threads[0][n], wanted, f"B = {batch}")
            assert by_threads[0][n].tobytes() == by_threads[1][n].tobytes(), f"B = {batch}: other bits on {THREADS[1]} threads"
