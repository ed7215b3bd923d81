"""keras.preprocessing.image: images and arrays."""

from ..suggest import suggest_names
from ..utils.images import array_to_img, img_to_array, load_img, save_img, smart_resize

__all__ = ["array_to_img", "img_to_array", "load_img", "save_img", "smart_resize"]


suggest_names(__name__)
