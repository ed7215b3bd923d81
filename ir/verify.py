"""Checkers of graphs, kernels and programs: what every pass may count on, said as one clear error when it does not hold."""

from __future__ import annotations

from collections.abc import Mapping

from .graph import ROLES, Graph, GraphError, Node
from .kernel import ACCUMULATE, INDEX, LET, REDUCE, STORE, Eq, Kernel, expr_refs
from .op import OPS
from .ops.pseudo import PSEUDO_OPS
from .panels import in_columns
from .program import BUFFER_KINDS, Program
from .row_tables import suits_table
from .scalar import REDUCERS, SCALAR_OPS, Aff, Apply, AxisValue, Expr, Load, Ref, walk
from .types import DimLike, DType, boolean, product


class VerifyError(GraphError):
    """A graph, kernel or program that breaks a rule; the message says which rule, where, expected and given."""


# -- graphs -----------------------------------------------------------------------------------------------------
def verify_graph(graph: Graph, pseudo: bool = True) -> None:
    """Types as inferred, edges as inputs say, tables that name the right nodes, no cycle. `pseudo=False` forbids
    pseudo ops (after differentiate). Raises VerifyError."""
    where = f"graph {graph.name}"
    for node in sorted(graph.links):
        _verify_edges(graph, node, f"{where}: {_place(node)}")
    order = graph.nodes()
    for node in order:
        at = f"{where}: {_place(node)}"
        if OPS.get(node.op.name) is not node.op:
            raise VerifyError(f"{at} is of an op that is not registered")
        if not pseudo and node.op.name in PSEUDO_OPS:
            raise VerifyError(f"{at} is a pseudo op, which differentiate should have removed")
        try:
            inferred = tuple(node.op.infer(tuple(v.type for v in node.inputs), node.attrs))
        except (TypeError, ValueError, KeyError) as error:
            raise VerifyError(f"{at}: its operands or attributes do not fit: {error}") from error
        if inferred != node.types:
            raise VerifyError(f"{at}: types {node.types} are recorded, {inferred} are inferred")
    _verify_tables(graph, order, where)


def _verify_edges(graph: Graph, node: Node, at: str) -> None:
    if node.graph is not graph:
        raise VerifyError(f"{at} belongs to graph {node.graph.name}")
    for value in node.inputs:
        if value.node not in graph.links:
            raise VerifyError(f"{at} reads {value!r}, which is not in the graph")
        if value.index >= len(value.node.types):
            raise VerifyError(f"{at} reads output {value.index} of {value.node!r}, which has {len(value.node.types)}")
    producers, edges = {value.node for value in node.inputs}, set(graph.links.predecessors(node))
    if producers != edges:
        raise VerifyError(f"{at}: edges come from {sorted(edges)}, but its inputs are of {sorted(producers)}")


def _verify_tables(graph: Graph, order: list[Node], where: str) -> None:
    for kind, key, table in (("param", "name", graph.params), ("state", "path", graph.states)):
        for name, value in table.items():
            if value.node not in graph.links or value.node.op.name != kind or value.node.attrs.get(key) != name:
                raise VerifyError(f"{where}: {kind} {name!r} is entered as {value!r}, which is no {kind} of that name")
        for node in order:
            if node.op.name == kind and table.get(node.attrs[key]) != node.output:
                raise VerifyError(f"{where}: {_place(node)} ({node.attrs[key]!r}) is not entered among the {kind}s")
    for path in graph.states:
        if graph.role(path) not in ROLES:
            raise VerifyError(f"{where}: state {path!r} has the role {graph.role(path)!r}, expected one of {', '.join(ROLES)}")
    for name, value in (*graph.outputs.items(), *graph.updates.items()):
        if value.node not in graph.links:
            raise VerifyError(f"{where}: {name!r} is {value!r}, which is not in the graph")
    for path, value in graph.updates.items():
        if path not in graph.states:
            raise VerifyError(f"{where}: {path!r} is updated, but there is no such state")
        if graph.states[path].type != value.type:
            raise VerifyError(f"{where}: state {path!r} is {graph.states[path].type}, its update {value.type}")


def _place(node: Node) -> str:
    text = repr(node)
    if node.path:
        text += f" of layer {node.path}"
    return f"{text} ({node.source})" if node.source else text


