"""The next boot is asked for over SSH in the first stage: once, from then on, back, and set-default."""

from chainboot_vm import trials
from chainboot_vm.networked import Networked
from chainboot_vm.qemu import Network
from chainboot_vm.steps import ENTER

# The countdown is long enough for a word, and no longer.
SETTINGS = {**trials.SETTINGS, "network_wait": 60, "ssh_window": 15}
NETWORKS = (Network(),)
DISKS = (trials.disk("trial-ssh", {number: trials.failing(number, "") for number in (5, 4, 3)}, good=[5, 4, 3]),)


def run(machine: Networked) -> None:
    machine.start(allow_reboot=True)
    for words, number in (
        (("next", trials.label(3), "--once"), 3),
        ((), 5),
        (("rollback",), 4),
        (("next", "--clear"), 5),
        (("set-default", trials.label(3)), 3),
    ):
        if words:
            _say(machine, *words)
        trials.is_up(machine, number)
        machine.send_console(ENTER)


def _say(machine: Networked, *words: str) -> None:
    client = machine.ssh("edit")
    client.wait_for_ssh()
    done = client.run(*words)
    assert done.code == 0, done
