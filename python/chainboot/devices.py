"""The setting `s390x.devices`: what it asks for, and how far the first stage got with it. Pure.

Devices are set online by first-stage/devices, which works without Python and reads the setting by the same rules
(first-stage/devices.awk). This module checks a setting for `chainboot image --set` and for the menu, and turns the
script's notes into sentences. The syntax is docs/s390x-devices.md; bus ids and attributes are those of sysfs, Linux
Documentation/arch/s390/driver-model.rst.
"""

from __future__ import annotations

from dataclasses import dataclass

from chainboot.text import printable

# What the first stage knows of its devices, one to a line, below `settings.RUNTIME`.
FILE = "devices"

KINDS = ("dasd", "zfcp", "qeth", "ccw")

_MOST = 64
_MOST_PARTS = 32
_LONGEST = 64
_LONGEST_REASON = 300

_HEXADECIMAL = frozenset("0123456789abcdef")
_NAME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_")
# What is not printable ASCII; it fits nothing.
_MARK = "\x01"


@dataclass(frozen=True, slots=True)
class Device:
    """A device to be set online. `kind` is one of `KINDS`.

    `buses` are bus ids as sysfs has them, three of them for qeth, else one. `path` is a WWPN and a LUN, or nothing.
    `attributes` are names and values in the order in which they are written.
    """

    kind: str
    buses: tuple[str, ...]
    path: tuple[str, ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """By what the first stage's notes call it: the first bus id, and the path if there is one."""
        return ":".join((self.buses[0], *self.path))


@dataclass(frozen=True, slots=True)
class DeviceState:
    """What the first stage noted of a device: `state` is trying, online or failed, `reason` why or what else."""

    name: str
    kind: str
    state: str
    reason: str = ""


class _MistakeError(Exception):
    """Why a device cannot be asked for."""


def parse(value: str) -> tuple[tuple[Device, ...], tuple[str, ...]]:
    """The devices that a value of the setting asks for, and a sentence for each that is none. Never raises."""
    devices: list[Device] = []
    mistakes: list[str] = []
    used: dict[str, str] = {}
    words = [word for word in _plain(value).split(",") if word]
    for number, word in enumerate(words, 1):
        try:
            if number > _MOST:
                raise _MistakeError(f"there are more than {_MOST} devices; those from here on are not read")
            device = _read(word)
            _take(device, used)
            devices.append(device)
        except _MistakeError as mistake:
            mistakes.append(f"{_shown(word)} was ignored: {mistake}")
        if number > _MOST:
            break
    return tuple(devices), tuple(mistakes)


def describe(device: Device) -> str:
    """A device as a person reads it: `qeth 0.0.0600 (channels 0.0.0600, 0.0.0601, 0.0.0602; layer2=1)`."""
    details = [f"channels {', '.join(device.buses)}"] if len(device.buses) > 1 else []
    details += [f"port {device.path[0]}, LUN {device.path[1]}"] if device.path else []
    details += [f"{name}={value}" for name, value in device.attributes]
    more = "; ".join(details)
    return f"{device.kind} {device.buses[0]}{more and f' ({more})'}"


def states(text: str) -> tuple[DeviceState, ...]:
    """What the text of /run/chainboot/devices says; lines that make no sense are left out."""
    found: list[DeviceState] = []
    for line in text.splitlines()[:_MOST]:
        head, _, reason = line.partition(": ")
        words = head.split(" ")
        if len(words) == 3 and words[1] in KINDS and words[2] in ("trying", "online", "failed"):
            found.append(DeviceState(words[0], words[1], words[2], reason.strip()))
    return tuple(found)


def problems(text: str) -> tuple[str, ...]:
    """Sentences about devices that are not online, or not as they were wanted: from the text of /run/chainboot/devices.

    They are fit for a terminal. A device that is still being tried is no problem yet.
    """
    found: list[str] = []
    for device in states(text):
        bus, *path = device.name.split(":")
        called = f"{device.kind} {bus}{f' (port {path[0]}, LUN {path[1]})' if len(path) == 2 else ''}"
        reason = device.reason[:_LONGEST_REASON]
        if device.state == "failed":
            found.append(f"{called} is not online: {reason or 'no reason is known'}")
        elif device.state == "online" and reason:
            found.append(f"{called} is online, but {reason}")
    return tuple(printable(sentence) for sentence in found)


def _plain(value: str) -> str:
    """`value` with blanks as commas, and each run of what is not printable ASCII as one mark."""
    plain: list[str] = []
    for char in value:
        if char in " \t":
            plain.append(",")
        elif "!" <= char <= "~":
            plain.append(char)
        elif plain[-1:] != [_MARK]:
            plain.append(_MARK)
    return "".join(plain)


def _read(word: str) -> Device:
    """The device of one word; raises a `_MistakeError`."""
    parts = word.split(":")
    kind = parts[0].lower()
    if kind not in KINDS:
        raise _MistakeError(f"{_shown(parts[0])} is none of dasd, zfcp, qeth and ccw")
    if len(parts) > _MOST_PARTS:
        raise _MistakeError(f"it has {len(parts)} parts, and {_MOST_PARTS} are the most")
    buses = [_bus(parts[1] if len(parts) > 1 else "")]
    rest = parts[2:]
    if kind == "zfcp":
        return Device(kind, tuple(buses), _path(rest))
    if kind == "qeth":
        bare = next((place for place, part in enumerate(rest) if "=" in part), len(rest))
        buses += _channels(buses[0], rest[:bare])
        rest = rest[bare:]
    return Device(kind, tuple(buses), (), tuple(_attribute(part) for part in rest))


def _take(device: Device, used: dict[str, str]) -> None:
    """Notes what `device` uses; raises a `_MistakeError` where it was named before."""
    # One adapter may have several paths. With a blank at its end this is none of the bus ids.
    whole = "".join(f"{part} " for part in (*device.buses, *device.path))
    for bus in device.buses:
        if bus in used and (device.kind != "zfcp" or used[bus] != "zfcp" or whole in used):
            raise _MistakeError(f"{bus} is named twice")
    used.update(dict.fromkeys((*device.buses, whole), device.kind))


def _bus(text: str) -> str:
    """A bus id as sysfs writes it; the first two parts are 0 where they are left out."""
    parts = text.lower().split(".")
    if len(parts) == 1:
        parts = ["0", "0", *parts]
    if (
        len(parts) != 3
        or not (_hexadecimal(parts[0]) and len(parts[0]) <= 2)
        or parts[1] not in ("0", "1", "2", "3")
        or not (_hexadecimal(parts[2]) and len(parts[2]) <= 4)
    ):
        raise _MistakeError(f"{_shown(text)} is not a bus id such as 0.0.0100")
    return f"{int(parts[0], 16):x}.{parts[1]}.{parts[2]:0>4}"


def _path(parts: list[str]) -> tuple[str, ...]:
    """WWPN and LUN, each as 0x and 16 digits; nothing where the driver is to find the LUNs."""
    if len(parts) not in (0, 2):
        raise _MistakeError("after the adapter it takes nothing, or a WWPN and a LUN")
    path: list[str] = []
    for part, what in zip(parts, ("WWPN", "LUN"), strict=False):
        digits = part.lower().removeprefix("0x")
        if not _hexadecimal(digits) or len(digits) != 16:
            raise _MistakeError(f"{_shown(part)} is not a {what} of 16 hexadecimal digits")
        path.append(f"0x{digits}")
    return tuple(path)


def _channels(first: str, parts: list[str]) -> list[str]:
    """The second and third channel of a qeth device: those that are given, else the next two."""
    if len(parts) not in (0, 2):
        raise _MistakeError("it takes its three channels, or the first of them")
    if not parts:
        number = int(first[-4:], 16)
        if number > 0xFFFD:
            raise _MistakeError(f"there are no two channels after {first}")
        return [f"{first[:-4]}{number + after:04x}" for after in (1, 2)]
    channels: list[str] = []
    for part in parts:
        bus = _bus(part)
        if bus in (first, *channels):
            raise _MistakeError(f"{bus} is named twice")
        channels.append(bus)
    return channels


def _attribute(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise _MistakeError(f"{_shown(text)} is not NAME=VALUE")
    parts = name.split("/")
    if not all(part and set(part) <= _NAME for part in parts) or len(name) > _LONGEST:
        raise _MistakeError(f"{_shown(name)} is not the name of an attribute")
    # What the device stands in, other devices among it, is none of its attributes.
    if parts[0] in ("online", "driver", "subsystem"):
        raise _MistakeError(f"{_shown(name)} is not for settings")
    if not value or _MARK in value or len(value) > _LONGEST:
        raise _MistakeError(f"{_shown(value)} is not a value for {name}")
    return name, value


def _hexadecimal(text: str) -> bool:
    return bool(text) and set(text) <= _HEXADECIMAL


def _shown(text: str) -> str:
    """Text for a person: no longer than a line can bear."""
    text = text.replace(_MARK, "?")
    return f"{text[:_LONGEST]}..." if len(text) > _LONGEST else text or "nothing"
