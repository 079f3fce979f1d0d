"""The command line is edited for this boot, at its start and at its end, and arrives as it was edited."""

from chainboot.session.state import EDITING
from chainboot_vm import sample
from chainboot_vm.machine import Machine
from chainboot_vm.steps import ENTER, control, payload_is_up, stop_countdown

DISKS = (sample.disk(),)


def run(machine: Machine) -> None:
    machine.start()
    stop_countdown(machine)
    machine.send_console(f"{sample.NUMBER_OF_GENERATION_3}e")
    machine.wait_for_console_text(f"{EDITING} nixos-3-default")
    # Typed at the end, where the cursor is; the last word is taken back, then the blank before it.
    machine.send_console(f" systemd.unit=rescue.target mistake{control('w')}\x7f")
    machine.send_console(f"{control('a')}first=1 {ENTER}")
    configured = sample.GENERATIONS[2].command_line()
    payload_is_up(machine, "3", f"first=1 {configured} systemd.unit=rescue.target", counted=False)
