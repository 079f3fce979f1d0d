"""Every generation is bad: the menu waits for a person, who comes over SSH and boots one all the same."""

import json

from chainboot_vm import trials
from chainboot_vm.networked import Networked
from chainboot_vm.qemu import Network
from chainboot_vm.steps import menu_is_ready

SETTINGS = {**trials.SETTINGS, "trial_window": 0, "network_wait": 60}
NETWORKS = (Network(),)

WHY = "it panicked"
BAD = [trials.known(number, good=False, tries_done=2, why=WHY) for number in (5, 4)]
DISKS = (
    trials.disk(
        "trial-bad",
        {5: trials.failing(5, ""), 4: trials.failing(4, "")},
        files={trials.RECORD: trials.record(*BAD)},
    ),
)


def run(machine: Networked) -> None:
    machine.start(allow_reboot=True)
    machine.wait_for_console_text(r"No entry is known\s+to be good")
    menu_is_ready(machine, "3 entries")
    client = machine.ssh("boot")
    client.wait_for_ssh()
    listed = client.run("list", "--json")
    assert listed.code == 0, listed.stderr
    assert WHY in listed.stdout, listed.stdout
    assert json.loads(listed.stdout)["entries"], listed.stdout
    told = client.run("status").stdout
    assert "booting in" not in told, told
    booted = client.run("boot", trials.label(4))
    assert booted.code == 0, booted
    trials.is_up(machine, 4, trial=(3, 3))
