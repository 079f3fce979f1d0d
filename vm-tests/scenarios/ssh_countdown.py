"""The countdown is held by a session, not by one that was killed or whose link was cut; `hold` outlives sessions."""

import json

from chainboot_vm import sample
from chainboot_vm.networked import Networked
from chainboot_vm.qemu import Network
from chainboot_vm.steps import menu_is_ready, payload_is_up, session_shows

DISKS = (sample.disk(),)
NETWORKS = (Network(),)
# Under emulation it takes many seconds to log in; the grace period must leave room for that.
SETTINGS = {"ssh_window": 60, "ssh_grace": 45, "network_wait": 120}

# Seconds until a link that was cut must be noticed: the server asks three times at five seconds' distance, and
# emulation has its own idea of seconds.
NOTICED = 30


def run(machine: Networked) -> None:
    machine.start()
    anna, boris = machine.ssh("admin"), machine.ssh("boot")
    anna.wait_for_ssh()
    first = anna.open()
    session_shows(first, "countdown stopped")
    menu_is_ready(machine, "countdown held")

    with machine.subtest("a client that is killed: the countdown goes on"):
        first.kill()
        menu_is_ready(machine, "booting in")

    with machine.subtest("`hold` needs no session; a session that comes holds as well"):
        held = boris.run("hold", "--json")
        assert held.code == 0, held.stderr
        status = json.loads(held.stdout)
        assert status["countdown"] == "held", status
        assert status["held_by"].startswith("boris@boot"), status
        menu_is_ready(machine, "countdown held")
        second = anna.open()
        session_shows(second, "countdown stopped")
        second.wait_for("boris@boot")
        resumed = boris.run("resume", "--json")
        assert resumed.code == 0, resumed.stderr
        status = json.loads(resumed.stdout)
        assert status["countdown"] == "held", status
        assert status["held_by"] is None, status
        assert [each["name"].split()[0] for each in status["attached"]] == ["anna@admin"], status
        session_shows(second, "countdown stopped")

    with machine.subtest("a link that is cut: noticed, and the default boots by itself"):
        machine.set_carrier(up=False)
        machine.wait_for_console_text("booting in", NOTICED)
        payload_is_up(machine, "5", sample.NEWEST.command_line())
