"""The loop on a console: menu, act, come back. Terminal, programs and disks are handed in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fakes import FakeRunner
from kernels import arm64_image
from nixos import KERNEL, usual_conf, write_root

from chainboot.boot.host import Host
from chainboot.errors import ChainbootError
from chainboot.process import Completed
from chainboot.session.console import BOOTING, NOT_BOOTED, SHELL, SHELL_LEFT, Console
from chainboot.session.events import EndOfInput, Event, Key
from chainboot.session.output import TerminalGone
from chainboot.session.presence import Presence
from chainboot.session.screen import status
from chainboot.session.state import ScreenState
from chainboot.settings import Settings

HOST = Host("x86_64", True, True, False, False, False, 1 << 30)


class Script:
    """A terminal whose person follows a script: one batch of events for each time the menu asks.

    Time passes by a second each time the script has nothing to do. A script that has ended hangs up.
    """

    def __init__(self, *batches: tuple[Event, ...]) -> None:
        self.batches = list(batches)
        self.now = 0
        self.seen: list[str] = []
        self.messages: list[str] = []

    @contextmanager
    def open(self) -> Iterator[Script]:
        yield self

    def clock(self) -> int:
        return self.now

    def draw(self, state: ScreenState) -> None:
        self.seen.append(status(state))
        self.messages.append(state.message)

    def events(self, timeout_ds: int | None) -> tuple[Event, ...]:
        if self.batches:
            return self.batches.pop(0)
        if timeout_ds is None:
            return (EndOfInput(),)
        self.now += max(timeout_ds, 1)
        return ()


class Machine:
    """A console over one disk, and everything that it did."""

    def __init__(self, tmp_path: Path, script: Script, answers: dict[str, Completed] | None = None) -> None:
        self.said: list[str] = []
        (tmp_path / "sys/vda").mkdir(parents=True, exist_ok=True)
        (tmp_path / "sys/vda/size").write_text("8")
        self.runner = FakeRunner({"blkid": Completed((), 0, "TYPE=ext4\n"), **(answers or {})})
        self.shells = 0
        self.console = Console(
            run=self.runner,
            settings=Settings(),
            presence=Presence(str(tmp_path / "run")),
            open_terminal=script.open,
            say=self.said.append,
            shell=self.shell,
            host=lambda: HOST,
            clock=script.clock,
            sys_block=str(tmp_path / "sys"),
            mounts=str(tmp_path / "m"),
            runtime=str(tmp_path / "run"),
        )

    def shell(self) -> int:
        self.shells += 1
        return 0

    def loads(self) -> list[str]:
        return [command[-1] for command in self.runner.commands if command[:3] == ("kexec", "-a", "-l")]


@pytest.fixture
def disk(tmp_path: Path) -> Callable[[str], Path]:
    return lambda conf: write_root(tmp_path / "m/vda", conf)


def test_the_default_boots_by_itself_and_the_disk_is_taken_down(tmp_path: Path, disk: Callable[[str], Path]) -> None:
    disk(usual_conf(30))
    script = Script()
    machine = Machine(tmp_path, script, {"kexec -e": Completed((), 1, stderr="stop here")})
    machine.console.serve()
    assert script.seen[0] == "chainboot: menu ready: 7 entries, default nixos-default, booting in 3 s"
    commands = machine.runner.commands
    jump = commands.index(("kexec", "-e"))
    assert commands[jump - 1] == ("umount", f"{tmp_path}/m/vda")
    assert machine.said[0] == f"{BOOTING} nixos-default: NixOS - Default"


def test_a_chosen_entry_boots(tmp_path: Path, disk: Callable[[str], Path]) -> None:
    disk(usual_conf())
    machine = Machine(tmp_path, Script((Key("Down"), Key("Down"), Key("Enter"))))
    machine.console.serve()
    assert machine.said[0].startswith(f"{BOOTING} nixos-42-hardened: ")
    assert machine.loads()[0].endswith("lsm=yama")


def test_an_edited_command_line_arrives(tmp_path: Path, disk: Callable[[str], Path]) -> None:
    disk(usual_conf())
    machine = Machine(tmp_path, Script((Key("e"), Key("C-u"), Key("x"), Key("Enter"))))
    machine.console.serve()
    assert machine.loads() == ["--command-line=x"]


def test_a_failed_load_comes_back_to_the_menu_with_the_reason(tmp_path: Path, disk: Callable[[str], Path]) -> None:
    disk(usual_conf())
    script = Script((Key("Enter"),), (Key("Down"), Key("Enter")))
    machine = Machine(tmp_path, script, {"kexec -a -l": Completed((), 255, stderr="cannot load")})
    machine.console.serve()
    reason = "nixos-default was not booted: kexec exited with 255: cannot load"
    assert reason in script.messages
    assert f"{NOT_BOOTED}: {reason}" in machine.said
    assert len(machine.loads()) == 2
    assert machine.runner.commands.count(("kexec", "-u")) == 2
    assert ("umount", f"{tmp_path}/m/vda") not in machine.runner.commands


def test_a_default_that_does_not_load_gives_way_to_the_next_by_itself(
    tmp_path: Path, disk: Callable[[str], Path]
) -> None:
    disk(usual_conf(10))
    script = Script()
    machine = Machine(tmp_path, script, {"kexec -a -l": Completed((), 255, stderr="cannot load")})
    machine.console.serve()
    booted = [line.split()[2] for line in machine.said if line.startswith(BOOTING)]
    assert booted == [
        f"{name}:"
        for name in (
            "nixos-default",
            "nixos-42-default",
            "nixos-42-hardened",
            "nixos-41-default",
            "nixos-40-default",
            "nixos-39-default",
            "nixos-38-default",
        )
    ]
    assert "No entry is left that could boot by itself." in script.messages[-1]


def test_a_foreign_kernel_is_refused_before_anything_is_loaded(tmp_path: Path, disk: Callable[[str], Path]) -> None:
    root = disk(usual_conf())
    (root / "boot/nixos" / KERNEL).write_bytes(arm64_image())
    script = Script((Key("Enter"),))
    machine = Machine(tmp_path, script)
    machine.console.serve()
    assert machine.loads() == []
    assert f"kernel: /boot/nixos/{KERNEL} is for aarch64, this machine is x86_64" in script.messages[-1]


def test_after_a_person_s_attempt_nothing_boots_by_itself(tmp_path: Path, disk: Callable[[str], Path]) -> None:
    disk(usual_conf())
    script = Script((Key("Enter"),))
    machine = Machine(tmp_path, script, {"kexec -a -l": Completed((), 255)})
    machine.console.serve()
    assert len(machine.loads()) == 1
    assert script.seen[-1].endswith("waiting")


def test_the_rescue_shell_has_nothing_loaded_and_comes_back(
    tmp_path: Path, disk: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    disk(usual_conf())
    monkeypatch.setattr("chainboot.boot.kexec.is_loaded", lambda: True)
    script = Script((Key("s"),))
    machine = Machine(tmp_path, script)
    machine.console.serve()
    assert machine.shells == 1
    assert ("kexec", "-u") in machine.runner.commands
    assert machine.said[0].startswith(SHELL)
    assert machine.said[1] == SHELL_LEFT
    assert script.seen[-1].endswith("waiting"), "the menu is back and does not count down under the person's hands"


def test_a_shell_that_cannot_start_is_a_sentence(tmp_path: Path, disk: Callable[[str], Path]) -> None:
    disk(usual_conf())
    script = Script((Key("s"),))
    machine = Machine(tmp_path, script)

    def broken() -> int:
        raise ChainbootError("/bin/sh could not be started")

    machine.console.shell = broken
    machine.console.serve()
    assert script.messages[-1] == "/bin/sh could not be started"


def test_no_disk_is_said_and_a_disk_that_appears_is_found(tmp_path: Path) -> None:
    script = Script()
    machine = Machine(tmp_path, script)
    (tmp_path / "sys/vda/size").write_text("0")

    def plug_in() -> int:
        if len(script.seen) == 4:
            (tmp_path / "sys/vda/size").write_text("8")
            write_root(tmp_path / "m/vda", usual_conf(10))
        return script.now

    machine.console.clock = plug_in
    script.events = lambda timeout_ds: _wait(script, timeout_ds)  # type: ignore[method-assign]
    machine.console.serve()
    assert script.seen[0] == "chainboot: no entries: no disk was found"
    assert ("load-modules",) in machine.runner.commands
    assert machine.said[0].startswith(f"{BOOTING} nixos-default"), "a machine that waited for its disk boots by itself"


def _wait(script: Script, timeout_ds: int | None) -> tuple[Event, ...]:
    """Time passes; after a while the terminal hangs up."""
    if script.now > 1000:
        return (EndOfInput(),)
    script.now += 100 if timeout_ds is None else max(timeout_ds, 1)
    return ()


def test_a_person_at_another_console_holds_the_countdown(tmp_path: Path, disk: Callable[[str], Path]) -> None:
    disk(usual_conf(30))
    other = Presence(str(tmp_path / "run"))
    other.attach()
    script = Script()
    machine = Machine(tmp_path, script)
    asked = 0

    def events(timeout_ds: int | None) -> tuple[Event, ...]:
        nonlocal asked
        asked += 1
        if asked == 50:
            other.detach()
        return _wait(script, timeout_ds)

    script.events = events  # type: ignore[method-assign]
    machine.console.serve()
    assert "countdown held" in script.seen[1]
    assert machine.said[0].startswith(BOOTING)
    assert asked > 50


def test_a_terminal_that_hangs_up_ends_the_session_quietly(tmp_path: Path, disk: Callable[[str], Path]) -> None:
    disk(usual_conf())
    script = Script()

    def gone(_timeout_ds: int | None) -> tuple[Event, ...]:
        raise TerminalGone

    script.events = gone  # type: ignore[method-assign]
    machine = Machine(tmp_path, script)
    assert machine.console.serve() == 0
    assert machine.said == []


def test_one_boots_and_the_other_console_is_told(tmp_path: Path, disk: Callable[[str], Path]) -> None:
    disk(usual_conf())
    other = Presence(str(tmp_path / "run"))
    other.claim_boot("nixos-41-default")
    script = Script((Key("Enter"),))
    machine = Machine(tmp_path, script)
    machine.console.serve()
    assert machine.loads() == []
    assert script.messages[-1] == "Another session is booting nixos-41-default."
