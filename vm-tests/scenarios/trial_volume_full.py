"""The volume is full. A record that is there needs no room: tries are counted. A first one cannot be made, in words."""

from chainboot_vm import trials
from chainboot_vm.machine import Machine

SETTINGS = {**trials.SETTINGS, "tries": 1}
DISKS = (trials.disk("trial-full", {5: trials.system(5), 4: trials.failing(4, trials.PANICS)}),)

# It ends when there is no room left, and says so.
FILL = "! dd if=/dev/zero of=/boot/fill bs=64k"


def run(machine: Machine) -> None:
    machine.start(allow_reboot=True)
    trials.is_up(machine, 5)
    trials.run(machine, FILL)
    trials.type_command(machine, "chainboot bless", 1, says="has no space left")
    trials.type_command(machine, "rm /boot/fill; chainboot bless")
    trials.type_command(machine, FILL)
    trials.type_command(machine, f"chainboot next {trials.label(4)}")
    trials.restart(machine)
    trials.is_up(machine, 4, trial=(1, 1))
    machine.wait_for_console_text("Kernel panic")
    trials.is_up(machine, 5)
    trials.run(machine, trials.SHOW, says=trials.in_record(4, "bad", done=1, why=".+"))
