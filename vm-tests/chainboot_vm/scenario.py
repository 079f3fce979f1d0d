"""Scenarios: one file each in vm-tests/scenarios. The directory is the list.

Knows what a scenario file may say; starts nothing.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from chainboot.errors import ChainbootError, NotFoundError
from chainboot_vm.disks import Disk
from chainboot_vm.first_stage import COMPLETE, Variant
from chainboot_vm.machine import QemuMachine

DIRECTORY = Path(__file__).resolve().parents[1] / "scenarios"


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario file. What it may define, and the default of each:

    `DISKS`, none; `run(machine)`, required, as is a docstring; `IMAGE`, the complete one; `PARAMETERS`, further words
    for the first stage's kernel command line; `CONSOLES`, how many serial consoles there are, one.
    """

    name: str
    summary: str
    disks: tuple[Disk, ...]
    run: Callable[[QemuMachine], None]
    image: Variant
    parameters: str
    consoles: int


def names() -> tuple[str, ...]:
    """The name of every scenario, in order."""
    return tuple(sorted(path.stem for path in DIRECTORY.glob("*.py") if not path.stem.startswith("_")))


def load(name: str) -> Scenario:
    """The scenario `name`. Raises `NotFoundError` with the names there are, `ChainbootError` for a file that is odd."""
    if name not in names():
        raise NotFoundError(f"there is no scenario {name}", hint=f"there is: {', '.join(names())}")
    module = importlib.import_module(f"scenarios.{name}")
    here = vars(module)
    disks, image = here.get("DISKS", ()), here.get("IMAGE", COMPLETE)
    parameters, consoles, run = here.get("PARAMETERS", ""), here.get("CONSOLES", 1), here.get("run")
    if not (module.__doc__ and callable(run)):
        raise ChainbootError(f"vm-tests/scenarios/{name}.py must have a docstring and run(machine)")
    if not (isinstance(disks, tuple) and all(isinstance(disk, Disk) for disk in disks)):
        raise ChainbootError(f"vm-tests/scenarios/{name}.py: DISKS must be a tuple of Disk")
    if not (isinstance(image, Variant) and isinstance(parameters, str) and isinstance(consoles, int)):
        raise ChainbootError(f"vm-tests/scenarios/{name}.py: IMAGE, PARAMETERS or CONSOLES is of the wrong type")
    return Scenario(name, module.__doc__.strip().partition("\n")[0], disks, run, image, parameters, consoles)
