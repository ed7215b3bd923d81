"""Owns InputLayer and Input: where the symbolic tensors of a functional model begin."""

from __future__ import annotations

from typing import Any

from .. import config
from ..operation import Node
from ..tensor import KerasTensor, standardize_shape
from .layer import Layer


class InputLayer(Layer):
    """The entry point of a model. `output` is a KerasTensor of shape (batch_size, *shape).

    shape without the batch, or batch_shape with it; a batch size given here is enforced when the model is called.
    Raises ValueError when neither or both are given, and for sparse or ragged inputs.
    """

    def __init__(self, shape: Any = None, batch_size: int | None = None, dtype: Any = None, sparse: bool | None = None,
                 ragged: bool | None = None, batch_shape: Any = None, input_tensor: Any = None, optional: bool = False,
                 name: str | None = None, **kwargs: Any) -> None:
        shape = kwargs.pop("input_shape", shape)
        batch_shape = kwargs.pop("batch_input_shape", batch_shape)
        super().__init__(name=name, **kwargs)
        if sparse or ragged:
            raise ValueError("sparse and ragged inputs are not supported: densify the data first")
        if input_tensor is not None:
            if not isinstance(input_tensor, KerasTensor):
                raise ValueError(f"Argument `input_tensor` must be a KerasTensor. Received invalid type: input_tensor={input_tensor!r}")
            batch_shape, dtype = input_tensor.shape, dtype or input_tensor.dtype
            shape = None
        if shape is not None and batch_shape is not None:
            raise ValueError("You cannot pass both `shape` and `batch_shape` at the same time.")
        if batch_size is not None and batch_shape is not None and input_tensor is None:
            raise ValueError("You cannot pass both `batch_size` and `batch_shape` at the same time.")
        if shape is None and batch_shape is None:
            raise ValueError("You must pass a `shape` argument.")
        self._batch_shape = standardize_shape(batch_shape if shape is None else (batch_size, *standardize_shape(shape)))
        self._input_dtype = str(config.floatx() if dtype is None else getattr(dtype, "name", dtype))
        self.optional = optional
        self.enforces_shape = True  # cleared where the shape was read off the first data: other sizes may follow
        output = input_tensor if input_tensor is not None else KerasTensor(self._batch_shape, dtype=self._input_dtype, name=self.name)
        Node(self, (), {}, output)
        self.built = True

    def call(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError("an InputLayer is not called: its `output` is the tensor to go on from")

    @property
    def batch_shape(self) -> tuple[int | None, ...]:
        return tuple(self._batch_shape)

    @property
    def dtype(self) -> str:
        return self._input_dtype

    def get_config(self) -> dict[str, Any]:
        return {"batch_shape": self.batch_shape, "dtype": self.dtype, "sparse": False, "ragged": False, "name": self.name,
                "optional": self.optional}


def Input(shape: Any = None, batch_size: int | None = None, dtype: Any = None, sparse: bool | None = None,
          ragged: bool | None = None, batch_shape: Any = None, name: str | None = None, tensor: Any = None,
          optional: bool = False) -> KerasTensor:
    """A symbolic tensor to begin a functional model with: shape (batch_size or None, *shape), dtype floatx by default."""
    layer = InputLayer(shape=shape, batch_size=batch_size, dtype=dtype, sparse=sparse, ragged=ragged, batch_shape=batch_shape,
                       name=name, input_tensor=tensor, optional=optional)
    output: KerasTensor = layer.output
    return output