# -- kernels ----------------------------------------------------------------------------------------------------
def verify_kernel(kernel: Kernel) -> None:
    """Names defined before use, ranks and dtypes right, every element of a written array stored. Raises VerifyError."""
    results: dict[str, Eq] = {}
    stored: dict[str, list[Eq]] = {}
    for number, equation in enumerate(kernel.equations):
        at = f"kernel {kernel.name}, equation {number} ({equation.kind} {equation.name})"
        _verify_axes(kernel, equation, at)
        scope = set(equation.axes)
        for e in walk(equation.expr):
            _verify_expr(kernel, e, results, scope, stored, at)
        if equation.kind in (LET, REDUCE, INDEX):
            _verify_result(kernel, equation, results, at)
            results[equation.name] = equation
        else:
            _verify_store(kernel, equation, results, at)
            stored.setdefault(equation.name, []).append(equation)
    for array in stored:
        total = stored_elements(kernel, array)
        size = kernel.arrays[array].size
        if isinstance(total, int) and isinstance(size, int) and total > size:
            raise VerifyError(f"kernel {kernel.name}: {total} elements of {array} are stored, but {kernel.arrays[array]} has {size}")
    for written, read in kernel.in_place.items():
        if written not in kernel.writes or read not in kernel.arrays:
            raise VerifyError(f"kernel {kernel.name}: in_place {written} = {read} names no written array and array")
    for array in kernel.still:
        if array not in kernel.reads or array in kernel.writes:
            raise VerifyError(f"kernel {kernel.name}: {array} cannot hold still, for it is not one that is only read")
    for array, columns in kernel.panels.items():
        if array not in kernel.arrays or not in_columns(kernel, array, columns):
            raise VerifyError(f"kernel {kernel.name}: {array} cannot lie in panels of {columns} columns: they must divide its columns, "
                              "and one axis go along these")
    for array in kernel.by_row:
        if array not in kernel.reads or not suits_table(kernel, array):
            raise VerifyError(f"kernel {kernel.name}: {array} cannot be read through a table of its rows: it must be a matrix that is only "
                              "multiplied and added up, at places of two plain axes")


def _verify_axes(kernel: Kernel, equation: Eq, at: str) -> None:
    for axis in equation.axes:
        if axis not in kernel.axes:
            raise VerifyError(f"{at}: axis {axis} is not one of {', '.join(kernel.axes) or 'none'}")
    if len(set(equation.axes)) != len(equation.axes):
        raise VerifyError(f"{at}: an axis is named twice in {equation.axes}")
    if equation.kind not in (LET, REDUCE, INDEX, STORE, ACCUMULATE):
        raise VerifyError(f"{at}: an unknown kind of equation")
    if equation.over and equation.kind not in (REDUCE, ACCUMULATE):
        raise VerifyError(f"{at}: only reduce and accumulate have axes they reduce")


def _verify_result(kernel: Kernel, equation: Eq, results: Mapping[str, Eq], at: str) -> None:
    if equation.name in results or equation.name in kernel.axes:
        raise VerifyError(f"{at}: the name is taken")
    if equation.kind == REDUCE and equation.op not in REDUCERS:
        raise VerifyError(f"{at}: the reducer {equation.op!r} is not one of {', '.join(REDUCERS)}")
    if equation.kind == REDUCE and not equation.over:
        raise VerifyError(f"{at}: a reduction over no axis")
    if equation.kind == INDEX and not equation.expr.dtype.is_integer:
        raise VerifyError(f"{at}: an index must be an integer, not {equation.expr.dtype}")


def _verify_expr(kernel: Kernel, e: Expr, results: Mapping[str, Eq], scope: set[str], stored: Mapping[str, list[Eq]],
                 at: str) -> None:
    if isinstance(e, Ref):
        if e.name not in results:
            raise VerifyError(f"{at}: {e.name} is not an earlier equation")
        if results[e.name].expr.dtype != e.dtype:
            raise VerifyError(f"{at}: {e.name} is {results[e.name].expr.dtype}, used as {e.dtype}")
        outside = [a for a in results[e.name].free if a not in scope]
        if outside:
            raise VerifyError(f"{at}: {e.name} varies along {', '.join(outside)}, which the equation does not")
    elif isinstance(e, AxisValue):
        _verify_affs(kernel, (e.index,), results, scope, at)
    elif isinstance(e, Load):
        _verify_load(kernel, e, results, scope, stored, at)
    elif isinstance(e, Apply):
        _verify_apply(e, at)


