"""The loop of a session among others: the rescue shell, disks that appear, and who leaves."""

from __future__ import annotations

from pathlib import Path

import pytest
from nixos import usual_conf, write_root
from session.desk import sit
from session.sessions import ANNA, BORIS, VERA, Machine, Sitting

from chainboot.errors import ChainbootError
from chainboot.session.console import SHELL, SHELL_LEFT
from chainboot.session.departure import BOOTING, CLOSING
from chainboot.session.events import Key
from chainboot.session.output import TerminalGone

# -- the rescue shell


def test_the_rescue_shell_has_nothing_loaded_and_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chainboot.boot.kexec.is_loaded", lambda: True)
    machine = Machine(tmp_path)
    desk, script = sit(machine, (Key("s"),))
    desk.serve()
    assert desk.shells == 1
    assert machine.commands.count(("kexec", "-u")) == 2
    assert desk.said[0] == f"{SHELL}; 'exit' returns to the menu. Disks are mounted read-only below {tmp_path}/m."
    assert desk.said[1] == SHELL_LEFT
    assert script.seen[-1].endswith("countdown stopped"), "it does not count down under the person's hands"
    assert desk.acts() == ["somebody at ttyS0: opened a shell"]


def test_a_shell_that_cannot_start_is_a_sentence(tmp_path: Path) -> None:
    desk, script = sit(Machine(tmp_path), (Key("s"),))

    def broken() -> int:
        raise ChainbootError("/bin/sh could not be started")

    desk.console.rescue = broken
    desk.serve()
    assert script.messages[-1] == "/bin/sh could not be started"


def test_a_shell_does_not_unload_what_another_session_is_about_to_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chainboot.boot.kexec.is_loaded", lambda: True)
    machine = Machine(tmp_path)
    other = Sitting(machine, ANNA)
    desk, _ = sit(machine, (Key("s"),), until=30)

    def rescue() -> int:  # ended because the machine leaves
        machine.commands.clear()
        other.presence.claim_boot("nixos-41-default")
        other.shared.leave("booting", machine.now)
        return -1

    def gone(_seconds: float) -> None:
        raise TerminalGone

    desk.console.rescue = rescue
    desk.console.sleep = gone
    desk.serve()
    assert desk.said[-1] == "booting", "it follows once the shell has ended"
    assert ("kexec", "-u") not in machine.commands


# -- disks


