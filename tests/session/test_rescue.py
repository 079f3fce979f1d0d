"""The verb `chroot`: one at a time, written down, and everything is let go of, however it ends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from session.sessions import ANNA, BORIS, Machine, Sitting

from chainboot.boot.enter_plan import EnterPlan, Step
from chainboot.boot.plan import Command
from chainboot.errors import NotFoundError, RefusedError
from chainboot.listing import Json
from chainboot.process import Completed
from chainboot.session.request import Request
from chainboot.session.rescue import enter_system, plan, plan_json

PAGE = Path(__file__).parents[2] / "docs/json.md"


def entering(tmp_path: Path, *, up: tuple[Step, ...] = (), remarks: tuple[str, ...] = ()) -> EnterPlan:
    """A plan that mounts nothing."""
    return EnterPlan("nixos-42", str(tmp_path / "root"), up, (), ("/bin/login",), (("A", "b"),), (), (), (), remarks)


class Terminal:
    """What runs on the terminal, and what the others see meanwhile."""

    def __init__(self, other: Sitting) -> None:
        self.other = other
        self.ran: list[tuple[tuple[str, ...], dict[str, str] | None]] = []
        self.seen: list[str | None] = []

    def __call__(self, argv: list[str] | tuple[str, ...], *, extra_env: dict[str, str] | None = None) -> int:
        self.ran.append((tuple(argv), extra_env))
        self.seen.append(self.other.presence.claim_boot("x"))
        self.seen += [each.name for each in self.other.presence.others()]
        return 7


def enter(here: Sitting, decided: EnterPlan, terminal: Terminal) -> int:
    return enter_system(
        decided,
        here.machine.runner,
        terminal,
        person=here.person,
        presence=here.presence,
        log=here.log,
        look_again=here.shared.look_again,
        say=here.say,
    )


def test_whoever_is_inside_holds_the_countdown_and_the_right_to_boot(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    here, there = Sitting(machine, ANNA), Sitting(machine, BORIS)
    terminal = Terminal(there)
    assert enter(here, entering(tmp_path, remarks=("/data is left out \x1b[2J",)), terminal) == 7
    assert terminal.ran == [(("/bin/login",), {"A": "b"})]
    assert terminal.seen == [f"{ANNA.name} is inside the system of nixos-42", ANNA.name]
    assert here.said[0] == "chainboot: /data is left out \ufffd[2J"
    assert here.acts() == [
        f"{ANNA.name}: enters the system of nixos-42",
        f"{ANNA.name}: left the system of nixos-42",
    ]
    assert not there.presence.boot_claimed()
    assert there.shared.looks() == 1, "what was changed inside is to be seen"


def test_a_system_that_cannot_be_entered_leaves_nothing_behind(tmp_path: Path) -> None:
    machine = Machine(tmp_path, answers={"mount -t x": Completed((), 32, stderr="no such device")})
    here, there = Sitting(machine, ANNA), Sitting(machine, BORIS)
    decided = entering(tmp_path, up=(Step(("mount", "-t", "x")),))
    with pytest.raises(RefusedError, match="the system of nixos-42 was not entered: mount exited with 32"):
        enter(here, decided, Terminal(there))
    assert not there.presence.boot_claimed()
    assert here.acts()[-1] == f"{ANNA.name}: left the system of nixos-42"


DECIDED = EnterPlan(
    label="nixos-42",
    target="/run/x",
    up=(
        Step(("mkdir", "/run/x")),
        Step(("mount", "/dev/vda2", "/run/x"), "/"),
        Step(("mount", "-t", "proc", "proc", "/run/x/proc"), "/proc", create=True, needed=False),
        Step(("mount", "--make-private", "/run/x/proc"), after="/proc"),
    ),
    activate=("chroot", "/run/x", "activate"),
    command=("chroot", "/run/x", "sh", "-c", "a b"),
    environment=(("TERM", "dumb"),),
    unmount=(Command(("umount", "/run/x/proc")), Command(("umount", "/run/x"))),
    restore=(Command(("mount", "/dev/vda2", "/m")),),
    remarks=("/data is left out",),
)


def test_the_plan_for_a_program_has_every_step_and_every_field_is_documented() -> None:
    def step(
        *argv: str, mounts: str | None = None, create: bool = False, after: str | None = None, needed: bool = True
    ) -> Json:
        return {"argv": list(argv), "mounts": mounts, "create": create, "after": after, "needed": needed}

    found = plan_json(DECIDED)
    assert found == {
        "label": "nixos-42",
        "target": "/run/x",
        "up": [
            step("mkdir", "/run/x"),
            step("mount", "/dev/vda2", "/run/x", mounts="/"),
            step("mount", "-t", "proc", "proc", "/run/x/proc", mounts="/proc", create=True, needed=False),
            step("mount", "--make-private", "/run/x/proc", after="/proc"),
        ],
        "environment": [{"name": "TERM", "value": "dumb"}],
        "inside": [{"argv": ["chroot", "/run/x", "activate"]}, {"argv": ["chroot", "/run/x", "sh", "-c", "a b"]}],
        "down": [
            {"argv": ["umount", "/run/x/proc"]},
            {"argv": ["umount", "/run/x"]},
            {"argv": ["mount", "/dev/vda2", "/m"]},
        ],
        "remarks": ["/data is left out"],
    }
    text = DECIDED.describe()
    for said in ("sh -c 'a b'", "TERM=dumb", "umount /run/x/proc", "mount /dev/vda2 /m"):
        assert said in text, "the same as for a person"
    section = PAGE.read_text().partition("\n## chroot --dry-run --json\n")[2].partition("\n## ")[0]
    assert isinstance(found, dict)
    for name in (*found, "argv", "mounts", "create", "after", "needed", "name", "value"):
        assert f"`{name}`" in section, name


def test_a_plan_without_activation_runs_one_thing_inside() -> None:
    found = plan_json(replace(DECIDED, activate=()))
    assert isinstance(found, dict)
    assert found["inside"] == [{"argv": ["chroot", "/run/x", "sh", "-c", "a b"]}]


def test_nobody_enters_while_another_boots_or_is_inside(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    here, there = Sitting(machine, ANNA), Sitting(machine, BORIS)
    there.presence.claim_boot("boris boots nixos-41")
    terminal = Terminal(there)
    with pytest.raises(RefusedError, match="Not now: boris boots nixos-41"):
        enter(here, entering(tmp_path), terminal)
    assert terminal.ran == []
    assert there.presence.others() == ()
    assert here.acts() == []


def test_an_entry_that_is_not_there_has_no_plan(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    with pytest.raises(NotFoundError):
        plan(Request("chroot", "99"), machine.discover(), machine.runner)
