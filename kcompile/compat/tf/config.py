"""tf.config: what programs ask about devices. There is one CPU."""

from __future__ import annotations

from typing import NamedTuple

from kcompile.suggest import suggest_names

__all__ = [
    "LogicalDevice", "PhysicalDevice", "get_visible_devices", "list_logical_devices", "list_physical_devices", "run_functions_eagerly",
]


class PhysicalDevice(NamedTuple):
    """A device as tf.config lists it."""

    name: str
    device_type: str


LogicalDevice = PhysicalDevice


def list_physical_devices(device_type: str | None = None) -> list[PhysicalDevice]:
    """The CPU, or nothing for any other type."""
    return [PhysicalDevice("/physical_device:CPU:0", "CPU")] if device_type in (None, "CPU") else []


def get_visible_devices(device_type: str | None = None) -> list[PhysicalDevice]:
    """The same as list_physical_devices: nothing can be hidden."""
    return list_physical_devices(device_type)


def list_logical_devices(device_type: str | None = None) -> list[LogicalDevice]:
    """The CPU, or nothing for any other type."""
    return [LogicalDevice("/device:CPU:0", "CPU")] if device_type in (None, "CPU") else []


def run_functions_eagerly(run_eagerly: bool) -> None:
    """Accepted: functions outside fit, evaluate and predict run eagerly here in any case."""


suggest_names(__name__)
