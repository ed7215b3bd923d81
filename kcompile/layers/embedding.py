"""Owns Embedding: rows of a table, chosen by integers."""

from __future__ import annotations

from typing import Any

from .. import constraints, initializers, ops, regularizers
from ..dtypes import is_int_dtype
from ..tensor import Tensor
from .layer import Layer
from .support import refuse_lora_and_quantization


class Embedding(Layer):
    """indices[...] in [0, input_dim) -> table[indices]: [..., output_dim]. With mask_zero, index 0 is padding: it is masked.

    Raises ValueError for an index out of range where the values are known (a call on arrays).
    """

    def __init__(self, input_dim: int, output_dim: int, embeddings_initializer: Any = "uniform", embeddings_regularizer: Any = None,
                 embeddings_constraint: Any = None, mask_zero: bool = False, weights: Any = None, lora_rank: int | None = None,
                 lora_alpha: float | None = None, quantization_config: Any = None, **kwargs: Any) -> None:
        input_length = kwargs.pop("input_length", None)
        if input_length is not None and "input_shape" not in kwargs:
            kwargs["input_shape"] = (input_length,) if isinstance(input_length, int) else tuple(input_length)
        super().__init__(**kwargs)
        refuse_lora_and_quantization(self, lora_rank, quantization_config)
        for name, value in (("input_dim", input_dim), ("output_dim", output_dim)):
            if not isinstance(value, int) or value <= 0:
                raise ValueError(f"`{name}` must be a positive integer. Received: {name}={value} (of type {type(value).__name__}).")
        self.input_dim, self.output_dim = input_dim, output_dim
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.mask_zero = mask_zero
        self.supports_masking = mask_zero
        self.autocast = False
        if weights is not None:
            self.build()
            if not (isinstance(weights, list) and len(weights) == 1):
                weights = [weights]
            self.set_weights(weights)

    def build(self, input_shape: Any = None) -> None:
        self.embeddings = self.add_weight(name="embeddings", shape=(self.input_dim, self.output_dim),
                                          initializer=self.embeddings_initializer, regularizer=self.embeddings_regularizer,
                                          constraint=self.embeddings_constraint)

    def call(self, inputs: Any) -> Any:
        if not is_int_dtype(inputs.dtype):
            inputs = ops.cast(inputs, "int32")
        if isinstance(inputs, Tensor):
            self._check_range(inputs.numpy())
        return ops.cast(ops.take(self.embeddings, inputs, axis=0), self.compute_dtype)

    def _check_range(self, indices: Any) -> None:
        if indices.size and (indices.min() < 0 or indices.max() >= self.input_dim):
            wrong = int(indices.min()) if indices.min() < 0 else int(indices.max())
            raise ValueError(f"Embedding index {wrong} is not in [0, {self.input_dim}).")

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return ops.not_equal(inputs, 0) if self.mask_zero else None

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return (*input_shape, self.output_dim)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            "embeddings_initializer": initializers.serialize(self.embeddings_initializer),
            "embeddings_regularizer": regularizers.serialize(self.embeddings_regularizer),
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            "embeddings_constraint": constraints.serialize(self.embeddings_constraint),
            "mask_zero": self.mask_zero,
            "quantization_config": None,
        }
