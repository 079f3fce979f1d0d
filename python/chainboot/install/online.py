"""Which devices of IBM Z the first stage must set online to reach its volume and its network. Reads sysfs only.

On virtio devices are online by themselves. DASDs, FCP adapters and OSA cards are not: whoever installs from a running
system has them online already, and may not notice that the first stage is told nothing of them.
Source: Linux Documentation/arch/s390/driver-model.rst; docs/s390x-devices.md has the syntax of the setting.
"""

from __future__ import annotations

import os

from chainboot.boot.cmdline import values

_PARAMETER = "chainboot.s390x.devices"
_DRIVERS = {"dasd-eckd": "dasd", "dasd-fba": "dasd", "zfcp": "zfcp"}
# A device mapper's disk lies on others, and these may again: not without end.
_DEPTH = 8


def offline_notes(number: str, parameters: str, sysfs: str) -> tuple[str, ...]:
    """What to add to `parameters`; nothing where they say something of devices, or where nothing is needed.

    `number` is the device number of the boot volume ("94:1").
    """
    if values(parameters, _PARAMETER):
        return ()
    words = sorted({*_disks(os.path.realpath(f"{sysfs}/dev/block/{number}"), _DEPTH), *_networks(sysfs)})
    if not words:
        return ()
    buses = list(dict.fromkeys(word.split(":")[1] for word in words))
    setting = f"s390x.devices={','.join(words)}"
    itself = "itself" if len(buses) == 1 else "themselves"
    return (
        f"the first stage must set {', '.join(buses)} online {itself}: add chainboot.{setting} to --parameters "
        f"(or {setting} with `chainboot image --set`)",
    )


def _disks(path: str, depth: int) -> set[str]:
    """The words for the disk whose directory in sysfs is `path`, and for those that it lies on."""
    found: set[str] = set()
    at, suffix = path, ""
    while at not in ("", "/"):
        if not suffix:
            port, lun = _text(f"{at}/wwpn"), _text(f"{at}/fcp_lun")
            suffix = f":{port}:{lun}" if port and lun else ""
        kind = _DRIVERS.get(os.path.basename(os.path.realpath(f"{at}/driver")))
        if kind and is_bus(os.path.basename(at)):
            found.add(f"{kind}:{os.path.basename(at)}{suffix if kind == 'zfcp' else ''}")
        at = os.path.dirname(at)
    slaves = f"{path}/slaves"
    if depth and not found:
        for name in _names(slaves):
            found |= _disks(os.path.realpath(f"{slaves}/{name}"), depth - 1)
    return found


def _networks(sysfs: str) -> set[str]:
    groups = f"{sysfs}/bus/ccwgroup/drivers/qeth"
    return {f"qeth:{_channels(f'{groups}/{name}', name)}" for name in _names(groups) if is_bus(name)}


def _channels(group: str, first: str) -> str:
    """The channels of a group as the setting names them: the first alone where the others follow it."""
    head, _, number = first.rpartition(".")
    usual = [f"{head}.{int(number, 16) + place:04x}" for place in range(3)]
    found = [os.path.basename(os.path.realpath(f"{group}/cdev{place}")) for place in range(3)]
    return ":".join(found) if found != usual and all(is_bus(name) for name in found) else first


def is_bus(name: str) -> bool:
    """Whether `name` is a bus id of the channel subsystem, such as 0.0.0100."""
    parts = name.split(".")
    digits = all(part and all(char in "0123456789abcdef" for char in part) for part in parts)
    return len(parts) == 3 and digits and len(parts[2]) == 4


def _names(path: str) -> list[str]:
    try:
        return sorted(os.listdir(path))
    except OSError:
        return []


def _text(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read(64).strip()
    except OSError:
        return ""
