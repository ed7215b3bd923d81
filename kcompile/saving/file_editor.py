"""Owns KerasFileEditor: weights files looked into, changed and written again, without the model they belong to."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .atomic import write_whole
from .hdf5 import Group
from .hdf5_writer import Writer
from .sources import open_file, weights_of


class KerasFileEditor:
    """The weights in a `.weights.h5`, `.weights.json` or `.keras` file as nested dicts of arrays: `weights_dict`.

    Objects are named by their path ('layers/dense_2') or, where that is clear, by its last part. Nothing is written until
    `save`. Raises ValueError for a file of another kind, ModelFileError for a damaged one.
    """

    def __init__(self, filepath: str | os.PathLike[str]) -> None:
        self.filepath = os.fspath(filepath)
        if not self.filepath.endswith((".keras", ".weights.h5", ".weights.json")) and not os.path.isdir(self.filepath):
            raise ValueError(f"Invalid filename: expected a `.keras` or `.weights.h5` extension. Received: filepath={self.filepath}")
        path, source = open_file(self.filepath)
        self.config = None if isinstance(source, Group) else source.config()
        self.metadata = None if isinstance(source, Group) else source.metadata()
        self.object_metadata: dict[str, dict[str, Any]] = {}  # path -> attributes: the object's name
        self.weights_dict = self._extracted(weights_of(path, source), "")
        print(f"Keras model file '{self.filepath}'")
        if self.metadata is not None:
            print(f"Saved with Keras {self.metadata.get('keras_version')} - date: {self.metadata.get('date_saved')}")

    def _extracted(self, group: Group, path: str) -> dict[str, Any]:
        """The arrays of an object and of the objects in it; those without any are left out."""
        found: dict[str, Any] = {}
        for name, member in group.members.items():
            if not isinstance(member, Group):
                found[name] = np.array(member)
            elif name == "vars":
                if member.attributes:
                    self.object_metadata[path] = dict(member.attributes)
                found.update({key: np.array(value) for key, value in member.members.items() if not isinstance(value, Group)})
            else:
                inner = self._extracted(member, f"{path}/{name}" if path else name)
                if inner:
                    found[name] = inner
        return found

    # -- looking ----------------------------------------------------------------------------------------------
    def summary(self) -> None:
        """Print the objects and weights in the file."""
        print("Weights structure")
        self._print(self.weights_dict, "  ", "")

    def _print(self, objects: dict[str, Any], prefix: str, path: str) -> None:
        for number, (name, value) in enumerate(objects.items()):
            last = number == len(objects) - 1
            branch = f"{prefix}{'└─' if last else '├─'} {name}"
            if not isinstance(value, dict):
                print(f"{branch}: shape={np.shape(value)}, dtype={np.asarray(value).dtype}")
                continue
            place = f"{path}/{name}" if path else name
            own = self.object_metadata.get(place, {}).get("name")
            print(f"{branch} ('{own}')" if own else branch)
            self._print(value, prefix + ("    " if last else "│   "), place)

    def compare(self, reference_model: Any) -> dict[str, Any]:
        """Print where the file and a model differ in objects and shapes; {'status': 'success' or 'error', 'error_count', 'match_count'}."""
        from .state import stored_values

        print("Running comparison")
        wanted = {f"{path}/{key}" if path else key: tuple(value.shape) for path, _, store in stored_values(reference_model)
                  for key, value in store.items()}
        found = {path: tuple(np.shape(value)) for path, value in _leaves(self.weights_dict, "")}
        errors = 0
        for path, shape in wanted.items():
            if path not in found:
                print(f"...Weight {path} present in reference model, missing from saved file")
            elif found[path] != shape:
                print(f"...Weight shape mismatch for {path}\n    In reference model: shape={shape}\n    In saved file: shape={found[path]}")
            else:
                continue
            errors += 1
        for path in found:
            if path not in wanted:
                print(f"...Weight {path} present in saved file, missing from reference model")
                errors += 1
        matches = sum(found.get(path) == shape for path, shape in wanted.items())
        if errors:
            print(f"Found {errors} error{'s' if errors > 1 else ''}: saved file is not compatible with the reference model")
        else:
            print("Comparison successful: saved file is compatible with the reference model\n"
                  f"    Found {matches} matching weight{'s' if matches != 1 else ''}")
        return {"status": "error" if errors else "success", "error_count": errors, "match_count": matches}

    # -- changing ---------------------------------------------------------------------------------------------
    def _edit(self, name: str, change: Callable[[dict[str, Any], str], None]) -> None:
        """Call change(the dict that holds an object, its key there). Raises ValueError when the object is not there, or not clear."""
        if "/" in name:
            *outer, key = name.split("/")
            holder: Any = self.weights_dict
            for part in outer:
                holder = holder.get(part) if isinstance(holder, dict) else None
            if not isinstance(holder, dict) or key not in holder:
                raise ValueError(f"Path '{name}' not found in model.")
            change(holder, key)
            return
        holders = list(_holders(self.weights_dict, name))
        if len(holders) > 1:
            raise ValueError(f"Name '{name}' occurs more than once in the model; try passing a complete path")
        if not holders:
            raise ValueError(f"Source name '{name}' does not appear in the model. Use `editor.summary()` to list all objects.")
        change(holders[0], name)

    def rename_object(self, object_name: str, new_name: str) -> None:
        """Give an object another last name. Raises ValueError for a path as the new name, and for one that is taken."""
        if "/" in new_name:
            raise ValueError(f"Argument `new_name` should be a leaf name, not a full path name. Received: new_name='{new_name}'")

        def rename(holder: dict[str, Any], key: str) -> None:
            if new_name != key and new_name in holder:
                raise ValueError(f"there is an object '{new_name}' beside '{object_name}' already: delete or rename that first")
            items = [(new_name if name == key else name, value) for name, value in holder.items()]
            holder.clear()
            holder.update(items)

        self._edit(object_name, rename)

    def delete_object(self, object_name: str) -> None:
        """Take an object away, with all in it."""
        self._edit(object_name, lambda holder, key: holder.pop(key))

    def add_object(self, object_path: str, weights: dict[str, Any]) -> None:
        """Add an object. object_path: in full, such as 'layers/dense_2'; weights: arrays under '0', '1', .... Raises ValueError."""
        checked = _checked(weights)
        *outer, key = object_path.split("/")
        holder: Any = self.weights_dict
        for part in outer:
            holder = holder.get(part) if isinstance(holder, dict) else None
        if not isinstance(holder, dict):
            raise ValueError(f"Path '{'/'.join(outer)}' not found in model.")
        holder[key] = checked

    def delete_weight(self, object_name: str, weight_name: str) -> None:
        """Take one weight of an object away. Raises ValueError naming those that are there."""
        def delete(holder: dict[str, Any], key: str) -> None:
            if not isinstance(holder[key], dict) or weight_name not in holder[key]:
                there = list(holder[key]) if isinstance(holder[key], dict) else []
                raise ValueError(f"Weight {weight_name} not found in object {object_name}. Weights found: {there}")
            del holder[key][weight_name]

        self._edit(object_name, delete)

    def add_weights(self, object_name: str, weights: dict[str, Any]) -> None:
        """Give an object more weights, arrays by name; those of the same name are replaced. Raises ValueError."""
        checked = _checked(weights)
        self._edit(object_name, lambda holder, key: holder[key].update(checked))

    # -- writing ----------------------------------------------------------------------------------------------
    def save(self, filepath: str | os.PathLike[str]) -> None:
        """Write the weights to a `.weights.h5` file, whole or not at all. Raises ValueError for another suffix."""
        path = os.fspath(filepath)
        if not path.endswith(".weights.h5"):
            raise ValueError(f"Invalid `filepath` argument: expected a `.weights.h5` extension. Received: filepath={path}")
        writer = Writer()
        for place, value in _leaves(self.weights_dict, ""):
            owner, _, key = place.rpartition("/")
            inner = f"{owner}/vars" if owner else "vars"
            writer.group(inner, self.object_metadata.get(owner))
            writer.array(f"{inner}/{key}", np.asarray(value))
        data = writer.bytes()
        write_whole(path, lambda file: file.write(data))

    def resave_weights(self, filepath: str | os.PathLike[str]) -> None:
        """The same as `save`."""
        self.save(filepath)


def _leaves(objects: dict[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    """(path, array) of everything."""
    for name, value in objects.items():
        place = f"{path}/{name}" if path else name
        if isinstance(value, dict):
            yield from _leaves(value, place)
        else:
            yield place, value


def _holders(objects: dict[str, Any], name: str) -> Iterator[dict[str, Any]]:
    """The dicts that have a member of this name."""
    for value in objects.values():
        if isinstance(value, dict):
            yield from _holders(value, name)
    if name in objects:
        yield objects


def _checked(weights: Any) -> dict[str, Any]:
    if not isinstance(weights, dict):
        raise ValueError("Argument `weights` should be a dict where keys are weight names (usually '0', '1', etc.) and values are NumPy "
                         f"arrays. Received: type(weights)={type(weights)}")
    made = {str(name): value if isinstance(value, dict) else np.asarray(value) for name, value in weights.items()}
    for name, value in made.items():
        if not isinstance(value, dict) and value.dtype.kind not in "fiub" and value.dtype.name != "bfloat16":
            raise ValueError(f"weight '{name}' is no array of numbers but of dtype {value.dtype}")
    return made
