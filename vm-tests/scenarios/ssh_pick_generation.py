"""Over SSH a person chooses generation 3 in the menu, is told that the link closes, and it boots."""

import re

from chainboot.session.departure import BOOTING
from chainboot_vm import sample
from chainboot_vm.networked import Networked
from chainboot_vm.qemu import Network
from chainboot_vm.steps import ENTER, HOME, payload_is_up, session_is_dismissed, session_shows

DISKS = (sample.disk(),)
NETWORKS = (Network(),)
SETTINGS = {"ssh_window": 30, "ssh_grace": 5, "network_wait": 60}
# Without it the kernel's own `Run /init`, from which the figures count, stays in its log.
PARAMETERS = "loglevel=7"


def run(machine: Networked) -> None:
    machine.start()
    answered = machine.ssh().wait_for_ssh()
    began = machine.seconds_of("Run /init as init process")
    assert began is not None
    machine.note(f"figure: from Run /init to the SSH banner: {answered - began:.1f} s")
    session = machine.ssh("admin").open()
    taken = session_shows(session, f"{sample.ENTRIES} entries", "countdown stopped")
    machine.note(f"figure: from ssh to the menu: {taken:.1f} s")
    machine.wait_for_console_text("countdown held")
    assert any("anna@admin" in row for row in session.screen()), "the session does not say who it takes the person for"
    session.send(f"{HOME}{sample.NUMBER_OF_GENERATION_3}")
    session.wait_for(rf"(?m)^> {sample.NUMBER_OF_GENERATION_3} ")
    chosen = machine.seconds()
    session.send(ENTER)
    label = "nixos-3-default"
    session_is_dismissed(session, label)
    machine.note(f"figure: from the choice to the end of the client: {machine.seconds() - chosen:.1f} s")
    # Who sits at the console is told as well.
    machine.wait_for_console_text(re.escape(f"{BOOTING} {label}"))
    payload_is_up(machine, "3", sample.GENERATIONS[2].command_line())
