"""`make soak`: one machine, started again and again, with random choices, edits, wishes, failures and cut links.

Everything follows from the seed. What must come up each time is what `soak_model.py` says; each boot is held to it:
the generation, its command line, the try that it is told, and what the record says of it once it is blessed.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from random import Random

from chainboot.errors import ChainbootError
from chainboot.session.departure import BOOTING
from chainboot.session.state import EDITING, READY
from chainboot_vm import payload, trials
from chainboot_vm.access import ROLES
from chainboot_vm.additions import Additions
from chainboot_vm.architecture import ARCHITECTURES, architecture
from chainboot_vm.networked import NetworkedQemuMachine
from chainboot_vm.qemu import Network
from chainboot_vm.run import perform, prepare
from chainboot_vm.scenario import Scenario
from chainboot_vm.soak_machine import GOOD, IMAGE, NUMBERS, SETTINGS, digest, disk, generation, label, update
from chainboot_vm.soak_model import Entry, Model, Trial
from chainboot_vm.steps import ENTER, HOME, payload_is_up
from chainboot_vm.sysroot import fetch

BOOTS: Mapping[str, int] = {"x86_64": 200, "s390x": 50}

# What is done in the menu, and how often of a hundred.
_MENU = {"timer": 56, "choose": 14, "edit": 8, "boot over SSH": 5, "wish over SSH": 5, "cut link": 6, "power cut": 6}
# What is done in the system before it ends, and how it ends.
_MEANWHILE = {"nothing": 42, "wish": 20, "break or repair": 14, "update": 24}
_END = {"blessed": 46, "unproved": 16, "panic": 12, "power cut": 12, "given up": 14}


class Soak:
    """One run. `boots` is how many times a system has to come up."""

    def __init__(self, machine: NetworkedQemuMachine, seed: int, boots: int, say: Callable[[str], None]) -> None:
        self.random = Random(seed)
        self.model = Model(NUMBERS[0], {number: Entry(left=2) for number in NUMBERS})
        self.revisions = dict.fromkeys(NUMBERS, 0)
        for number in GOOD:
            self.model.entries[number] = Entry(0, good=True, boots=trials.BOOTS)
        self.done: Counter[str] = Counter()
        self.up = 0
        self._machine = machine
        self._boots = boots
        self._say = say

    def perform(self) -> None:
        """Raises as scenarios do, at the first boot that ends elsewhere than the model says."""
        self._machine.start(allow_reboot=True)
        while self.up < self._boots:
            began = time.monotonic()
            told = self._turn()
            self._say(f"boot {self.up} of {self._boots}: {told} ({time.monotonic() - began:.1f} s)")

    def _turn(self) -> str:
        """From the start of the first stage to the next."""
        act = self._pick(_MENU)
        linked = act != "cut link"
        self._machine.set_carrier(linked)
        self._machine.wait_for_console_text(re.escape(READY))
        started = self._at_menu(act)
        if started is None:
            return f"menu: {act}"
        number, trial, edited = started
        revision = self.revisions[number]
        given = generation(number, revision).command_line()
        if edited:
            payload_is_up(self._machine, str(number), f"{given} {edited}", counted=False)
        else:
            payload_is_up(self._machine, str(number), given, entry=digest(number, revision), trial=trial)
        self.up += 1
        end = self._in_system(number, trial, counted=not edited)
        counted = "edited" if edited else "good" if trial is None else "trial {} of {}".format(*trial)
        return f"{act}: generation {number} ({counted}), {end}"

    # -- in the menu

    def _at_menu(self, act: str) -> tuple[int, Trial, str] | None:
        """What boots, as which try, and words that were added; None where the machine starts anew instead."""
        if act in ("timer", "cut link") or not self._stopped():
            return self._by_itself(act)
        self.done[f"menu: {act}"] += 1
        number = self.random.choice([number for number in NUMBERS if number not in self.model.broken])
        match act:
            case "choose":
                self._machine.send_console(f"{self._row(number)}{ENTER}")
            case "edit":
                word = f"soak={self.random.randrange(1000)}"
                self._machine.send_console(f"{self._row(number)}e")
                self._machine.wait_for_console_text(EDITING)
                self._machine.send_console(f" {word}{ENTER}")
                return number, None, word
            case "boot over SSH":
                self._over_ssh("boot", label(number))
            case "wish over SSH":
                self._wish_over_ssh()
                self._power_cut()
                return None
            case _:
                self._power_cut()
                return None
        return number, self.model.boots(number), ""

    def _by_itself(self, act: str) -> tuple[int, Trial, str]:
        self.done[f"menu: {act if act == 'cut link' else 'timer'}"] += 1
        booted = self.model.boots_by_itself()
        assert booted is not None, "the model has nothing to boot: too much is broken"
        return *booted, ""

    def _stopped(self) -> bool:
        """Whether the countdown could be stopped before its end."""
        lines = self._machine.consoles[0].lines
        before = len(lines)
        self._machine.send_console(HOME)
        self._machine.wait_for_console_text(f"countdown stopped|{re.escape(BOOTING)}")
        return not any(BOOTING in line.text for line in lines[before:])

    def _row(self, number: int) -> int:
        """Its number in the menu, where the first is called the default."""
        if number == NUMBERS[0] and self.random.random() < 0.5:
            return 1
        return NUMBERS.index(number) + 2

    def _over_ssh(self, *words: str, code: int = 0) -> None:
        client = self._machine.ssh("edit")
        client.wait_for_ssh()
        done = client.run(*words)
        assert done.code == code, f"{' '.join(words)}: exit code {done.code}: {done.stderr}"

    def _wish_over_ssh(self) -> None:
        words, change = self._wish(self.model.decided() or self.model.default)
        self._over_ssh(*words, code=0 if change else _REFUSED)
        if change:
            change()

    # -- in the system

    def _in_system(self, number: int, trial: Trial, *, counted: bool) -> str:
        """What is done in the system that has come up, and how it ends; in words."""
        machine = self._machine
        machine.wait_for_console_text(re.escape(payload.COMMANDS))
        revision = self.revisions[number]
        meanwhile = self._pick(_MEANWHILE) if counted else "nothing"
        did = ""
        if meanwhile == "wish":
            words, change = self._wish(number)
            did = " ".join(words)
            self._command(f"chainboot {did}", 0 if change else _REFUSED)
            if change:
                change()
            self.done[f"system: {words[0]}{' --once' if '--once' in words else ''}"] += 1
            did += ", "
        elif meanwhile == "update":
            did = f"{self._update()}, "
        elif meanwhile != "nothing":
            did = f"{self._break_or_repair()}, "
        end = self._pick(_END)
        if end == "given up" and trial is None:
            end = "unproved"
        self.done[f"end: {end}"] += 1
        # What runs is the entry as it was when it was started.
        self._end(number, end, counted=counted and revision == self.revisions[number])
        return f"{did}{end}"

    def _end(self, number: int, end: str, *, counted: bool) -> None:
        machine = self._machine
        match end:
            case "blessed":
                self._command("chainboot bless")
                if counted:
                    self.model.blesses(number)
                    self._is_in_record(number)
            case "panic":
                machine.send_console("echo c >/proc/sysrq-trigger\n")
                return
            case "power cut":
                self._power_cut()
                return
            case "given up":
                self._command("chainboot expire")
                self._command("chainboot bless", 1)
            case _:
                pass
        machine.send_console(ENTER)

    def _is_in_record(self, number: int) -> None:
        boots = self.model.entries[number].boots
        line = trials.in_record(digest(number, self.revisions[number]), "good", boots=boots)
        trials.type_command(self._machine, trials.SHOW, says=line)

    def _wish(self, current: int) -> tuple[tuple[str, ...], Callable[[], object] | None]:
        """Words for `chainboot`, here or over SSH, and what they mean in the model; None where they are refused."""
        model = self.model
        number = self.random.choice(NUMBERS)
        others = [each for each, entry in model.entries.items() if entry.good and each != current]
        kind = self.random.choice(["once", "once", "stays", "clear", "rollback", "default"])
        match kind:
            case "once":
                return ("next", label(number), "--once"), lambda: model.asks(number, once=True)
            case "stays":
                return ("next", label(number)), lambda: model.asks(number, once=False)
            case "rollback" if others:
                return ("rollback",), lambda: model.rolls_back(current)
            case "default" if number in model.broken:
                return ("set-default", label(number)), None
            case "default":
                return ("set-default", label(number)), lambda: model.sets_default(number)
            case _:
                return ("next", "--clear"), model.clears

    def _update(self) -> str:
        """What an update does: a generation with another command line; in words."""
        number = self.random.choice(NUMBERS)
        self.revisions[number] += 1
        self._command(f"{update(number, self.revisions[number])} && {_SETTLE}")
        self.model.updates(number)
        self.done["system: update"] += 1
        return f"update {number}"

    def _break_or_repair(self) -> str:
        """Cut a generation's kernel off, or make it whole; which, in words. At most two of four are broken."""
        model = self.model
        number = self.random.choice(NUMBERS)
        if number not in model.broken and len(model.broken) == 2:
            number = self.random.choice(sorted(model.broken))
        file = f"/boot/nixos/{generation(number).kernel_file}"
        if number in model.broken:
            self._command(f"mv {file}.whole {file} && {_SETTLE}")
            model.broken.discard(number)
            what = "repair"
        else:
            self._command(f"mv {file} {file}.whole && head -c 3000000 {file}.whole >{file} && {_SETTLE}")
            model.broken.add(number)
            what = "break"
        self.done[f"system: {what} a kernel"] += 1
        return f"{what} {number}"

    def _command(self, words: str, code: int = 0) -> None:
        trials.type_command(self._machine, words, code)

    def _power_cut(self) -> None:
        """The power is gone and comes back; nothing that the system has in memory is written."""
        self._machine.send_monitor_command("system_reset")

    def _pick(self, weights: Mapping[str, int]) -> str:
        return self.random.choices(list(weights), list(weights.values()))[0]


