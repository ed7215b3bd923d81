"""kcompile.data: data sets that are described first and gone through later, with the interface of tf.data."""

from ..suggest import suggest_names
from . import experimental
from .dataset import AUTOTUNE, INFINITE_CARDINALITY, UNKNOWN_CARDINALITY, Dataset
from .options import Options
from .passes import DatasetIterator
from .spec import DatasetSpec, TensorSpec

Iterator = DatasetIterator

__all__ = ["AUTOTUNE", "INFINITE_CARDINALITY", "UNKNOWN_CARDINALITY", "Dataset", "DatasetIterator", "DatasetSpec", "Iterator", "Options",
           "TensorSpec", "experimental"]


suggest_names(__name__)
