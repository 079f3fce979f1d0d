"""IBM Z with `cio_ignore=all`: disk and network are there because the setting s390x.devices brings them, and no others.

One device that is named does not exist: it costs itself and a sentence, and no time of the others.
"""

from __future__ import annotations

from chainboot.session.console import SHELL
from chainboot_vm import sample
from chainboot_vm.networked import Networked
from chainboot_vm.qemu import Network
from chainboot_vm.steps import menu_is_ready, payload_is_up

ARCHITECTURES = ("s390x",)
# In the order of the command line QEMU gives them the numbers 0.0.0000 to 0.0.0002.
DISKS = (sample.disk(timeout=600), sample.disk(label="hidden"))
NETWORKS = (Network(),)
PARAMETERS = "cio_ignore=all,!condev"
SETTINGS = {"s390x.devices": "ccw:0.0.0000,dasd:0.0.0150,ccw:0.0.0002"}


def run(machine: Networked) -> None:
    machine.start()
    machine.wait_for_console_text("dasd 0.0.0150 is not online: there is no device 0.0.0150")
    menu_is_ready(machine, f"{sample.ENTRIES} entries")
    machine.ssh("admin").wait_for_ssh()
    machine.send_console("s")
    machine.wait_for_console_text(SHELL)
    machine.send_console("cat /run/chainboot/devices; ls -1d /sys/bus/ccw/devices/*; cat /proc/cio_ignore\n")
    machine.send_console("echo that is $((1))t\n")
    machine.wait_for_console_text(r"0\.0\.0000 ccw online\n0\.0\.0150 dasd failed: .*\n0\.0\.0002 ccw online\n")
    # The other disk and all that was not named stay ignored.
    machine.wait_for_console_text("ccw/devices/0.0.0000\n.*ccw/devices/0.0.0002\n0.0.0001\n0.0.0003-0.0.014f\n")
    machine.wait_for_console_text("that is 1t")
    machine.send_console("exit\n")
    menu_is_ready(machine, f"{sample.ENTRIES} entries")
    machine.send_console("1\r")
    payload_is_up(machine, "5", sample.NEWEST.command_line())
