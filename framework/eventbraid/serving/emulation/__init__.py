"""Emulated coprocessors: models that take the time that they would take on a GPU."""

from eventbraid.serving.emulation.clock import Clock, ServiceTime
from eventbraid.serving.emulation.device import Device
from eventbraid.serving.emulation.instance import Emulated, Zeros
from eventbraid.serving.emulation.presets import PRESETS
from eventbraid.serving.emulation.spec import DeviceSpec, device_text, parse_device, plateau

__all__ = [
    "PRESETS",
    "Clock",
    "Device",
    "DeviceSpec",
    "Emulated",
    "ServiceTime",
    "Zeros",
    "device_text",
    "parse_device",
    "plateau",
]
