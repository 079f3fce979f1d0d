"""No network ever comes: the countdown waits for it as long as is set, and no longer."""

from chainboot_vm import sample
from chainboot_vm.networked import Networked
from chainboot_vm.qemu import Network
from chainboot_vm.steps import menu_is_ready, payload_is_up

DISKS = (sample.disk(),)
NETWORKS = (Network(routed=False),)
# Counted from the kernel's start, which takes its time under emulation.
SETTINGS = {"network_wait": 40, "ssh_window": 5}


def run(machine: Networked) -> None:
    machine.start()
    menu_is_ready(machine, "countdown not begun")
    menu_is_ready(machine, "booting in 5 s")
    payload_is_up(machine, "5", sample.NEWEST.command_line())
