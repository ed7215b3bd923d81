"""keras.preprocessing: older names of what is in keras.utils, and what programs of Keras 2 take from here."""

from ..suggest import suggest_names
from ..utils.image_dataset import image_dataset_from_directory
from ..utils.text_dataset import text_dataset_from_directory
from ..utils.timeseries import timeseries_dataset_from_array
from . import image, sequence, text

__all__ = ["image", "image_dataset_from_directory", "sequence", "text", "text_dataset_from_directory", "timeseries_dataset_from_array"]


suggest_names(__name__)
