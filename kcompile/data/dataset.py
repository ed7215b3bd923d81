"""Dataset: a sequence of elements that is described first and gone through later, with the interface of tf.data.

Each method returns a new data set that holds the one it was called on. A node yields flat tuples of arrays (`_iterate`);
where a pipeline only picks, orders and batches rows of arrays, it also has a `RowPlan`, which moves row numbers and no data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..tensor import Tensor
from .elements import Element, flat, is_dataset, pack, tensors
from .passes import Arrays, DatasetIterator, as_numpy

if TYPE_CHECKING:
    from .options import Options
    from .rows import RowPlan

AUTOTUNE = -1
INFINITE_CARDINALITY = INFINITE = -1
UNKNOWN_CARDINALITY = UNKNOWN = -2


class Dataset:
    """A data set. Made by `from_tensor_slices`, `from_generator`, `range` and their like; gone through with `for`, or by `fit`.

    Elements are tensors or tuples and dicts of them. `num_parallel_calls`, `deterministic` and `name` are accepted everywhere that
    TensorFlow has them: functions are compiled and run in order, so the order of elements never depends on them.
    """

    source: Dataset  # what a transformation was made from

    # -- what a node says of itself ------------------------------------------------------------------------------
    def _iterate(self) -> Iterator[Element]:
        """The elements of one pass, as flat tuples."""
        raise NotImplementedError

    def _plan(self) -> RowPlan | None:
        """The pipeline as row numbers of arrays, where it is no more than that."""
        return None

    def _spec(self) -> Any:
        return self.source.element_spec

    def _spec_is_known(self) -> bool:
        """Whether `element_spec` can be told without computing an element."""
        return self.source._spec_is_known() if hasattr(self, "source") else True

    def _count(self) -> int:
        """The number of elements, INFINITE or UNKNOWN."""
        return self.source._count()

    # -- looking at it -------------------------------------------------------------------------------------------
    @property
    def element_spec(self) -> Any:
        """The structure of an element, with a TensorSpec for each tensor."""
        return self._spec()

    def _elements(self) -> Iterator[Element]:
        plan = self._plan()
        return self._iterate() if plan is None else plan.elements()

    def _structures(self, leaves: Callable[[Element], Sequence[Any]]) -> Iterator[Any]:
        for element in self._elements():
            yield pack(self.element_spec, leaves(element))

    def __iter__(self) -> Iterator[Any]:
        return DatasetIterator(self._structures(tensors), self)

    def as_numpy_iterator(self) -> Iterator[Any]:
        """The elements with numpy arrays and scalars in place of tensors; text is bytes."""
        return self._structures(lambda element: [as_numpy(leaf) for leaf in element])

    def as_arrays(self) -> Arrays:
        """An iterable over the elements with a numpy array for every tensor, scalars included; a new pass each time."""
        return Arrays(self)

    def get_single_element(self, name: str | None = None) -> Any:
        """The element of a data set that has one. Raises ValueError where there are none or several."""
        found = [element for element, _ in zip(self, range(2), strict=False)]
        if len(found) != 1:
            raise ValueError(f"get_single_element() needs a data set of one element; this one has {'more' if found else 'none'}")
        return found[0]

    def cardinality(self, name: str | None = None) -> Any:
        """The number of elements as an int64 scalar; INFINITE_CARDINALITY or UNKNOWN_CARDINALITY."""
        return Tensor(np.asarray(self._count(), np.int64))

    def __len__(self) -> int:
        count = self._count()
        if count == INFINITE:
            raise TypeError("The dataset is infinite.")
        if count == UNKNOWN:
            raise TypeError("The dataset length is unknown.")
        return count

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"<{type(self).__name__.lstrip('_')} element_spec={self.element_spec}>"

    def options(self) -> Options:
        """The options set so far."""
        from .options import Options

        return self.source.options() if hasattr(self, "source") else Options()

    # -- sources -------------------------------------------------------------------------------------------------
    @staticmethod
    def from_tensor_slices(tensors: Any, name: str | None = None) -> Dataset:
        """One element for each row of arrays: a tensor, or tuples and dicts of tensors with equal first sizes. Nothing is copied.

        Raises ValueError for scalars and different numbers of rows.
        """
        from .sources import Slices

        return Slices(tensors)

    @staticmethod
    def from_tensors(tensors: Any, name: str | None = None) -> Dataset:
        """One element: the tensors themselves."""
        from .sources import Single

        return Single(tensors)

    @staticmethod
    def from_generator(generator: Callable[..., Any], output_types: Any = None, output_shapes: Any = None, args: Any = None,
                       output_signature: Any = None, name: str | None = None) -> Dataset:
        """The elements that `generator(*args)` yields, called anew for each pass.

        output_signature: TensorSpecs in the structure of an element; or output_types with output_shapes (unknown by default).
        Raises TypeError without either, and while it is gone through for elements that do not match.
        """
        from .sources import Generated

        return Generated(generator, output_types, output_shapes, args, output_signature)

    @staticmethod
    def range(*args: Any, output_type: Any = "int64", name: str | None = None) -> Dataset:
        """range(stop), range(start, stop) or range(start, stop, step) as scalars."""
        from .sources import Range

        return Range(args, output_type)

    @staticmethod
    def list_files(file_pattern: Any, shuffle: bool | None = None, seed: int | None = None, name: str | None = None) -> Dataset:
        """The paths that match one or several glob patterns; shuffled anew for each pass by default. Raises ValueError for none."""
        from .sources import list_files

        return list_files(file_pattern, True if shuffle is None else shuffle, seed)

    @staticmethod
    def random(seed: int | None = None, rerandomize_each_iteration: bool | None = None, name: str | None = None) -> Dataset:
        """Endless int64 values in 0 ... 2**32 - 1."""
        from .sources import Random

        return Random(seed, bool(rerandomize_each_iteration))

    @staticmethod
    def counter(start: int = 0, step: int = 1, dtype: Any = "int64", name: str | None = None) -> Dataset:
        """Endless numbers from `start` on."""
        from .sources import Counter

        return Counter(start, step, dtype)

    @staticmethod
    def zip(*args: Any, datasets: Any = None, name: str | None = None) -> Dataset:
        """Elements side by side, as long as the shortest: of several data sets, or a tuple or dict of them."""
        from .mixing import Zip

        given = args if datasets is None else (datasets,)
        return Zip(given[0] if len(given) == 1 else given)

    @staticmethod
    def choose_from_datasets(datasets: Sequence[Dataset], choice_dataset: Dataset, stop_on_empty_dataset: bool = True) -> Dataset:
        """The next element of the data set whose number `choice_dataset` says."""
        from .mixing import Choose

        return Choose(datasets, choice_dataset, stop_on_empty_dataset)

    @staticmethod
    def sample_from_datasets(datasets: Sequence[Dataset], weights: Any = None, seed: int | None = None,
                             stop_on_empty_dataset: bool = False, rerandomize_each_iteration: bool | None = None) -> Dataset:
        """The next element of a data set drawn at random, with probabilities `weights`."""
        from .mixing import Sample

        return Sample(datasets, weights, seed, stop_on_empty_dataset, rerandomize_each_iteration)

    @staticmethod
    def load(path: str, element_spec: Any = None, compression: str | None = None, reader_func: Any = None) -> Dataset:
        """The elements that `save` has written. Raises FileNotFoundError or ValueError."""
        from .storing import load

        return load(path, element_spec)

    # -- order ---------------------------------------------------------------------------------------------------
    def shuffle(self, buffer_size: Any, seed: int | None = None, reshuffle_each_iteration: bool | None = None,
                name: str | None = None) -> Dataset:
        """Elements drawn at random from a buffer of the next `buffer_size`, in a new order each pass unless told otherwise."""
        from .order import Shuffle

        return Shuffle(self, buffer_size, seed, True if reshuffle_each_iteration is None else bool(reshuffle_each_iteration))

    def repeat(self, count: Any = None, name: str | None = None) -> Dataset:
        """`count` passes one after another; endless by default."""
        from .order import Repeat

        return Repeat(self, count)

    def take(self, count: Any, name: str | None = None) -> Dataset:
        """The first `count` elements; all for -1."""
        from .order import Take

        return Take(self, count)

    def skip(self, count: Any, name: str | None = None) -> Dataset:
        """All but the first `count` elements; none for -1."""
        from .order import Skip

        return Skip(self, count)

    def shard(self, num_shards: Any, index: Any, name: str | None = None) -> Dataset:
        """Every `num_shards`-th element from number `index` on."""
        from .order import Shard

        return Shard(self, num_shards, index)

    def concatenate(self, dataset: Dataset, name: str | None = None) -> Dataset:
        """This data set, then another of the same structure and dtypes."""
        from .mixing import Concatenate

        return Concatenate(self, dataset)

    def enumerate(self, start: int = 0, name: str | None = None) -> Dataset:
        """(number, element) pairs, the number an int64 scalar."""
        from .mixing import Zip
        from .sources import Counter

        return Zip((Counter(start, 1, "int64"), self))

    # -- groups --------------------------------------------------------------------------------------------------
    def batch(self, batch_size: Any, drop_remainder: bool = False, num_parallel_calls: Any = None, deterministic: bool | None = None,
              name: str | None = None) -> Dataset:
        """`batch_size` elements stacked; the last batch may be smaller unless it is dropped."""
        from .grouping import Batched

        return Batched(self, batch_size, drop_remainder)

    def padded_batch(self, batch_size: Any, padded_shapes: Any = None, padding_values: Any = None, drop_remainder: bool = False,
                     name: str | None = None) -> Dataset:
        """As `batch`, each element padded at the end: to `padded_shapes`, or for None and -1 to the longest of the batch."""
        from .grouping import PaddedBatch

        return PaddedBatch(self, batch_size, padded_shapes, padding_values, drop_remainder)

    def unbatch(self, name: str | None = None) -> Dataset:
        """The rows of each element one by one."""
        from .grouping import Unbatched

        return Unbatched(self)

    def rebatch(self, batch_size: Any, drop_remainder: bool = False, name: str | None = None) -> Dataset:
        """The rows of all elements in batches of another size."""
        return self.unbatch().batch(batch_size, drop_remainder)

    def window(self, size: Any, shift: Any = None, stride: Any = 1, drop_remainder: bool = False, name: str | None = None) -> Dataset:
        """Data sets of up to `size` elements each, `stride` apart, that begin `shift` elements (by default `size`) apart."""
        from .grouping import Windows

        return Windows(self, size, shift, stride, drop_remainder)

    def bucket_by_sequence_length(self, element_length_func: Callable[..., Any], bucket_boundaries: Sequence[int],
                                  bucket_batch_sizes: Sequence[int], padded_shapes: Any = None, padding_values: Any = None,
                                  pad_to_bucket_boundary: bool = False, no_padding: bool = False, drop_remainder: bool = False,
                                  name: str | None = None) -> Dataset:
        """Padded batches of elements of similar length: one bucket below each boundary, and one above the last."""
        from .grouping import Buckets

        return Buckets(self, element_length_func, bucket_boundaries, bucket_batch_sizes, padded_shapes, padding_values,
                       pad_to_bucket_boundary, no_padding, drop_remainder)

    # -- functions -----------------------------------------------------------------------------------------------
    def map(self, map_func: Callable[..., Any], num_parallel_calls: Any = None, deterministic: bool | None = None,
            synchronous: bool | None = None, use_unbounded_threadpool: bool = False, name: str | None = None) -> Dataset:
        """`map_func` of each element; a tuple is given as several arguments.

        The function is traced and compiled once. One that cannot be (Python that depends on values, text, numpy) is called on eager
        tensors for each element.
        """
        from .mapping import Map

        return Map(self, map_func)

    def filter(self, predicate: Callable[..., Any], name: str | None = None) -> Dataset:
        """The elements for which `predicate` is true."""
        from .mapping import Filter

        return Filter(self, predicate)

    def take_while(self, predicate: Callable[..., Any], name: str | None = None) -> Dataset:
        """The elements before the first for which `predicate` is false."""
        from .mapping import TakeWhile

        return TakeWhile(self, predicate)

    def flat_map(self, map_func: Callable[..., Any], name: str | None = None) -> Dataset:
        """The elements of the data sets that `map_func` makes, one data set after another."""
        from .mapping import Interleave

        return Interleave(self, map_func, 1, 1)

    def interleave(self, map_func: Callable[..., Any], cycle_length: Any = None, block_length: Any = None, num_parallel_calls: Any = None,
                   deterministic: bool | None = None, name: str | None = None) -> Dataset:
        """`block_length` elements in turn of `cycle_length` data sets (by default one a core) that `map_func` makes."""
        from .mapping import Interleave

        return Interleave(self, map_func, cycle_length, 1 if block_length is None else block_length)

    def scan(self, initial_state: Any, scan_func: Callable[..., Any], name: str | None = None) -> Dataset:
        """As map with a memory: `scan_func(state, element)` gives (new state, output)."""
        from .mapping import Scan

        return Scan(self, initial_state, scan_func)

    def reduce(self, initial_state: Any, reduce_func: Callable[..., Any], name: str | None = None) -> Any:
        """The last of state = reduce_func(state, element)."""
        from .mapping import reduce

        return reduce(self, initial_state, reduce_func)

    def unique(self, name: str | None = None) -> Dataset:
        """Each element the first time it comes."""
        from .mapping import Unique

        return Unique(self)

    def ignore_errors(self, log_warning: bool = False, name: str | None = None) -> Dataset:
        """The elements that can be computed; those for which a map function raises are left out."""
        from .mapping import IgnoreErrors

        return IgnoreErrors(self, log_warning)

    def apply(self, transformation_func: Callable[[Dataset], Dataset], name: str | None = None) -> Dataset:
        """transformation_func(self). Raises TypeError for what is no data set."""
        made = transformation_func(self)
        if not is_dataset(made):
            raise TypeError(f"`transformation_func` must return a Dataset, it returned {type(made).__name__}")
        return made

    # -- keeping -------------------------------------------------------------------------------------------------
    def cache(self, filename: Any = "", name: str | None = None) -> Dataset:
        """The elements of the first whole pass, kept in memory, or in files that begin with `filename`."""
        from .storing import Cached

        return Cached(self, filename)

    def prefetch(self, buffer_size: Any, name: str | None = None) -> Dataset:
        """The next elements are computed in a thread while one is used."""
        from .storing import Prefetched

        return Prefetched(self, buffer_size)

    def save(self, path: str, compression: str | None = None, shard_func: Any = None, checkpoint_args: Any = None) -> None:
        """Write every element to a folder, for `load`."""
        from .storing import save

        save(self, path)

    def snapshot(self, path: str, compression: str = "AUTO", reader_func: Any = None, shard_func: Any = None,
                 name: str | None = None) -> Dataset:
        """The elements of the first whole pass, kept in a folder."""
        from .storing import Cached

        return Cached(self, f"{path}/snapshot")

    def with_options(self, options: Options, name: str | None = None) -> Dataset:
        """The same elements; options are remembered and change nothing, since order never depends on them."""
        from .options import WithOptions

        return WithOptions(self, options)


def flat_spec(dataset: Dataset) -> Element:
    """The specs of the components, in order."""
    return flat(dataset.element_spec)


def count_argument(value: Any, name: str, least: int = 1) -> int:
    """A whole number given as an int, an array scalar or a tensor. Raises ValueError that names the argument."""
    try:
        found = value.__index__() if not isinstance(value, bool) else None
    except (AttributeError, TypeError):
        found = None
    if found is None or found < least:
        raise ValueError(f"`{name}` must be an integer of at least {least}, received {value!r}")
    return int(found)
