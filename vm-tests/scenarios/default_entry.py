"""Nobody is there: the countdown ends and the default boots, with its own command line and initrd."""

from chainboot_vm import sample
from chainboot_vm.machine import Machine
from chainboot_vm.steps import menu_is_ready, payload_is_up

DISKS = (sample.disk(timeout=20),)


def run(machine: Machine) -> None:
    machine.start()
    menu_is_ready(machine, f"{sample.ENTRIES} entries", "default nixos-default", "booting in")
    payload_is_up(machine, "5", sample.NEWEST.command_line())
