"""The machine of the demo and of most scenarios: a NixOS with five generations, one of them with a specialisation.

Pure data.
"""

from __future__ import annotations

from chainboot_vm.disks import Disk
from chainboot_vm.nixos import Generation, Specialisation, nixos_boot, root_directories

# loglevel=4 is what NixOS sets; panic= turns a payload that dies into a machine that is off, and a test that fails.
PARAMETERS = "console=ttysclp0 console=ttyS0 panic=10 loglevel=4"

SPECIALISATION = Specialisation("lowpower", f"{PARAMETERS} cpufreq.default_governor=powersave")

GENERATIONS = (
    Generation(1, PARAMETERS, "2024-03-02 09:15", "24.05pre-git", "6.1.79"),
    Generation(2, PARAMETERS, "2024-04-19 18:40", "24.05pre-git", "6.1.86"),
    Generation(3, PARAMETERS, "2024-05-11 08:05"),
    Generation(4, PARAMETERS, "2024-05-30 21:32", specialisations=(SPECIALISATION,)),
    Generation(5, f'{PARAMETERS} dyndbg="file drivers/usb/* +p"', "2024-06-01 12:00"),
)
NEWEST = GENERATIONS[-1]

# One for each generation, one for the specialisation, and nixos-default.
ENTRIES = 7

# The numbers of entries in the menu, which counts from 1: NixOS writes the newest first.
NUMBER_OF_GENERATION_4 = 3
NUMBER_OF_SPECIALISATION = 4
NUMBER_OF_GENERATION_3 = 5


def disk(label: str = "nixos", timeout: int = 50) -> Disk:
    """The root file system with /boot as a directory of it. `timeout` is in tenths of a second."""
    return Disk(label, {**root_directories(), **nixos_boot(GENERATIONS, timeout=timeout)})


def boot_disk(label: str, timeout: int = 50) -> Disk:
    """A file system of its own for /boot, with room for what is installed beside the generations."""
    return Disk(label, nixos_boot(GENERATIONS, timeout=timeout, directory=""), size_mib=192, kept=True)
