"""keras.utils: files from the network, the progress bar, labels, seeds."""

from ..config import disable_interactive_logging, enable_interactive_logging, is_interactive_logging_enabled
from ..dtypes import standardize_dtype
from ..naming import clear_session
from ..progress import Progbar
from ..saving import (
    CustomObjectScope,
    custom_object_scope,
    deserialize_keras_object,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
    serialize_keras_object,
)
from ..suggest import suggest_names
from ..tensor import is_keras_tensor
from .config_dict import Config
from .files import get_file
from .image_dataset import image_dataset_from_directory
from .images import array_to_img, img_to_array, load_img, save_img
from .numerical import normalize, to_categorical
from .packing import pack_x_y_sample_weight, unpack_x_y_sample_weight
from .plotting import model_to_dot, plot_model
from .py_dataset import PyDataset, Sequence
from .seeds import set_random_seed
from .sequences import pad_sequences
from .sources import get_source_inputs
from .splitting import split_dataset
from .text_dataset import text_dataset_from_directory
from .timeseries import timeseries_dataset_from_array

__all__ = [
    "Config",
    "CustomObjectScope",
    "Progbar",
    "PyDataset",
    "Sequence",
    "array_to_img",
    "clear_session",
    "custom_object_scope",
    "deserialize_keras_object",
    "disable_interactive_logging",
    "enable_interactive_logging",
    "get_custom_objects",
    "get_file",
    "get_registered_name",
    "get_registered_object",
    "get_source_inputs",
    "image_dataset_from_directory",
    "img_to_array",
    "is_interactive_logging_enabled",
    "is_keras_tensor",
    "load_img",
    "model_to_dot",
    "normalize",
    "pack_x_y_sample_weight",
    "pad_sequences",
    "plot_model",
    "register_keras_serializable",
    "save_img",
    "serialize_keras_object",
    "set_random_seed",
    "split_dataset",
    "standardize_dtype",
    "text_dataset_from_directory",
    "timeseries_dataset_from_array",
    "to_categorical",
    "unpack_x_y_sample_weight",
]


suggest_names(__name__)
