"""What fstab(5) lists, and the devices that its first field, or `root=`, names. Pure.

Knows the notations; knows nothing of mounting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chainboot.errors import NotFoundError, RefusedError
from chainboot.text import printable


@dataclass(frozen=True, slots=True)
class Device:
    """A block device and what blkid(8) says of it; "" where it says nothing. `kind` is its TYPE."""

    path: str
    kind: str = ""
    uuid: str = ""
    label: str = ""
    partuuid: str = ""
    partlabel: str = ""


def as_device(path: str, facts: Mapping[str, str]) -> Device:
    """The device from what `discovery.probe` returned; the names are those of `blkid -p -o export`."""
    keys = ("TYPE", "UUID", "LABEL", "PART_ENTRY_UUID", "PART_ENTRY_NAME")
    return Device(path, *(facts.get(key, "") for key in keys))


@dataclass(frozen=True, slots=True)
class Line:
    """A file system to mount: `spec` names the device, `kind` is what the file calls its type."""

    spec: str
    place: str
    kind: str
    options: tuple[str, ...]


def parse_fstab(text: str) -> tuple[Line, ...]:
    """fstab(5): blanks separate, `#` starts a comment line, \\040 and its like stand for a character."""
    lines = []
    for line in text.splitlines():
        words = [_unescape(word, "\\", 3, 8) for word in line.split()]
        if len(words) >= 3 and not words[0].startswith("#"):
            lines.append(Line(words[0], words[1], words[2], tuple([*words, ""][3].split(","))))
    return tuple(lines)


def find_device(spec: str, devices: Sequence[Device]) -> Device:
    """The device that `root=` or an fstab means: UUID=, LABEL=, PARTUUID=, PARTLABEL=, /dev/disk/by-.../x, /dev/x.

    Raises `NotFoundError`; `RefusedError` where there are several.
    """
    kind, equals, value = spec.partition("=")
    if spec.startswith("/dev/disk/by-"):
        kind, equals, value = spec.removeprefix("/dev/disk/by-").partition("/")
        value = _unescape(value, "\\x", 2, 16)
    if spec.startswith("/dev/") and not spec.startswith("/dev/disk/"):
        found = [each for each in devices if each.path == spec]
    else:
        match kind.lower() if equals else "":
            case "uuid":
                found = [each for each in devices if each.uuid.lower() == value.lower() != ""]
            case "partuuid":
                found = [each for each in devices if each.partuuid.lower() == value.lower() != ""]
            case "label":
                found = [each for each in devices if each.label == value != ""]
            case "partlabel":
                found = [each for each in devices if each.partlabel == value != ""]
            case _:
                found = []
    if not found:
        there = ", ".join(f"{each.path} ({each.kind or 'unknown'})" for each in devices) or "none"
        raise NotFoundError(
            f"there is no {printable(spec)} here",
            hint=f"name the root: --device DEVICE; LUKS, LVM and RAID are not opened here; the disks: {there}",
        )
    # The parts of one btrfs share its UUID, and any of them stands for it.
    if len(found) > 1 and not (kind.lower() == "uuid" and all(each.kind == "btrfs" for each in found)):
        raise RefusedError(
            f"{printable(spec)} is not one device but {len(found)}: {', '.join(each.path for each in found)}",
            hint="name the one that is meant: --device DEVICE",
        )
    return found[0]


def _unescape(text: str, start: str, digits: int, base: int) -> str:
    """`text` with every `start` and number of so many digits replaced by that byte."""
    first, *rest = text.encode("utf-8", "surrogateescape").split(start.encode())
    out = [first]
    for part in rest:
        number = part[:digits]
        good = len(number) == digits and number.isalnum()
        try:
            out.append(bytes([int(number, base)]) + part[digits:] if good else start.encode() + part)
        except ValueError:  # no number, or none that a byte holds
            out.append(start.encode() + part)
    return b"".join(out).decode("utf-8", "surrogateescape")
