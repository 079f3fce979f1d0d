"""The loop of a session: menu, act, come back. Terminal, programs and disks are handed in."""

from __future__ import annotations

from pathlib import Path

import pytest
from kernels import arm64_image
from nixos import KERNEL, usual_conf, write_root
from session.sessions import ANNA, BORIS, CONSOLE, HOST, SERVED, VERA, Machine, Script, Sitting

from chainboot.errors import ChainbootError
from chainboot.process import Completed
from chainboot.session.console import NOT_BOOTED, SHELL, SHELL_LEFT, Console
from chainboot.session.departure import BOOTING, CLOSING
from chainboot.session.events import EndOfInput, Event, Key
from chainboot.session.output import TerminalGone
from chainboot.session.person import Person
from chainboot.settings import Settings

FAILING = {"kexec -a -l": Completed((), 255, stderr="cannot load")}


class Desk(Sitting):
    """A session with a menu over a machine."""

    def __init__(
        self, machine: Machine, script: Script, person: Person = CONSOLE, *, settings: Settings | None = None
    ) -> None:
        super().__init__(machine, person, settings=settings)
        self.shells = 0
        self.slept = 0
        self.console = Console(
            run=machine.runner,
            overview=self.overview,
            departure=self.departure,
            log=self.log,
            rescue=self.shell,
            open_terminal=script.open,
            say=self.say,
            host=lambda: HOST,
            sleep=self.sleep,
            sys_block=str(machine.path / "sys"),
            mounts=str(machine.path / "m"),
        )

    def shell(self) -> int:
        self.shells += 1
        return 7

    def sleep(self, seconds: float) -> None:
        self.slept += 1
        self.machine.now += round(seconds * 10)
        if self.slept > 200:
            raise AssertionError("this session waits for ever")

    def serve(self) -> int:
        return self.console.serve()


def sit(
    machine: Machine, *batches: tuple[Event, ...], person: Person = CONSOLE, until: int = 2000
) -> tuple[Desk, Script]:
    script = Script(machine, *batches, until=until)
    return Desk(machine, script, person), script


# -- the timer


def test_the_default_boots_by_itself_and_the_disk_is_taken_down(tmp_path: Path) -> None:
    machine = Machine(tmp_path, usual_conf(30), answers={"kexec -e": Completed((), 1, stderr="stop here")})
    desk, script = sit(machine)
    desk.serve()
    assert script.seen[0] == "chainboot: menu ready: 7 entries, default nixos-default, booting in 3 s"
    jump = machine.commands.index(("kexec", "-e"))
    assert machine.commands[jump - 1] == ("umount", f"{tmp_path}/m/vda")
    assert desk.said[0] == f"{BOOTING} nixos-default: NixOS - Default"
    assert desk.acts()[0] == "the timer: boots nixos-default"


def test_a_default_that_does_not_load_gives_way_to_the_next_by_itself(tmp_path: Path) -> None:
    machine = Machine(tmp_path, usual_conf(10), answers=FAILING)
    desk, script = sit(machine)
    desk.serve()
    assert [act.split()[-1] for act in desk.acts() if ": boots " in act] == [
        "nixos-default",
        "nixos-42-default",
        "nixos-42-hardened",
        "nixos-41-default",
        "nixos-40-default",
        "nixos-39-default",
        "nixos-38-default",
    ]
    assert "No entry is left that could boot by itself." in script.messages[-1]
    assert script.seen[-1].endswith("waiting")


def test_the_next_entry_has_its_window_and_not_the_one_that_ssh_gets(tmp_path: Path) -> None:
    machine = Machine(tmp_path, usual_conf(10), answers=FAILING, reach=SERVED)
    desk, script = sit(machine, until=200 + 50)
    desk.serve()
    assert script.seen[0].endswith("booting in 20 s")
    assert "chainboot: menu ready: 7 entries, default nixos-42-default, booting in 5 s" in script.seen


