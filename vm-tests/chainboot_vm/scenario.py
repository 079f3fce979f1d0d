"""Scenarios: one file each in vm-tests/scenarios. The directory is the list.

Knows what a scenario file may say; starts nothing.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from chainboot.errors import ChainbootError, NotFoundError
from chainboot_vm.access import ROLES
from chainboot_vm.additions import Additions
from chainboot_vm.architecture import ARCHITECTURES
from chainboot_vm.disks import Disk
from chainboot_vm.first_stage import COMPLETE, Variant
from chainboot_vm.networked import NetworkedQemuMachine
from chainboot_vm.qemu import Network

DIRECTORY = Path(__file__).resolve().parents[1] / "scenarios"

EVERY_ARCHITECTURE = tuple(row.name for row in ARCHITECTURES)

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario file. What it may define, and the default of each:

    `DISKS`, none; `run(machine)`, required, as is a docstring; `IMAGE`, the complete one; `PARAMETERS`, further words
    for the first stage's kernel command line; `CONSOLES`, how many serial consoles there are, one; `LINE_CONSOLE`,
    whether there is one more that knows lines only, no; `NETWORKS`, network cards, none; `SETTINGS`, what the image's
    /etc/chainboot.conf says, nothing; `KEYS`, the roles whose keys the image has, all of them if there is a network;
    `HOST_KEY`, whether the image has a host key, yes if there is a network; `INSTALL`, kernel parameters with which the
    first stage is installed on the first disk, which the machine's firmware then starts by itself; without it QEMU
    loads kernel and image; `ARCHITECTURES`, the machines it is for, all of them; `CLOCK`, what its clock says when it
    is switched on, this machine's time; `PANIC_STORE`, whether a PC's firmware keeps a panic's last words, no;
    `WATCHDOG`, whether there is one in hardware, no.
    """

    name: str
    summary: str
    disks: tuple[Disk, ...]
    run: Callable[[NetworkedQemuMachine], None]
    image: Variant
    parameters: str
    consoles: int
    networks: tuple[Network, ...]
    additions: Additions
    install: str | None = None
    architectures: tuple[str, ...] = EVERY_ARCHITECTURE
    line_console: bool = False
    clock: str = ""
    panic_store: bool = False
    watchdog: bool = False


def names() -> tuple[str, ...]:
    """The name of every scenario, in order."""
    return tuple(sorted(path.stem for path in DIRECTORY.glob("*.py") if not path.stem.startswith("_")))


def names_for(architecture: str) -> tuple[str, ...]:
    """The names of the scenarios that are for a machine, in order."""
    return tuple(name for name in names() if architecture in load(name).architectures)


def load(name: str) -> Scenario:
    """The scenario `name`. Raises `NotFoundError` with the names there are, `ChainbootError` for a file that is odd."""
    if name not in names():
        raise NotFoundError(f"there is no scenario {name}", hint=f"there is: {', '.join(names())}")
    return read(name, vars(importlib.import_module(f"scenarios.{name}")))


def read(name: str, here: Mapping[str, object]) -> Scenario:
    """The scenario that the names `here` of a file declare. Raises `ChainbootError` for what is odd."""
    summary, run, image = here.get("__doc__"), here.get("run"), here.get("IMAGE", COMPLETE)
    parameters, consoles = here.get("PARAMETERS", ""), here.get("CONSOLES", 1)
    if not (isinstance(summary, str) and callable(run)):
        raise ChainbootError(f"vm-tests/scenarios/{name}.py must have a docstring and run(machine)")
    if not (isinstance(image, Variant) and isinstance(parameters, str) and isinstance(consoles, int)):
        raise ChainbootError(f"vm-tests/scenarios/{name}.py: IMAGE, PARAMETERS or CONSOLES is of the wrong type")
    disks, networks = _all(Disk, name, here, "DISKS"), _all(Network, name, here, "NETWORKS")
    additions = Additions(
        _settings(name, here.get("SETTINGS", {})),
        _all(str, name, here, "KEYS", ROLES if networks else ()),
        bool(here.get("HOST_KEY", bool(networks))),
    )
    install, machines = here.get("INSTALL"), _all(str, name, here, "ARCHITECTURES", EVERY_ARCHITECTURE)
    if install is not None and not (isinstance(install, str) and disks and disks[0].kept and machines == ("s390x",)):
        raise ChainbootError(
            f"vm-tests/scenarios/{name}.py: INSTALL must be a text, the first disk kept, and ARCHITECTURES s390x only"
        )
    return Scenario(
        name,
        summary.strip().partition("\n")[0],
        disks,
        run,
        image,
        parameters,
        consoles,
        networks,
        additions,
        install,
        machines,
        bool(here.get("LINE_CONSOLE", False)),
        str(here.get("CLOCK", "")),
        bool(here.get("PANIC_STORE", False)),
        bool(here.get("WATCHDOG", False)),
    )


def _all(
    kind: type[_T], scenario: str, here: Mapping[str, object], name: str, default: tuple[_T, ...] = ()
) -> tuple[_T, ...]:
    values = here.get(name, default)
    if not (isinstance(values, tuple) and all(isinstance(value, kind) for value in values)):
        raise ChainbootError(f"vm-tests/scenarios/{scenario}.py: {name} must be a tuple of {kind.__name__}")
    return values


def _settings(scenario: str, values: object) -> dict[str, str | int]:
    if not isinstance(values, dict):
        raise ChainbootError(f"vm-tests/scenarios/{scenario}.py: SETTINGS must be a dict of names and values")
    return {str(name): value if isinstance(value, int) else str(value) for name, value in values.items()}
