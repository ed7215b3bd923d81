"""Owns Layer: construction, building, calling (at once, symbolically, in a trace), shapes and configuration."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .. import dtype_policies, naming, regularizers, tracing, tree
from ..common.users_code import warn
from ..making import MAKING
from ..operation import Node, Operation
from ..tensor import KerasTensor
from ..variables import autocast_scope
from . import errors
from .arguments import as_shape, build_parameters, constructor_config, convert_argument, legacy_shape
from .call_context import CallArguments, CallSignature, current_training, entered, inside_a_call, is_tensor, shapes_of
from .input_spec import InputSpec, check_inputs
from .masks import fill_in_masks, set_masks
from .state import LOCKED, LayerState

_LEGACY_SHAPES = ("input_shape", "batch_input_shape", "batch_shape", "input_dim")


def _managed_build(build: Callable[..., Any]) -> Callable[..., Any]:
    """A `build` that runs under the layer's name, outside any trace, and leaves the layer built and locked.

    Only the outermost of nested `super().build(...)` calls does so.
    """

    @functools.wraps(build)
    def managed(self: Layer, *args: Any, **kwargs: Any) -> Any:
        if self._building:
            return build(self, *args, **kwargs)
        shapes = dict(zip(build_parameters(type(self)), args, strict=False)) | kwargs
        held = self._tracker.held()
        self._building = True
        self._tracker.unlock()
        try:
            with self._open_scope(), tracing.eager_scope():
                result = build(self, *args, **kwargs)
        except BaseException:  # the next call builds it anew, and half of its weights would stay beside the new ones
            self._tracker.restore(held)
            raise
        finally:
            self._building = False
        with self._tracker.paused():
            self._build_shapes = {name: as_shape(shape) for name, shape in shapes.items()}
        self.built = True
        if self._initial_weights is not None:
            initial, self._initial_weights = self._initial_weights, None
            self.set_weights(initial)
        self._tracker.lock(LOCKED)
        return result

    return managed


class Layer(LayerState, Operation):
    """The base of all layers: state made in `__init__` or `build`, computation in `call`.

    activity_regularizer: adds a loss on the outputs; trainable: whether the weights take part in training; dtype: a policy, its name
    or a dtype (default: the global policy); autocast: cast float inputs to the compute dtype; name: unique within a model.
    Also taken: input_shape, input_dim, batch_input_shape, batch_shape (the shape a Sequential model starts with) and weights
    (initial values). Raises ValueError for any other keyword.
    """

    _building = False
    _initialized = False

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        instance = super().__new__(cls)
        instance._initialize_state()
        object.__setattr__(instance, "_source", tracing.user_source())
        object.__setattr__(instance, "_constructed_with", (args, kwargs) if cls.get_config is Layer.get_config else None)
        return instance

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "build" in cls.__dict__:
            cls.build = _managed_build(cls.__dict__["build"])  # type: ignore[method-assign]

    def __init__(self, *, activity_regularizer: Any = None, trainable: bool = True, dtype: Any = None, autocast: bool = True,
                 name: str | None = None, **kwargs: Any) -> None:
        Operation.__init__(self, name=name)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.autocast = bool(autocast)
        self._dtype_policy = dtype_policies.get(dtype)
        self._initial_weights = kwargs.pop("weights", None)
        self._input_shape_argument = legacy_shape({key: kwargs.pop(key) for key in _LEGACY_SHAPES if kwargs.get(key) is not None})
        for key in _LEGACY_SHAPES:
            kwargs.pop(key, None)
        if kwargs:
            raise ValueError(f"Unrecognized keyword arguments passed to {type(self).__name__}: {kwargs}")
        self.built = False
        self._build_shapes: dict[str, Any] | None = None
        self._shapes_seen: list[Any] | None = None  # of the first call: what a summary shows
        self._parent_path: str | None = None
        self._supports_masking = False
        self._input_spec: Any = None
        self._call_signature = CallSignature.of(self.call)
        self._convert_input_args = True
        self._initialized = True
        if not trainable:
            self.trainable = False

    # -- properties -------------------------------------------------------------------------------------------
    @property
    def path(self) -> str:
        """The layer's name behind the names of the models and layers in which it was built."""
        return f"{self._parent_path}/{self.name}" if self._parent_path else self.name

    @property
    def dtype_policy(self) -> dtype_policies.DTypePolicy:
        return self._dtype_policy

    @dtype_policy.setter
    def dtype_policy(self, value: Any) -> None:
        self._dtype_policy = dtype_policies.get(value)

    @property
    def dtype(self) -> str:
        """The dtype of the layer's variables."""
        return self.variable_dtype

    @property
    def variable_dtype(self) -> str:
        return self._dtype_policy.variable_dtype

    @property
    def compute_dtype(self) -> str:
        """The dtype the layer computes in."""
        return self._dtype_policy.compute_dtype

    @property
    def input_dtype(self) -> str:
        """The dtype float inputs are cast to."""
        return self.compute_dtype

    @property
    def quantization_mode(self) -> str | None:
        return self._dtype_policy.quantization_mode

    @property
    def supports_masking(self) -> bool:
        """Whether a mask that comes with the inputs goes on with the outputs."""
        return self._supports_masking

    @supports_masking.setter
    def supports_masking(self, value: bool) -> None:
        self._supports_masking = bool(value)

    @property
    def input_spec(self) -> Any:
        """What is checked of the first argument of a call: None, an InputSpec, or a structure of them."""
        return self._input_spec

    @input_spec.setter
    def input_spec(self, value: Any) -> None:
        if any(leaf is not None and not isinstance(leaf, InputSpec) for leaf in tree.flatten(value)):
            raise TypeError(f"Layer input_spec must be an instance of InputSpec. Got: {value!r}")
        self._input_spec = value

    # -- building ---------------------------------------------------------------------------------------------
    @_managed_build
    def build(self, input_shape: Any) -> None:
        """Make the weights. The default marks the layer as built: its sub-layers are built by their own first call."""
        if type(self).build is Layer.build and any(not layer.built for layer in self._layers) and not self._in_call:
            warn(f"`build()` was called on layer '{self.name}', however the layer does not have a `build()` method implemented "
                 "and it looks like it has unbuilt state. Call the layer on data instead, or implement `build()`.")

    _in_call = False

    def _build_at_init(self) -> None:
        """For layers without weights: built from the start, unless a subclass has a `build` of its own."""
        if type(self).build is Layer.build:
            self.built = True

    def _build_for(self, arguments: CallArguments) -> None:
        """Build, if that has not happened, from the shapes of a call's arguments."""
        shapes = arguments.shapes()
        if self._shapes_seen is None and shapes:
            with self._tracker.paused():
                self._shapes_seen = list(shapes.values())[:1]
        if not self.built:
            with MAKING:
                if not self.built:  # another thread may have been faster
                    self._build_from(shapes, arguments)

    def _build_from(self, shapes: dict[str, Any], arguments: CallArguments) -> None:
        names = build_parameters(type(self))
        self._in_call = True
        try:
            if type(self).build is Layer.build or len(names) <= 1:
                self.build(next(iter(shapes.values()), shapes_of(arguments.first)))
                return
            for name in names:
                if not name.endswith("_shape"):
                    raise ValueError("For a `build()` method with more than one argument, all arguments should have a `_shape` suffix "
                                     f"and match an argument from `call()`. E.g. `build(self, foo_shape, bar_shape)`. For layer "
                                     f"'{self.name}', received `build()` argument `{name}`, which does not end in `_shape`.")
                if name not in shapes and name.removesuffix("_shape") not in arguments.values:
                    raise ValueError("For a `build()` method with more than one argument, all arguments should match an argument from "
                                     f"`call()`. For layer '{self.name}', received `build()` argument `{name}`, but `call()` does not "
                                     f"have argument `{name.removesuffix('_shape')}`.")
            self.build(**{name: shapes.get(name) for name in names})
        finally:
            self._in_call = False

    def get_build_config(self) -> dict[str, Any] | None:
        """What `build_from_config` needs to build the same layer again, or None before it is built."""
        if not self._build_shapes:
            return None
        if len(self._build_shapes) == 1:
            return {"input_shape": next(iter(self._build_shapes.values()))}
        return {"shapes_dict": dict(self._build_shapes)}

    def build_from_config(self, config: dict[str, Any]) -> None:
        if not config:
            return
        if "input_shape" in config:
            self.build(as_shape(config["input_shape"]))
        elif "shapes_dict" in config:
            self.build(**{name: as_shape(shape) for name, shape in config["shapes_dict"].items()})

    @contextmanager
    def _open_scope(self) -> Iterator[None]:
        """Variables and layers made inside have this layer's path before their names."""
        if self._parent_path is None:
            self._parent_path = naming.current_path()
        with naming.root_scope(), naming.name_scope(self.path):
            yield

    # -- calling ----------------------------------------------------------------------------------------------
    def call(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"Layer {type(self).__name__} does not have a `call()` method implemented.")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Compute, or define, the outputs. Arrays give values; symbolic tensors give symbolic tensors.

        Raises ValueError for inputs that do not fit; every error carries the layer's path and the line it was written on.
        """
        if not self._initialized:
            raise RuntimeError(f"In layer '{type(self).__name__}', you forgot to call `super().__init__()` as the first statement in the "
                               "`__init__()` method. Go add it!")
        if self._parent_path is None:
            self._parent_path = naming.current_path()
        with errors.located(self, args, kwargs):
            if tracing.mode_of((*args, *kwargs.values())) == tracing.SYMBOLIC:
                return self.symbolic_call(*args, **kwargs)
            if self._convert_input_args:
                args = tuple([self._converted(value) for value in args])
                kwargs = {name: self._converted(value) for name, value in kwargs.items()}
                self._refuse_values(args)
            return self._compute(args, kwargs)

    def _converted(self, value: Any) -> Any:
        return tree.map_structure(lambda leaf: convert_argument(leaf, self.autocast, self.input_dtype), value)

    def _refuse_values(self, args: tuple[Any, ...]) -> None:
        for leaf in tree.flatten(args):
            if leaf is not None and not is_tensor(leaf):
                raise ValueError("Only input tensors may be passed as positional arguments. The following argument value should be passed "
                                 f"as a keyword argument: {leaf!r} (of type {type(leaf)})")

    def _compute(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A call on eager or traced tensors: check, build, settle `training` and masks, `call`, collect losses, hand masks on."""
        signature = self._call_signature
        training = None if signature.accepts("training") or signature.takes_any_keyword else kwargs.pop("training", None)
        arguments = CallArguments(signature, args, kwargs)
        check_inputs(self.input_spec, arguments.first, self.name)
        training = _first_known(training, arguments.given.get("training"), current_training(), arguments.values.get("training"))
        if training is not None and signature.accepts("training"):
            kwargs["training"] = training
        fill_in_masks(self._call_signature, arguments, kwargs)
        if not inside_a_call():
            self._clear_losses()
        with self._open_scope(), entered(self, training), autocast_scope(self.compute_dtype if self.autocast else None):
            self._build_for(arguments)
            trace = tracing.current_trace()
            if trace is None:
                outputs = self.call(*args, **kwargs)
            else:
                with trace.scope(self.name):
                    outputs = self.call(*args, **kwargs)
            self._regularize_activity(outputs)
            set_masks(self, arguments, outputs)
        return outputs

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        """Outputs for the symbolic tensors of a definition; the call is recorded as the user wrote it."""
        names = {name: value for name, value in kwargs.items() if self._call_signature.accepts(name)}
        if not self.built and any(None in tensor.shape[1:] for tensor in tree.flatten((args, names)) if isinstance(tensor, KerasTensor)):
            arguments = CallArguments(self._call_signature, args, names)
            check_inputs(self.input_spec, arguments.first, self.name)
            with self._open_scope():
                self._build_for(arguments)  # here, for compute_output_spec puts numbers in place of unknown sizes
        outputs = self.compute_output_spec(*args, **kwargs)
        self._clear_losses()
        Node(self, args, kwargs, outputs)
        if self.supports_masking:
            set_masks(self, CallArguments(self._call_signature, args, names), outputs)
        return outputs

    def _regularize_activity(self, outputs: Any) -> None:
        if self.activity_regularizer is None:
            return
        from .. import ops

        for output in tree.flatten(outputs):
            if is_tensor(output) and len(output.shape):
                rows = ops.cast(ops.shape(output)[0], output.dtype)
                self.add_loss(self.activity_regularizer(output) / rows)

    # -- masks ------------------------------------------------------------------------------------------------
    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The mask of the outputs; by default that of the inputs."""
        return previous_mask

    # -- shapes -----------------------------------------------------------------------------------------------
    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Symbolic outputs (shape and dtype) for symbolic inputs, found by a trace that is thrown away. Builds the layer."""
        return tracing.compute_output_spec(self, *args, **kwargs)

    def compute_output_shape(self, *args: Any, **kwargs: Any) -> Any:
        """The shape(s) of the outputs for the shape(s) of the inputs; None stands for an unknown size. Builds the layer."""
        def tensors(shapes: Any) -> Any:
            return tree.map_shape_structure(lambda shape: KerasTensor(shape, dtype=self.compute_dtype), shapes)

        if "input_shape" in kwargs:
            args = (kwargs.pop("input_shape"), *args)
        named = {name.removesuffix("_shape"): tensors(shapes) for name, shapes in kwargs.items()}
        outputs = self.compute_output_spec(*[tensors(shapes) for shapes in args], **named)
        self._clear_losses()
        return shapes_of(outputs)

    # -- configuration ----------------------------------------------------------------------------------------
    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as plain data.

        A subclass with arguments of its own says them in its `get_config`; where it has none, they are taken from the
        constructor's call if they are plain data, else NotImplementedError is raised.
        """
        policy = dtype_policies.serialize(self._dtype_policy)
        config: dict[str, Any] = {**super().get_config(), "trainable": self.trainable, "dtype": policy}
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = regularizers.serialize(self.activity_regularizer)
        if self._constructed_with is not None and type(self).__init__ is not Layer.__init__:
            return constructor_config(type(self), *self._constructed_with, config)
        return config

    _source: str
    _constructed_with: tuple[tuple[Any, ...], dict[str, Any]] | None

    def __reduce__(self) -> tuple[Any, ...]:
        from ..saving.pickling import reduced

        return reduced(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"

    def add_metric(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError("Layer `add_metric()` is deprecated. Add your metric in `Model.compile(metrics=[...])`.")


def _first_known(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)