def _verify_load(kernel: Kernel, e: Load, results: Mapping[str, Eq], scope: set[str], stored: Mapping[str, list[Eq]],
                 at: str) -> None:
    if e.array not in kernel.arrays:
        raise VerifyError(f"{at}: {e.array} is not an array of the kernel")
    type_ = kernel.arrays[e.array]
    if len(e.index) != type_.rank or e.dtype != type_.dtype:
        raise VerifyError(f"{at}: {e.array} is {type_}, read with {len(e.index)} indices as {e.dtype}")
    _verify_affs(kernel, (*e.index, *(g.index for g in e.guards)), results, scope, at)
    if e.guards and (e.other is None or e.other.dtype != e.dtype):
        raise VerifyError(f"{at}: a guarded load of {e.array} needs a value of {e.dtype} for outside, given {e.other}")
    if not e.guards:
        for index, extent in zip(e.index, type_.shape, strict=True):
            _verify_range(kernel, index, extent, results, f"{at}: read of {e.array}")


def _verify_apply(e: Apply, at: str) -> None:
    if e.fn not in SCALAR_OPS:
        raise VerifyError(f"{at}: {e.fn} is no scalar op")
    op = SCALAR_OPS[e.fn]
    if len(e.args) != op.arity:
        raise VerifyError(f"{at}: {e.fn} takes {op.arity} arguments, given {len(e.args)}")
    if e.fn == "cast":
        return
    if op.result == "second" and e.args[0].dtype != boolean:
        raise VerifyError(f"{at}: the condition of {e.fn} is {e.args[0].dtype}, not bool")
    group = e.args[1:] if op.result == "second" else e.args
    dtypes = {a.dtype for a in group}
    expected: DType = boolean if op.result == "bool" else group[0].dtype
    if len(dtypes) != 1 or e.dtype != expected:
        raise VerifyError(f"{at}: {e.fn} of {', '.join(str(a.dtype) for a in e.args)} is stated as {e.dtype}")


def _verify_affs(kernel: Kernel, affs: tuple[Aff, ...], results: Mapping[str, Eq], scope: set[str], at: str) -> None:
    for aff in affs:
        for variable in aff.variables:
            if variable in kernel.axes:
                used: tuple[str, ...] = (variable,)
            elif variable in results and results[variable].kind == INDEX:
                used = results[variable].free
            else:
                raise VerifyError(f"{at}: {variable} is neither an axis nor an earlier index equation")
            if any(axis not in scope for axis in used):
                raise VerifyError(f"{at}: index variable {variable} varies along {', '.join(used)}, "
                                  f"but the equation has the axes {', '.join(sorted(scope)) or 'none'}")


def _verify_range(kernel: Kernel, index: Aff, extent: DimLike, results: Mapping[str, Eq], at: str) -> None:
    """An index of static axes must stay inside a static extent; what is symbolic or data is not checked here."""
    if not isinstance(extent, int) or not isinstance(index.const, int):
        return
    low = high = index.const
    for variable, factor in index.terms:
        size = kernel.axes.get(variable)
        if not isinstance(size, int) or not isinstance(factor, int):
            return
        if size == 0:
            return
        low += min(0, factor * (size - 1))
        high += max(0, factor * (size - 1))
    if low < 0 or high >= extent:
        raise VerifyError(f"{at}: index {index} runs from {low} to {high}, outside of 0..{extent - 1}")


def _verify_store(kernel: Kernel, equation: Eq, results: Mapping[str, Eq], at: str) -> None:
    if equation.name not in kernel.arrays:
        raise VerifyError(f"{at}: not an array of the kernel")
    type_ = kernel.arrays[equation.name]
    if len(equation.index) != type_.rank:
        raise VerifyError(f"{at}: {type_} stored with {len(equation.index)} indices")
    if equation.expr.dtype != type_.dtype:
        raise VerifyError(f"{at}: a value of {equation.expr.dtype} stored in {type_}")
    _verify_affs(kernel, equation.index, results, set(equation.axes), at)
    for index, extent in zip(equation.index, type_.shape, strict=True):
        _verify_range(kernel, index, extent, results, at)
    unseen = [a for a in expr_refs(equation.expr) if results[a].kind not in (LET, REDUCE, INDEX)]
    if unseen:
        raise VerifyError(f"{at}: {unseen[0]} is no value")