def test_what_did_not_load_for_one_is_passed_over_by_all(tmp_path: Path) -> None:
    machine = Machine(tmp_path, usual_conf(10), answers=FAILING)
    first, _ = sit(machine, until=20)
    first.serve()
    other, script = sit(machine, until=21)
    other.serve()
    assert "default nixos-42-default" in script.seen[0]
    assert script.messages[0] == (
        "nixos-default cannot boot: nixos-default was not booted: kexec exited with 255: cannot load. "
        "nixos-42-default is next."
    )


def test_a_person_at_another_console_holds_the_countdown(tmp_path: Path) -> None:
    machine = Machine(tmp_path, usual_conf(30))
    other = Sitting(machine)
    other.presence.attach()
    desk, script = sit(machine)
    script.happens = lambda: other.presence.detach() if script.asked == 50 else None
    desk.serve()
    assert script.seen[0].endswith("countdown held")
    assert desk.said[0].startswith(BOOTING)
    assert "booting in 30 s" in " ".join(script.seen), "whoever lost the link gets the grace period"
    assert script.asked > 50


def test_a_person_who_came_in_the_last_second_is_not_overlooked(tmp_path: Path) -> None:
    machine = Machine(tmp_path, usual_conf(30))
    other = Sitting(machine, ANNA)
    desk, script = sit(machine)

    def come() -> None:
        if machine.now >= 20:
            other.presence.attach()
            machine.now = 30

    script.happens = come
    script.until = 100
    desk.serve()
    assert machine.loads() == []
    assert script.seen[-1].endswith("countdown held")


def test_a_hold_of_the_last_second_is_not_overlooked(tmp_path: Path) -> None:
    machine = Machine(tmp_path, usual_conf(30))
    other = Sitting(machine, ANNA)
    desk, script = sit(machine, until=100)

    def hold() -> None:
        if machine.now == 20:
            other.presence.hold()
            machine.now = 30

    script.happens = hold
    desk.serve()
    assert machine.loads() == []


def test_the_total_timeout_boots_though_somebody_is_in_a_shell_at_another_console(tmp_path: Path) -> None:
    machine = Machine(tmp_path, usual_conf(0) + "TOTALTIMEOUT 300\n")
    other = Sitting(machine)
    other.presence.attach()
    desk, script = sit(machine, until=320)
    desk.serve()
    assert desk.said[:1] == [f"{BOOTING} nixos-default: NixOS - Default"]
    assert script.asked < 100, "a view that cannot boot does not look for disks as fast as it can"


def test_two_consoles_whose_timers_end_together_boot_once_and_say_nothing_wrong(tmp_path: Path) -> None:
    machine = Machine(tmp_path, usual_conf(30))
    other = Sitting(machine)
    desk, script = sit(machine, until=60)

    def end_first() -> None:
        if machine.now == 20:
            assert other.presence.claim_boot("nixos-default") is None
            machine.now = 30  # and its kernel takes a while to load

    def sleep(_seconds: float) -> None:
        desk.slept += 1
        if desk.slept == 3:
            other.shared.leave("chainboot: booting nixos-default: NixOS (the timer)")
        if desk.slept == 6:  # that was it
            raise TerminalGone

    script.happens = end_first
    desk.console.sleep = sleep
    desk.serve()
    assert desk.said == ["chainboot: booting nixos-default: NixOS (the timer)"]
    assert desk.acts() == []
    assert desk.overview.countdown().deadline_ds == 30, "the countdown of all is not this session's to restart"


# -- a person


