"""Two people over SSH and one at the console: one boots, and the others are told who and what."""

import re

from chainboot.session.departure import BOOTING
from chainboot_vm import sample
from chainboot_vm.networked import Networked
from chainboot_vm.qemu import Network
from chainboot_vm.steps import ENTER, HOME, menu_is_ready, payload_is_up, session_is_dismissed, session_shows

DISKS = (sample.disk(),)
NETWORKS = (Network(),)
SETTINGS = {"ssh_window": 60, "network_wait": 120}


def run(machine: Networked) -> None:
    machine.start()
    machine.ssh().wait_for_ssh()
    boris = machine.ssh("boot").open()
    session_shows(boris, "countdown stopped")
    anna = machine.ssh("admin").open()
    session_shows(anna, "countdown stopped")
    anna.wait_for(r"Held by boris@boot from 10\.0\.2\.2")
    boris.wait_for(r"Held by anna@admin from 10\.0\.2\.2")
    menu_is_ready(machine, "countdown held")

    anna.send(f"{HOME}{sample.NUMBER_OF_GENERATION_4}")
    anna.wait_for(rf"(?m)^> {sample.NUMBER_OF_GENERATION_4} ")
    anna.send(ENTER)
    label = "nixos-4-default"
    session_is_dismissed(anna, label)
    session_is_dismissed(boris, label, by="anna@admin from 10.0.2.2")
    machine.wait_for_console_text(rf"{re.escape(f'{BOOTING} {label}')}.*\(anna@admin from 10\.0\.2\.2\)")
    payload_is_up(machine, "4", sample.GENERATIONS[3].command_line())
