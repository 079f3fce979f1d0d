"""From nothing to a machine that is reached: zipl installs chainboot, the disk starts it, SSH picks a generation.

A system on the machine installs it on the volume of its /boot. From then on nothing is loaded from outside: the
machine's own firmware starts what zipl has put on the disk.
"""

from __future__ import annotations

import json

from chainboot.session.console import SHELL
from chainboot_vm import sample
from chainboot_vm.networked import Networked
from chainboot_vm.payload import PANIC
from chainboot_vm.qemu import Network, load_parameter
from chainboot_vm.steps import ENTER, menu_is_ready, payload_is_up, session_is_dismissed, session_shows

ARCHITECTURES = ("s390x",)
DISKS = (sample.boot_disk("zipl"),)
NETWORKS = (Network(),)
SETTINGS = {"ssh_window": 8, "network_wait": 60}
INSTALL = "loglevel=4"

# What the machine's own firmware says before it loads anything.
FIRMWARE = "LOADPARM="

BEFORE_THE_LAST = sample.GENERATIONS[3]


def run(machine: Networked) -> None:
    machine.start(allow_reboot=True)
    menu_is_ready(machine, f"{sample.ENTRIES} entries", "default nixos-default")
    client = machine.ssh("boot")
    client.wait_for_ssh()
    with machine.subtest("the generations are listed over SSH, and the one before the last is booted"):
        session = client.open()
        session_shows(session, f"{sample.ENTRIES} entries")
        # The server may be taking over with the volume's keys at this moment; a person would call again.
        client.wait_for_ssh()
        listed = client.run("list", "--json")
        assert listed.code == 0, listed.stderr
        labels = [entry["label"] for entry in json.loads(listed.stdout)["entries"]]
        assert labels.index(f"nixos-{BEFORE_THE_LAST.number}-default") == sample.NUMBER_OF_GENERATION_4 - 1, labels
        session.send(f"{sample.NUMBER_OF_GENERATION_4}{ENTER}")
        session_is_dismissed(session, f"nixos-{BEFORE_THE_LAST.number}-default")
        payload_is_up(machine, "4", BEFORE_THE_LAST.command_line())
    with machine.subtest("after a reset the default is booted by itself"):
        machine.send_monitor_command("system_reset")
        menu_is_ready(machine, "default nixos-default", "booting in")
        payload_is_up(machine, "5", sample.NEWEST.command_line())
    with machine.subtest("a panic and a `reboot` of the booted system lead back to the menu"):
        for wish in (PANIC, ""):
            machine.send_console(f"{wish}{ENTER}")
            machine.wait_for_console_text(FIRMWARE)
            menu_is_ready(machine, "default nixos-default", "booting in")
            if wish:
                payload_is_up(machine, "5", sample.NEWEST.command_line())
    with machine.subtest("`reboot` and a panic of the first stage both load it from the same disk again"):
        admin = machine.ssh("admin")
        admin.wait_for_ssh()
        assert admin.run("reboot").code == 0
        machine.wait_for_console_text(FIRMWARE)
        menu_is_ready(machine, "booting in")
        machine.send_console("s")
        machine.wait_for_console_text(SHELL)
        # It has booted something, so the next install keeps it.
        machine.send_console("ls -d /run/chainboot/volumes/*/chainboot/first-stage/*/proved\n")
        machine.wait_for_console_text("/chainboot/first-stage/[0-9a-f]{12}/proved")
        machine.send_console("echo c >/proc/sysrq-trigger\n")
        machine.wait_for_console_text("Kernel panic")
        machine.wait_for_console_text(FIRMWARE)
        menu_is_ready(machine, "booting in")
    with machine.subtest("LOADPARM 3 is the default entry without chainboot"):
        for command in load_parameter("3"):
            machine.send_monitor_command(command)
        payload_is_up(machine, "5", sample.NEWEST.command_line(), counted=False)