def test_no_disk_is_said_and_a_disk_that_appears_is_found(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    (tmp_path / "sys/vda/size").write_text("0")
    desk, script = sit(machine)

    def plug_in() -> None:
        if script.asked == 4:
            (tmp_path / "sys/vda/size").write_text("8")

    script.happens = plug_in
    desk.serve()
    assert script.seen[0] == "chainboot: no entries: no disk was found"
    assert ("load-modules",) in machine.commands
    assert desk.said[0].startswith(f"{BOOTING} nixos-default"), "a machine that waited for its disk boots by itself"


def test_somebody_who_may_only_look_sees_a_disk_that_appears(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    (tmp_path / "sys/vda/size").write_text("0")
    desk, script = sit(machine, person=VERA, until=300)

    def plug_in() -> None:
        if script.asked == 4:
            (tmp_path / "sys/vda/size").write_text("8")

    script.happens = plug_in
    desk.serve()
    assert script.seen[-1].startswith("chainboot: menu ready: 7 entries")
    assert script.asked < 100, "it does not run around in circles"


def test_all_sessions_look_again_when_one_is_told_to(tmp_path: Path) -> None:
    machine = Machine(tmp_path, usual_conf(0))
    other = Sitting(machine, ANNA)
    desk, script = sit(machine, until=100)

    def ask() -> None:
        if script.asked == 2:
            write_root(tmp_path / "m/vdb", usual_conf(None).replace("nixos-", "other-"))
            (tmp_path / "sys/vdb").mkdir()
            (tmp_path / "sys/vdb/size").write_text("8")
            other.shared.look_again()

    script.happens = ask
    desk.serve()
    assert script.seen[0].startswith("chainboot: menu ready: 7 entries")
    assert script.seen[-1].startswith("chainboot: menu ready: 14 entries")
    assert machine.commands.count(("load-modules",)) == 1
    assert desk.shared.looks() == 1, "who looks because of another does not send the others looking in turn"


def test_a_person_who_looks_again_sends_all_looking(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    desk, _ = sit(machine, (Key("r"),), until=30)
    desk.serve()
    assert machine.commands.count(("load-modules",)) == 1
    assert desk.shared.looks() == 1


# -- leaving


def test_one_boots_and_the_other_console_is_told(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    other = Sitting(machine, ANNA)
    other.presence.claim_boot("anna boots nixos-41-default")
    desk, script = sit(machine, (Key("Enter"),))
    desk.serve()
    assert machine.loads() == []
    assert script.messages[-1] == "Not now: anna boots nixos-41-default."


def test_a_console_follows_when_another_session_leaves_and_is_back_when_that_fails(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    other = Sitting(machine, ANNA)
    desk, script = sit(machine, until=30)

    def leave() -> None:
        if script.asked == 2:
            other.presence.claim_boot("nixos-41-default")
            other.shared.leave("chainboot: booting nixos-41-default: NixOS (anna)", machine.now)

    def sleep(_seconds: float) -> None:
        desk.slept += 1
        if desk.slept == 3:
            other.presence.release_boot()
            other.shared.stay()

    script.happens = leave
    desk.console.sleep = sleep
    desk.serve()
    assert desk.said == ["chainboot: booting nixos-41-default: NixOS (anna)"]
    assert desk.slept == 3
    assert script.seen[-1].startswith("chainboot: menu ready")


def test_a_session_over_ssh_ends_when_another_session_leaves(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    other = Sitting(machine)
    desk, script = sit(machine, person=VERA)

    def leave() -> None:
        other.presence.claim_boot("nixos-41-default")
        other.shared.leave("chainboot: booting nixos-41-default: NixOS (somebody at ttyS0)", machine.now)

    script.happens = leave
    assert desk.serve() == 0
    assert desk.said == ["chainboot: booting nixos-41-default: NixOS (somebody at ttyS0)", CLOSING]
    assert not desk.presence.attached
    assert desk.slept == 0


def test_a_session_over_ssh_attaches_at_once_and_leaves_a_trace(tmp_path: Path) -> None:
    machine = Machine(tmp_path, usual_conf(30))
    other = Sitting(machine)
    desk, script = sit(machine, (Key("q"),), person=ANNA)
    others: list[str] = []
    script.happens = lambda: others.extend(each.name for each in other.presence.others())
    assert desk.serve() == 0
    assert others == [ANNA.name]
    assert other.presence.others() == ()
    assert script.seen[0].endswith("countdown stopped")
    assert desk.acts() == [f"{ANNA.name}: opened the menu", f"{ANNA.name}: left the menu"]


def test_a_session_over_ssh_that_says_nothing_is_not_taken_for_gone(tmp_path: Path) -> None:
    machine = Machine(tmp_path, usual_conf(30))
    desk, script = sit(machine, person=ANNA, until=20000)
    desk.serve()
    assert machine.loads() == []
    assert script.seen[-1].endswith("countdown stopped")


def test_a_session_over_ssh_boots_by_way_of_a_process_that_nobody_owns(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    desk, _ = sit(machine, (Key("Down"), Key("Enter")), person=BORIS)
    assert desk.serve() == 0
    assert desk.said[-1] == CLOSING
    assert ("kexec", "-e") not in machine.commands
    (act,) = desk.detached
    act()
    assert ("kexec", "-e") in machine.commands


def test_who_may_only_look_boots_nothing(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    desk, script = sit(machine, (Key("Enter"),), (Key("s"),), (Key("e"),), (Key("r"),), person=VERA, until=30)
    desk.serve()
    assert machine.acts() == []
    assert desk.shells == 0
    assert {state.notice for state in script.states} == {
        "",
        "You may look, and boot nothing.",
        "A shell is not available here.",
        "Command lines may not be edited here.",
        "Looking again is not available here.",
    }


def test_a_terminal_that_breaks_while_it_is_opened_is_a_hangup(tmp_path: Path) -> None:
    desk, script = sit(Machine(tmp_path), person=ANNA)

    def gone() -> None:
        raise TerminalGone

    script.happens = gone
    assert desk.serve() == 0
    assert desk.acts()[-1] == f"{ANNA.name}: left the menu"
