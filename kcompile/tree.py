"""Nested structures: dicts (in sorted key order), lists, tuples, namedtuples; everything else, None included, is a leaf."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from .suggest import suggest_names

Path = tuple[Any, ...]


class MAP_TO_NONE:
    """What a function given to `traverse` returns to put None in place of a structure."""


def _is_namedtuple(structure: Any) -> bool:
    return isinstance(structure, tuple) and hasattr(structure, "_fields")


def is_nested(structure: Any) -> bool:
    """Whether it is a dict, list or tuple."""
    return isinstance(structure, (dict, list, tuple)) or (isinstance(structure, Mapping) and not isinstance(structure, str))


def _items(structure: Any) -> Iterator[tuple[Any, Any]]:
    """(key, child) of a nested structure, in the canonical order."""
    if isinstance(structure, OrderedDict):
        yield from structure.items()
    elif isinstance(structure, Mapping):
        yield from ((key, structure[key]) for key in _sorted_keys(structure))
    else:
        yield from enumerate(structure)


def _sorted_keys(structure: Mapping[Any, Any]) -> list[Any]:
    try:
        return sorted(structure)
    except TypeError:  # keys of several kinds have no order of their own: keep the one of insertion
        return list(structure)


def _rebuild(structure: Any, children: list[Any]) -> Any:
    """A structure of the same type, with other children in the canonical order."""
    if isinstance(structure, Mapping):
        found = dict(zip((key for key, _ in _items(structure)), children, strict=True))
        ordered = {key: found[key] for key in structure}
        if isinstance(structure, defaultdict):
            return defaultdict(structure.default_factory, ordered)
        return type(structure)(ordered)  # type: ignore[call-arg]
    if _is_namedtuple(structure):
        return type(structure)(*children)
    if type(structure) in (list, tuple):
        return type(structure)(children)
    return children if isinstance(structure, list) else tuple(children)


def flatten(structure: Any) -> list[Any]:
    """The leaves in order; a leaf alone gives a list of one."""
    if not is_nested(structure):
        return [structure]
    leaves: list[Any] = []
    for _, child in _items(structure):
        leaves.extend(flatten(child))
    return leaves


def flatten_with_path(structure: Any) -> list[tuple[Path, Any]]:
    """(path, leaf) pairs; a path is a tuple of keys and positions."""
    if not is_nested(structure):
        return [((), structure)]
    found = []
    for key, child in _items(structure):
        found.extend([((key, *path), leaf) for path, leaf in flatten_with_path(child)])
    return found


def map_structure(func: Callable[..., Any], *structures: Any, none_is_leaf: bool = True) -> Any:
    """Apply to corresponding leaves. Raises ValueError or TypeError where the structures differ.

    With none_is_leaf=False a None is kept as it is.
    """
    if not callable(func):
        raise TypeError(f"`func` must be callable. Received: {func}")
    if not structures:
        raise ValueError("Must provide at least one structure")
    return _map(func, structures, none_is_leaf, ())


def _map(func: Callable[..., Any], structures: tuple[Any, ...], none_is_leaf: bool, path: Path) -> Any:
    first = structures[0]
    if not is_nested(first):
        if any(is_nested(other) for other in structures[1:]):
            raise ValueError(f"the structures differ at {_where(path)}: a leaf against a nested structure")
        if first is None and not none_is_leaf and all(other is None for other in structures):
            return None
        return func(*structures)
    for other in structures[1:]:
        _same_level(first, other, path)
    columns = [dict(_items(structure)) for structure in structures]
    return _rebuild(first, [_map(func, tuple(column[key] for column in columns), none_is_leaf, (*path, key))
                            for key, _ in _items(first)])


def _where(path: Path) -> str:
    return "the top" if not path else "path " + "/".join(map(str, path))


def _same_level(a: Any, b: Any, path: Path) -> None:
    if not is_nested(b):
        raise ValueError(f"the structures differ at {_where(path)}: {type(a).__name__} against a leaf ({type(b).__name__})")
    if isinstance(a, Mapping) != isinstance(b, Mapping):
        raise ValueError(f"the structures differ at {_where(path)}: {type(a).__name__} against {type(b).__name__}")
    if isinstance(a, Mapping):
        if set(a) != set(b):
            raise ValueError(f"the structures differ at {_where(path)}: keys {_sorted_keys(a)} against {_sorted_keys(b)}")
    elif isinstance(a, list) != isinstance(b, list) or (_is_namedtuple(a) and _is_namedtuple(b) and type(a) is not type(b)):
        raise ValueError(f"the structures differ at {_where(path)}: {type(a).__name__} against {type(b).__name__}")
    elif len(a) != len(b):
        raise ValueError(f"the structures differ at {_where(path)}: {len(a)} elements against {len(b)}")


def assert_same_structure(a: Any, b: Any, check_types: Any = None) -> None:
    """Raises ValueError where two structures differ; leaves may be anything."""
    _assert_same(a, b, ())


def _assert_same(a: Any, b: Any, path: Path) -> None:
    if not is_nested(a):
        if is_nested(b):
            raise ValueError(f"the structures differ at {_where(path)}: a leaf against {type(b).__name__}")
        return
    _same_level(a, b, path)
    children = dict(_items(b))
    for key, child in _items(a):
        _assert_same(child, children[key], (*path, key))


def assert_same_paths(a: Any, b: Any) -> None:
    """Raises ValueError where the paths of the leaves differ; container types do not matter."""
    paths_a, paths_b = ({path for path, _ in flatten_with_path(s)} for s in (a, b))
    if paths_a != paths_b:
        difference = sorted(paths_a ^ paths_b, key=str)[0]
        raise ValueError(f"`a` and `b` don't have the same paths: only one of them has {_where(difference)}")


def pack_sequence_as(structure: Any, flat_sequence: Iterable[Any]) -> Any:
    """Leaves put back into a structure. Raises ValueError for a wrong number of leaves."""
    flat = list(flat_sequence)
    expected = len(flatten(structure))
    if len(flat) != expected:
        raise ValueError(f"the structure has {expected} leaves, but flat_sequence has {len(flat)}")
    leaves = iter(flat)
    return _map(lambda _: next(leaves), (structure,), True, ())


def lists_to_tuples(structure: Any) -> Any:
    """The same structure with tuples in place of lists."""
    if not is_nested(structure):
        return structure
    children = [lists_to_tuples(child) for _, child in _items(structure)]
    return tuple(children) if isinstance(structure, list) else _rebuild(structure, children)


def map_structure_up_to(shallow_structure: Any, func: Callable[..., Any], *structures: Any) -> Any:
    """Apply where the shallow structure has leaves; the others may be deeper there."""
    return _map_up_to(shallow_structure, func, structures, ())


def _map_up_to(shallow: Any, func: Callable[..., Any], structures: tuple[Any, ...], path: Path) -> Any:
    if not is_nested(shallow):
        return func(*structures)
    for structure in structures:
        _same_level(shallow, structure, path)
    columns = [dict(_items(structure)) for structure in structures]
    return _rebuild(shallow, [_map_up_to(child, func, tuple(column[key] for column in columns), (*path, key))
                              for key, child in _items(shallow)])


def is_shape(structure: Any) -> bool:
    """Whether it is one shape: a tuple or list of integers and Nones."""
    return isinstance(structure, (list, tuple)) and all(d is None or isinstance(d, int) for d in structure)


def map_shape_structure(func: Callable[[Any], Any], structure: Any) -> Any:
    """Apply to each shape of a structure of shapes."""
    if is_shape(structure):
        return func(tuple(structure))
    if not is_nested(structure):
        raise ValueError(f"cannot map a function to {structure!r}: not a shape")
    return _rebuild(structure, [map_shape_structure(func, child) for _, child in _items(structure)])


def traverse(func: Callable[[Any], Any], structure: Any, top_down: bool = True) -> Any:
    """Call with every structure and leaf; a result other than None replaces it (MAP_TO_NONE puts None)."""
    if top_down:
        replaced = func(structure)
        if replaced is not None:
            return None if replaced is MAP_TO_NONE else replaced
    if is_nested(structure):
        structure = _rebuild(structure, [traverse(func, child, top_down) for _, child in _items(structure)])
    if not top_down:
        replaced = func(structure)
        if replaced is not None:
            return None if replaced is MAP_TO_NONE else replaced
    return structure


suggest_names(__name__)
