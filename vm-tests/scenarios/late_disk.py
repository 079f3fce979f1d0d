"""The disk appears when the menu is already up: looking again finds it, and it boots."""

from dataclasses import replace

from chainboot.session.console import SHELL
from chainboot.session.state import NO_ENTRIES, READY
from chainboot_vm import sample
from chainboot_vm.machine import Machine
from chainboot_vm.qemu import plug
from chainboot_vm.steps import ENTER, menu_is_ready, payload_is_up

DISKS = (replace(sample.disk(timeout=0), attached=False),)
PARAMETERS = "chainboot.device_wait_ds=10"


def run(machine: Machine) -> None:
    machine.start()
    machine.wait_for_console_text(NO_ENTRIES)
    machine.send_monitor_command(plug(0))
    # The guest needs a moment to see the device, and no line on the console tells when. On PCI nobody has loaded its
    # driver yet (1af4 is virtio's vendor id), a channel subsystem has it built in.
    machine.send_console("s")
    machine.wait_for_console_text(SHELL)
    machine.send_console(
        "until grep -qs 1AF4 /sys/bus/pci/devices/*/modalias || test -e /sys/bus/virtio/devices/virtio0; do\n"
    )
    machine.send_console("sleep 1; done\n")
    machine.send_console("echo it is $((1))st on the bus; exit\n")
    machine.wait_for_console_text("it is 1st on the bus")
    # Whether the menu has looked again by itself or not, it does when it is told to.
    machine.wait_for_console_text(f"{READY}|{NO_ENTRIES}")
    machine.send_console("r")
    menu_is_ready(machine, f"{sample.ENTRIES} entries", "default nixos-default", "waiting")
    machine.send_console(ENTER)
    payload_is_up(machine, "5", sample.NEWEST.command_line())
