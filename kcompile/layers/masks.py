"""Masks that tensors carry from layer to layer: given to `call` where it wants them, and hung on what it returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import tree
from ..common.users_code import warn
from .call_context import CallArguments, CallSignature, is_tensor

if TYPE_CHECKING:
    from .layer import Layer


def fill_in_masks(signature: CallSignature, arguments: CallArguments, kwargs: dict[str, Any]) -> None:
    """Give `call` the masks its tensors carry, where it has an argument for them and the user gave none."""
    for position, name in enumerate(arguments.tensors):
        mask_name = "mask" if position == 0 and signature.accepts("mask") else f"{name}_mask"
        if not signature.accepts(mask_name) or arguments.values.get(mask_name) is not None:
            continue
        masks = _masks_of(arguments.tensors[name])
        if any(mask is not None for mask in tree.flatten(masks)):
            kwargs[mask_name] = masks


def set_masks(layer: Layer, arguments: CallArguments, outputs: Any) -> None:
    """Hang the outputs' masks on them."""
    if not arguments.tensors:
        return
    inputs = next(iter(arguments.tensors.values()))
    masks = _masks_of(inputs)
    explicit = arguments.values.get("mask")
    if explicit is not None:
        masks = explicit
    if not layer.supports_masking:
        if any(mask is not None for mask in tree.flatten(masks)) and explicit is None and not layer._call_signature.accepts("mask"):
            warn(f"Layer '{layer.name}' (of type {type(layer).__name__}) was passed an input with a mask attached to it. "
                 "However, this layer does not support masking and will therefore destroy the mask information. "
                 "Downstream layers will not see the mask.")
        return
    found = layer.compute_mask(inputs, masks)
    flat_outputs, flat_masks = tree.flatten(outputs), tree.flatten(found)
    if found is None or len(flat_outputs) != len(flat_masks):
        return
    for output, mask in zip(flat_outputs, flat_masks, strict=True):
        if mask is not None and is_tensor(output) and getattr(output, "_keras_mask", None) is None:
            output._keras_mask = mask


def _masks_of(value: Any) -> Any:
    return tree.map_structure(lambda leaf: getattr(leaf, "_keras_mask", None), value)