# The exit code where an entry that cannot be loaded is to be the default.
_REFUSED = 1

# The file system is whole for a reader that replays no journal.
_SETTLE = "mount -o remount,ro /boot && mount -o remount,rw /boot"


def main() -> None:
    """`python -m chainboot_vm.soak [--arch NAME] [--boots N] [--seed N]`"""
    parser = argparse.ArgumentParser(prog="python -m chainboot_vm.soak", description=__doc__)
    parser.add_argument("--arch", default="x86_64", choices=[row.name for row in ARCHITECTURES])
    parser.add_argument("--boots", type=int, help="how many systems come up (default: 200 on x86_64, 50 on s390x)")
    parser.add_argument("--seed", type=int, default=7, help="default: %(default)s")
    options = parser.parse_args()
    boots = options.boots or BOOTS[options.arch]
    began = time.monotonic()
    soaks: list[Soak] = []

    def say(what: str) -> None:
        print(f"[{time.monotonic() - began:7.1f}] {what}", flush=True)

    def soak(machine: NetworkedQemuMachine) -> None:
        soaks.append(Soak(machine, options.seed, boots, say))
        soaks[0].perform()

    additions = Additions(SETTINGS, ROLES, host_key=True)
    found = Scenario("soak", "soak", (disk(),), soak, IMAGE, "", 1, (Network(),), additions)
    try:
        ready = prepare(found, fetch(architecture(options.arch), say=say), say=say)
    except ChainbootError as error:
        sys.exit(f"error: {error}" + (f"\n(hint) {error.hint}" if error.hint else ""))
    outcome = perform(ready, lambda _: None)
    for what, count in sorted(soaks[0].done.items()):
        print(f"  {what:<28}{count:>5}")
    how = "all ended where the model says" if outcome.failure is None else f"FAILED: {outcome.failure}"
    print(f"{options.arch}, seed {options.seed}: {soaks[0].up} boots of {boots} in {outcome.seconds:.0f} s: {how}")
    sys.exit(0 if outcome.failure is None else 1)


if __name__ == "__main__":
    main()
