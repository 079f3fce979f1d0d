"""The loop of a session: menu, act, come back; what the timer does and what a person does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kernels import arm64_image
from nixos import KERNEL, usual_conf
from session.desk import Desk, sit
from session.sessions import ANNA, HOST, SERVED, Machine, Script, Sitting

from chainboot.boot.preflight import host_objections, host_remarks
from chainboot.process import Completed
from chainboot.session.console import NOT_BOOTED
from chainboot.session.departure import BOOTING
from chainboot.session.events import Ask, EndOfInput, Key
from chainboot.session.output import TerminalGone
from chainboot.settings import Settings

FAILING = {"kexec -a -l": Completed((), 255, stderr="cannot load")}


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


def test_where_nothing_can_be_booted_no_entry_is_tried_and_it_is_said(tmp_path: Path) -> None:
    machine = Machine(tmp_path, usual_conf(10))
    desk, script = sit(machine, (), (), (), (Key("Enter"),))
    desk.host = replace(HOST, kexec_supported=False)
    desk.serve()
    why = host_objections(desk.host)[0]
    assert [act for act in desk.acts() if "timer" in act] == []
    assert script.messages[0] == f"Nothing boots by itself: {why}."
    assert script.states[0].banner == (why,)
    assert script.seen[-1].endswith("waiting")
    # A person who tries all the same is told.
    assert f"{NOT_BOOTED}: nixos-default cannot boot: {why}" in desk.said
    assert machine.loads() == []


# -- what is added, asked and told


def test_an_entry_that_names_no_console_gets_one(tmp_path: Path) -> None:
    machine = Machine(tmp_path, f"TIMEOUT 10\nLABEL a\nLINUX ../nixos/{KERNEL}\nAPPEND quiet\n")
    script = Script(machine)
    desk = Desk(machine, script, consoles="console=ttyS0")
    desk.serve()
    assert machine.loads()[0] == "--command-line=quiet console=ttyS0"
    assert desk.said[:2] == [
        f"{BOOTING} a: a",
        "chainboot: console=ttyS0 was added: the entry names none (setting add_console)",
    ]


def test_where_the_line_of_ontimeout_does_not_boot_another_entry_is_tried(tmp_path: Path) -> None:
    conf = "".join(f"LABEL {name}\nLINUX ../nixos/{KERNEL}\nAPPEND {name}\n" for name in "ab")
    machine = Machine(
        tmp_path,
        f"DEFAULT a\nONTIMEOUT a x\nTIMEOUT 10\n{conf}",
        answers=FAILING,
    )
    Desk(machine, Script(machine), consoles="console=ttyS0").serve()
    assert machine.loads() == ["--command-line=a x console=ttyS0", "--command-line=b console=ttyS0"]


def test_a_line_that_was_edited_is_taken_as_edited(tmp_path: Path) -> None:
    machine = Machine(tmp_path, f"LABEL a\nLINUX ../nixos/{KERNEL}\nAPPEND quiet\n")
    script = Script(machine, (Key("e"), Key("C-u"), Key("x"), Key("Enter")))
    desk = Desk(machine, script, consoles="console=ttyS0")
    desk.serve()
    assert machine.loads() == ["--command-line=x"]
    assert not any("was added" in line for line in desk.said)


def test_a_request_in_words_is_answered_and_the_menu_is_back(tmp_path: Path) -> None:
    desk, script = sit(Machine(tmp_path), (Ask("status"),), (Ask("hold"),))
    desk.serve()
    assert desk.asked == ["status", "hold"]
    assert desk.said[:2] == ["an answer", "with a \N{REPLACEMENT CHARACTER}[2J"]
    assert script.messages[-1] == "Not so fast."
    assert script.states[-1].attached, "whoever asks is there"


def test_what_is_wrong_now_is_in_the_banner_now(tmp_path: Path) -> None:
    desk, script = sit(Machine(tmp_path, usual_conf(0)), until=60)
    script.happens = lambda: desk.problems.append("dasd 0.0.0100 is not online") if script.asked == 2 else None
    desk.serve()
    assert script.states[0].banner == ()
    assert script.states[-1].banner == ("dasd 0.0.0100 is not online",)


def test_what_this_machine_will_refuse_is_in_the_banner(tmp_path: Path) -> None:
    desk, script = sit(Machine(tmp_path, usual_conf(0)), until=20)
    desk.host = replace(HOST, secure_ipl=True)
    desk.serve()
    assert script.states[-1].banner == host_remarks(desk.host)
    assert len(script.states[-1].banner) == 1


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
            other.shared.leave("chainboot: booting nixos-default: NixOS (the timer)", machine.now)
        if desk.slept == 6:  # that was it
            raise TerminalGone

    script.happens = end_first
    desk.console.sleep = sleep
    desk.serve()
    assert desk.said == ["chainboot: booting nixos-default: NixOS (the timer)"]
    assert desk.acts() == []
    assert desk.shared.countdown(lambda before: before).deadline_ds == 30, (
        "the countdown of all is not this session's to restart"
    )


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


def test_every_key_says_that_somebody_is_still_here(tmp_path: Path) -> None:
    machine = Machine(tmp_path, usual_conf(30))
    script = Script(machine, (Key("j"),), until=1000)
    desk = Desk(machine, script, settings=Settings(console_idle=60))

    moments = [400, 800]

    def type_now_and_then() -> None:
        if moments and machine.now >= moments[0]:
            moments.pop(0)
            script.batches.append((Key("k"),))

    script.happens = type_now_and_then
    desk.serve()
    assert machine.loads() == []
    assert script.seen[-1].endswith("countdown stopped")


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