def stored_elements(kernel: Kernel, array: str) -> DimLike | None:
    """How many elements of an array the kernel's stores reach; None where data or an accumulation decide."""
    total: DimLike = 0
    for equation in kernel.equations:
        if equation.name != array or equation.kind not in (STORE, ACCUMULATE):
            continue
        if equation.kind == ACCUMULATE:
            return None
        used = {variable for aff in equation.index for variable in aff.variables}
        if not used <= set(kernel.axes):
            return None
        repeated = [axis for axis in equation.free if kernel.axes[axis] != 1 and axis not in used]
        if repeated:
            raise VerifyError(f"kernel {kernel.name}: {array} is stored again and again along {', '.join(repeated)}")
        total = total + product(kernel.axes[axis] for axis in used)
    return total


# -- programs ---------------------------------------------------------------------------------------------------
def verify_program(program: Program) -> None:
    """Every kernel verified; arrays are buffers of the same type, written once before they are read; views and storage
    fit; lifetimes cover every use. Raises VerifyError."""
    where = f"program {program.name}"
    for name, buffer in program.buffers.items():
        if buffer.name != name or buffer.kind not in BUFFER_KINDS:
            raise VerifyError(f"{where}: buffer {name!r} is recorded as {buffer.kind} {buffer.name!r}")
        if buffer.of:
            if buffer.of not in program.buffers:
                raise VerifyError(f"{where}: buffer {name} lies in {buffer.of}, which does not exist")
            base = program.buffers[buffer.of].type
            if base.size != buffer.type.size or base.dtype != buffer.type.dtype:
                raise VerifyError(f"{where}: buffer {name} ({buffer.type}) cannot lie in {buffer.of} ({base})")
        elif buffer.kind == "view":
            raise VerifyError(f"{where}: view {name} does not say of what")
    ready = {name for name, b in program.buffers.items() if b.kind in ("param", "state")}
    for number, step in enumerate(program.steps):
        at = f"{where}, step {number} ({step.kernel.name})"
        try:
            verify_kernel(step.kernel)
        except VerifyError as error:
            raise VerifyError(f"{at}: {error}") from error
        writes = set(step.kernel.writes)
        for array, type_ in step.kernel.arrays.items():
            if array not in program.buffers:
                raise VerifyError(f"{at}: array {array} is no buffer")
            if program.buffers[array].type != type_:
                raise VerifyError(f"{at}: {array} is {type_}, but the buffer is {program.buffers[array].type}")
            if program.buffers[array].kind == "param" and array in writes:
                raise VerifyError(f"{at}: writes param {array}, which is the caller's")
        for array in step.kernel.reads:
            if array not in writes and program.root(array) not in ready and array not in ready:
                raise VerifyError(f"{at}: reads {array}, which nothing has written")
        for array in writes:
            ready |= {array, program.root(array)}
        for array in step.kernel.arrays:
            root = program.root(array)
            life = program.lifetimes.get(root)
            if life is not None and not life.first <= number <= life.last:
                raise VerifyError(f"{at}: uses {array}, but {root} lives in steps {life.first}..{life.last}")
    _verify_covered(program, where)
    for kind, table in (("output", program.outputs), ("update", program.updates)):
        for name, array in table.items():
            if array not in program.buffers:
                raise VerifyError(f"{where}: {kind} {name} is in {array}, which does not exist")
            if program.root(array) not in ready and array not in ready and program.buffers[array].type.size != 0:
                raise VerifyError(f"{where}: {kind} {name} is in {array}, which nothing has written")


def _verify_covered(program: Program, where: str) -> None:
    """The stores to a temp or an output, of all kernels together, must reach every element of it."""
    totals: dict[str, DimLike | None] = {}
    for step in program.steps:
        for array in step.kernel.writes:
            stored = stored_elements(step.kernel, array)
            before = totals.get(array, 0)
            totals[array] = None if stored is None or before is None else before + stored
    for array, total in totals.items():
        buffer = program.buffers[array]
        if total is not None and buffer.kind in ("temp", "kept", "output") and total != buffer.type.size:
            raise VerifyError(f"{where}: {total} elements of {array} are stored, but {buffer.type} has {buffer.type.size}")
