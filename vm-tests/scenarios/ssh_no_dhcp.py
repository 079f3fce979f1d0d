"""No DHCP server answers: the menu is there at once and says so; once one answers, so does SSH."""

from chainboot_vm import sample
from chainboot_vm.networked import Networked
from chainboot_vm.qemu import Network
from chainboot_vm.steps import menu_is_ready, session_shows

DISKS = (sample.disk(timeout=0),)
NETWORKS = (Network(routed=False),)


def run(machine: Networked) -> None:
    machine.start()
    machine.wait_for_console_text("no address yet")
    menu_is_ready(machine, f"{sample.ENTRIES} entries", "waiting")
    machine.plug_in_router()
    machine.ssh().wait_for_ssh()
    machine.wait_for_console_text(r"ssh root@10\.0\.2\.15")
    session = machine.ssh("view").open()
    session_shows(session, f"{sample.ENTRIES} entries", "waiting")
    session.wait_for("vera@view .* may look")
    session.send("q")
    assert session.wait_for_exit() == 0