def test_a_chosen_entry_boots(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    desk, _ = sit(machine, (Key("Down"), Key("Down"), Key("Enter")))
    desk.serve()
    assert desk.said[0].startswith(f"{BOOTING} nixos-42-hardened: ")
    assert machine.loads()[0].endswith("lsm=yama")
    assert desk.acts()[0] == "somebody at ttyS0: boots nixos-42-hardened"


def test_an_edited_command_line_arrives(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    desk, _ = sit(machine, (Key("e"), Key("C-u"), Key("x"), Key("Enter")))
    desk.serve()
    assert machine.loads() == ["--command-line=x"]
    assert desk.acts()[0] == "somebody at ttyS0: boots nixos-default with the command line: x"


def test_a_failed_load_comes_back_to_the_menu_with_the_reason(tmp_path: Path) -> None:
    machine = Machine(tmp_path, answers=FAILING)
    desk, script = sit(machine, (Key("Enter"),), (Key("Down"), Key("Enter")))
    desk.serve()
    reason = "nixos-default was not booted: kexec exited with 255: cannot load"
    assert reason in script.messages
    assert f"{NOT_BOOTED}: {reason}" in desk.said
    assert len(machine.loads()) == 2
    assert machine.commands.count(("kexec", "-u")) == 2
    assert ("umount", f"{tmp_path}/m/vda") not in machine.commands


def test_a_foreign_kernel_is_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    (machine.disk / "boot/nixos" / KERNEL).write_bytes(arm64_image())
    desk, script = sit(machine, (Key("Enter"),))
    desk.serve()
    assert machine.loads() == []
    assert f"kernel: /boot/nixos/{KERNEL} is for aarch64, this machine is x86_64" in script.messages[-1]


def test_after_a_person_s_attempt_nothing_boots_by_itself(tmp_path: Path) -> None:
    machine = Machine(tmp_path, answers={"kexec -a -l": Completed((), 255)})
    desk, script = sit(machine, (Key("Enter"),))
    desk.serve()
    assert len(machine.loads()) == 1
    assert script.seen[-1].endswith("countdown stopped")


def test_an_entry_that_failed_with_a_command_line_of_one_s_own_still_boots_by_itself(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    typed = [Key(char) for char in "x" * 3000]  # longer than an x86 kernel takes
    desk, script = sit(machine, (Key("e"), *typed, Key("Enter")), until=50)
    desk.serve()
    assert machine.loads() == []
    assert "default nixos-default" in script.seen[-1]


def test_a_console_where_nobody_types_any_more_counts_as_left(tmp_path: Path) -> None:
    machine = Machine(tmp_path, usual_conf(30))
    desk, script = sit(machine, (Key("j"),), until=10**6)
    desk.console.overview.settings = Settings(console_idle=60, ssh_grace=5)
    script.happens = lambda: setattr(script, "until", min(script.until, machine.now + 100)) if desk.said else None
    desk.serve()
    assert script.seen[1].endswith("countdown stopped")
    assert desk.said[0].startswith(BOOTING)
    assert 600 + 50 <= machine.now <= 700 + 100


def test_a_console_may_be_taken_for_attended_for_ever(tmp_path: Path) -> None:
    machine = Machine(tmp_path, usual_conf(30))
    script = Script(machine, (Key("j"),), until=15000)
    desk = Desk(machine, script, settings=Settings(console_idle=0))
    desk.serve()
    assert machine.loads() == []
    assert script.seen[-1].endswith("countdown stopped")


def test_a_terminal_that_hangs_up_ends_the_session_quietly(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    desk, _ = sit(machine, (Key("j"),), until=0)
    assert desk.serve() == 0
    assert desk.said == []
    assert not desk.presence.attached


def test_the_end_of_input_ends_a_session_where_nothing_boots_by_itself(tmp_path: Path) -> None:
    machine = Machine(tmp_path, usual_conf(0))
    desk, script = sit(machine, (EndOfInput(),))
    assert desk.serve() == 0
    assert script.asked == 1


def test_the_title_is_the_one_of_the_configuration(tmp_path: Path) -> None:
    machine = Machine(tmp_path, usual_conf().replace("MENU TITLE ----", "MENU TITLE Box ----"))
    desk, script = sit(machine, until=0)
    desk.serve()
    assert script.states[0].title.startswith("chainboot: Box")


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
        other.shared.leave("booting")
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
            other.shared.leave("chainboot: booting nixos-41-default: NixOS (anna)")

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
        other.shared.leave("chainboot: booting nixos-41-default: NixOS (somebody at ttyS0)")

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
