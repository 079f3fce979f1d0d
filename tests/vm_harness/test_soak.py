"""The script of `make soak` on a machine that does whatever is expected of it: what is chosen follows from the seed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import cast

import pytest

from chainboot_vm import soak_machine
from chainboot_vm.console import Console
from chainboot_vm.machine import MachineError
from chainboot_vm.networked import NetworkedQemuMachine
from chainboot_vm.soak import Soak


@dataclass
class Obedient:
    """A machine that shows what is waited for, and notes what is done to it. One wait of `never` fails."""

    never: str = "what nobody waits for"
    acts: list[str] = field(default_factory=list)
    consoles: tuple[Console, ...] = (Console(),)
    soak: Soak | None = None

    def start(self, allow_reboot: bool = False) -> None:
        assert allow_reboot

    def wait_for_console_text(self, regex: str) -> None:
        if self.never in regex:
            raise MachineError(f"the console did not say {regex}")

    def send_console(self, chars: str) -> None:
        self.acts.append(chars)

    def send_monitor_command(self, command: str) -> str:
        self.acts.append(command)
        return ""

    def set_carrier(self, up: bool) -> None:
        self.acts.append("link" if up else "no link")

    def ssh(self, _role: str) -> Obedient:
        return self

    def wait_for_ssh(self) -> float:
        return 0.0

    def run(self, *words: str) -> SimpleNamespace:
        self.acts.append(" ".join(("ssh", *words)))
        assert self.soak is not None
        broken = [soak_machine.label(number) for number in self.soak.model.broken]
        return SimpleNamespace(code=int(words[0] == "set-default" and words[1] in broken), stderr="")


def soak(seed: int, boots: int, never: str = "what nobody waits for") -> tuple[Soak, Obedient, list[str]]:
    machine, told = Obedient(never), list[str]()
    made = Soak(cast(NetworkedQemuMachine, machine), seed, boots, told.append)
    machine.soak = made
    return made, machine, told


def test_the_same_seed_does_the_same() -> None:
    acts = []
    for seed in (1, 1, 2):
        made, machine, _ = soak(seed, 50)
        made.perform()
        assert made.up == 50
        acts.append(machine.acts)
    assert acts[0] == acts[1] != acts[2]


def test_two_hundred_boots_do_everything() -> None:
    made, machine, _ = soak(7, 200)
    made.perform()
    kinds = {"timer", "choose", "edit", "boot over SSH", "wish over SSH", "cut link", "power cut"}
    assert {f"menu: {kind}" for kind in kinds} <= made.done.keys()
    wishes = {"next", "next --once", "rollback", "set-default", "break a kernel", "repair a kernel", "update"}
    assert {f"system: {wish}" for wish in wishes} <= made.done.keys()
    assert {f"end: {end}" for end in ("blessed", "unproved", "panic", "power cut", "given up")} <= made.done.keys()
    assert machine.acts.count("no link") == made.done["menu: cut link"]


def test_a_boot_that_ends_elsewhere_ends_it() -> None:
    made, _, told = soak(7, 200, never=re.escape("payload: generation 3"))
    with pytest.raises(MachineError):
        made.perform()
    assert 0 < made.up < 200
    assert f"boot {made.up} of 200" in told[-1]
