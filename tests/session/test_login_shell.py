"""The login shell of a running system, with programs that are only written down."""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from fakes import FakeRunner
from nixos import usual_conf, write_root
from session.sessions import HOST as FIRST_STAGE_HOST

from chainboot.boot.candidate import Candidate
from chainboot.boot.volume import Configuration, Volume
from chainboot.errors import ChainbootError, NotFoundError, RefusedError
from chainboot.process import Completed, ProcessError
from chainboot.remote.role import Role
from chainboot.session.login_shell import LoginShell
from chainboot.session.person import Person
from chainboot.session.request import EXIT_NOT_ALLOWED, Request, RequestError
from chainboot.session.state import Abilities
from chainboot.text import printable
from chainboot.trial import store
from chainboot.trial.record import EntryRecord, Record

HOST = replace(FIRST_STAGE_HOST, systemd=True)
NAME = "boot from 192.0.2.9"
GOING = (
    "when it is loaded, services stop and this connection closes; the machine answers again when the new system is up"
)
WAITS = "the system still runs; it stops when what delays it has ended (`systemd-inhibit --list`)"
LOGGER = ("logger", "-t", "chainboot", "-p", "auth.notice", "--")
STOPPING = Completed((), 1, "stopping\n")


@dataclass
class Opened:
    """A menu that was opened, and what it was opened with."""

    entries: int
    abilities: Abilities
    timer: bool
    message: str
    banner: tuple[str, ...]


@dataclass
class Menus:
    """Stands in for the menu: a person who decides as was planned, a number and a command line for each menu."""

    decisions: list[tuple[int, str | None] | None]
    opened: list[Opened] = field(default_factory=list)

    def __call__(
        self,
        configurations: Sequence[Configuration],
        among: Sequence[Candidate],
        *,
        abilities: Abilities,
        timer: bool,
        message: str,
        banner: Sequence[str],
    ) -> tuple[Candidate, str | None] | None:
        assert configurations
        self.opened.append(Opened(len(among), abilities, timer, message, tuple(banner)))
        decision = self.decisions.pop(0)
        return None if decision is None else (among[decision[0] - 1], decision[1])


class Login:
    """One login on a machine whose /boot is `root`."""

    def __init__(
        self,
        tmp_path: Path,
        root: Path,
        role: Role = Role.BOOT,
        *decisions: tuple[int, str | None] | None,
        answers: dict[str, Completed] | None = None,
    ) -> None:
        self.runner = FakeRunner(answers)
        self.said: list[str] = []
        self.commanded: list[Request] = []
        self.menus = Menus(list(decisions))
        self.host = HOST
        self.terminal = True
        self.now = 100.0
        self.shell = LoginShell(
            Person(NAME, role, remote=True),
            self.runner,
            self.said.append,
            self.command,
            self.menus,
            is_terminal=lambda: self.terminal,
            host=lambda: self.host,
            running=lambda: ("", "6.6.32"),
            root=str(root),
            runtime=str(tmp_path / "run/chainboot"),
            clock=lambda: self.now,
            sleep=self.sleep,
        )

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def command(self, request: Request) -> int:
        self.commanded.append(request)
        return 42

    def ask(self, words: str | None = None) -> int:
        code, self.answer = self.shell.do(self.shell.parse(words))
        return code

    def refusal(self, words: str | None) -> tuple[str, int]:
        with pytest.raises(RequestError) as raised:
            self.ask(words)
        return raised.value.message, raised.value.code

    def refused(self, words: str) -> str:
        with pytest.raises(RefusedError) as raised:
            self.ask(words)
        return raised.value.message

    def acts(self) -> list[tuple[str, ...]]:
        return [command for command in self.runner.commands if command[:2] != ("systemctl", "is-system-running")]

    def logged(self) -> list[str]:
        return [command[-1] for command in self.acts() if command[:-1] == LOGGER]

    def loads(self) -> list[str]:
        return [command[-1].removeprefix("--command-line=") for command in self.acts() if command[1:3] == ("-a", "-l")]


@pytest.fixture
def login(tmp_path: Path, nixos_root: Path) -> Login:
    return Login(tmp_path, nixos_root)


def test_a_boot_is_written_down_loaded_and_left_to_systemd(login: Login) -> None:
    assert login.ask("boot 2") == 0
    log, load, leave = login.acts()
    assert log == (*LOGGER, f"{NAME} boots nixos-42-default")
    assert load[:3] == ("kexec", "-a", "-l")
    assert leave == ("systemctl", "kexec")
    assert login.said[0].startswith("booting nixos-42-default: NixOS - Configuration 42-default (")
    assert login.said[0].endswith(f" ({NAME})")
    assert login.said[1:] == [GOING, WAITS], "these programs say nothing of a shutdown"
    assert login.answer is not None
    assert isinstance(login.answer.json, dict)
    assert login.answer.json["boots"] == "nixos-42-default"


@pytest.mark.parametrize("stays", ["fails", "waits", "leaves"])
def test_a_try_that_never_ran_is_none(tmp_path: Path, nixos_root: Path, stays: str) -> None:
    place = "/boot/chainboot/trials"
    store.update(str(nixos_root), place, lambda _: Record(entries=(EntryRecord("0" * 16, tries_done=2),)), create=True)
    answers = {
        "fails": {"systemctl kexec": Completed((), 1, stderr="no bus")},
        "waits": {"systemctl is-system-running": Completed((), 0, "running\n")},
        "leaves": {},
    }[stays]
    login = Login(tmp_path, nixos_root, answers=answers)
    written: list[str] = []

    def run(argv: Sequence[str], *, check: bool, timeout: float | None = None) -> Completed:
        if tuple(argv) == ("systemctl", "kexec"):
            record = store.read(Volume(str(nixos_root), "disk"), place).record
            assert record is not None
            written.append(record.started)
            if stays == "leaves":
                login.runner.answers["systemctl is-system-running"] = STOPPING
        return login.runner(argv, check=check, timeout=timeout)

    login.shell.run = run
    if stays == "fails":
        with pytest.raises(RefusedError):
            login.ask("boot 1")
    else:
        assert login.ask("boot 1") == 0
    assert written
    assert written[0] != "", "it was counted before the jump"
    record = store.read(Volume(str(nixos_root), "disk"), place).record
    assert record is not None
    assert record.started == (written[0] if stays == "leaves" else "")
    assert len(record.entries) == (2 if stays == "leaves" else 1)


def test_without_an_entry_it_is_the_default(login: Login) -> None:
    login.ask("boot")
    assert login.logged() == [f"{NAME} boots nixos-default"]


def test_an_entry_that_is_not_there(login: Login) -> None:
    with pytest.raises(NotFoundError):
        login.ask("boot 99")
    assert login.acts() == []


def test_a_command_line_of_one_s_own_needs_edit_and_is_written_down(tmp_path: Path, nixos_root: Path) -> None:
    login = Login(tmp_path, nixos_root, Role.EDIT)
    login.ask("boot 2 --append 'a b' --append c")
    login.ask("boot 2 --cmdline init=/bin/sh --append quiet")
    login.ask("boot 2 --cmdline ''")
    assert login.loads()[0].endswith(" a b c")
    assert login.loads()[1:] == ["init=/bin/sh quiet", ""]
    boots = f"{NAME} boots nixos-42-default with"
    assert login.logged() == [
        f"{boots} words added (1 line)",
        f"{NAME}: added words 1/1: a b c",
        f"{boots} a command line of their own (1 line)",
        f"{NAME}: command line 1/1: init=/bin/sh quiet",
        f"{boots} a command line of their own (1 line)",
        f"{NAME}: command line 1/1: ",
    ]
    for role in (Role.VIEW, Role.BOOT):
        less = Login(tmp_path, nixos_root, role)
        assert less.refusal("boot 2 --append x")[1] == EXIT_NOT_ALLOWED
        assert less.acts() == []


def test_who_may_only_look_boots_nothing(tmp_path: Path, nixos_root: Path) -> None:
    login = Login(tmp_path, nixos_root, Role.VIEW, (1, None), None)
    assert login.refusal("boot 1") == ("boot needs a key with the role boot; this one has view", EXIT_NOT_ALLOWED)
    assert login.ask() == 4
    assert login.menus.opened[0].abilities == Abilities(False, False, False, False, True)
    assert login.menus.opened[1].message == "this login may not boot", "whatever the menu let them do"
    assert login.acts() == []


def test_an_edited_command_line_out_of_the_menu_needs_edit_too(tmp_path: Path, nixos_root: Path) -> None:
    login = Login(tmp_path, nixos_root, Role.BOOT, (1, "init=/bin/sh"), None)
    assert login.ask() == 4
    assert login.menus.opened[1].message == "this login may not edit"
    assert login.acts() == []
    more = Login(tmp_path, nixos_root, Role.EDIT, (1, "init=/bin/sh"))
    assert more.ask() == 0
    assert more.loads() == ["init=/bin/sh"]
    assert more.menus.opened[0].abilities.can_edit


def test_the_menu_boots_nothing_by_itself_and_offers_what_the_role_may(tmp_path: Path, nixos_root: Path) -> None:
    login = Login(tmp_path, nixos_root, Role.BOOT, None)
    assert login.ask() == 4
    (menu,) = login.menus.opened
    assert menu == Opened(
        7, Abilities(True, False, False, False, True), False, "",
        (f"You are {NAME}; this login may look and boot an entry.",),
    )  # fmt: skip
    assert login.acts() == []


def test_admin_is_given_no_shell_and_told_so(tmp_path: Path, nixos_root: Path) -> None:
    login = Login(tmp_path, nixos_root, Role.ADMIN, None)
    login.ask()
    assert login.menus.opened[0].abilities == Abilities(True, False, False, True, True)
    assert login.menus.opened[0].banner == (
        f"You are {NAME}; this login may look, boot an entry and change its command line.",
    )
    login.ask("help")
    assert login.answer is not None
    assert "no role gives a shell here" in login.answer.text
    assert not {"shell", "chroot"} & {line.split()[0] for line in login.answer.text.splitlines()}


def test_a_boot_that_fails_is_undone_written_down_and_the_menu_is_back(tmp_path: Path, nixos_root: Path) -> None:
    answers = {"kexec -a": Completed((), 1, "", "kexec_file_load failed: Cannot allocate memory\n")}
    login = Login(tmp_path, nixos_root, Role.BOOT, (1, None), None, answers=answers)
    assert login.ask() == 4
    assert [command[:2] for command in login.acts()] == [
        ("logger", "-t"), ("kexec", "-a"), ("kexec", "-u"), ("logger", "-t"),
    ]  # fmt: skip
    message = login.menus.opened[1].message
    assert message.startswith("nixos-default was not booted: there is not enough free memory for kernel and initrd")
    assert login.logged()[1].startswith("nixos-default was not booted: ")


def test_a_system_that_does_not_go_keeps_nothing_loaded(tmp_path: Path, nixos_root: Path) -> None:
    login = Login(tmp_path, nixos_root, answers={"systemctl kexec": Completed((), 1, "", "Access denied\n")})
    assert login.refused("boot 1").endswith("systemctl exited with 1: Access denied")
    assert login.acts()[-2] == ("kexec", "-u")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"systemd": False}, "this system does not run systemd, which is what stops the services"),
        ({"root": False}, "only root may load a kernel"),
        ({"kexec_disabled": True}, "kexec is switched off until the next boot (kernel.kexec_load_disabled is 1)"),
        ({"machine": "s390x"}, "is for x86_64, this machine is s390x"),
    ],
)
@pytest.mark.parametrize("words", ["boot 1", "boot 1 --dry-run"])
def test_what_speaks_against_it_is_said_before_anything_happens(
    login: Login, changes: dict[str, bool], why: str, words: str
) -> None:
    login.host = replace(login.host, **changes)
    assert why in login.refused(words)
    assert login.acts() == []


def test_a_machine_that_shuts_down_boots_nothing_else(tmp_path: Path, nixos_root: Path) -> None:
    login = Login(tmp_path, nixos_root, answers={"systemctl is-system-running": STOPPING})
    assert login.refused("boot 1") == "nixos-default was not booted: this machine is shutting down already"
    assert login.acts() == []


def test_a_load_that_fails_says_what_it_cost(tmp_path: Path, nixos_root: Path) -> None:
    login = Login(tmp_path, nixos_root)
    login.host = replace(login.host, kexec_loaded=True)

    def run(argv: Sequence[str], *, check: bool, timeout: float | None = None) -> Completed:
        if tuple(argv[:2]) == ("kexec", "-u"):
            login.host = replace(login.host, kexec_loaded=False)
        return login.runner(argv, check=check, timeout=timeout)

    login.shell.run = run
    login.runner.answers["kexec -a"] = Completed((), 1, "", "no\n")
    cost = "; the kernel that was loaded before is unloaded too"
    assert login.refused("boot 1").endswith(cost)
    assert login.logged()[1].endswith(cost)


def test_a_loaded_kernel_is_replaced_and_that_is_said(login: Login) -> None:
    login.host = replace(login.host, kexec_loaded=True)
    assert login.ask("boot 1") == 0
    assert "a kernel was loaded already, for the next restart; this one takes its place" in login.said
    login.ask("status")
    assert login.answer is not None
    assert "problem   a kernel was loaded already" in login.answer.text


def test_a_dry_run_touches_nothing_and_leaves_the_lock_alone(login: Login, tmp_path: Path) -> None:
    assert login.ask("boot 1 --dry-run") == 0
    assert login.answer is not None
    assert login.answer.text.startswith("boot nixos-default: NixOS - Default\n")
    assert "systemctl kexec" in login.answer.text
    assert login.acts() == []
    assert not (tmp_path / "run").exists()


@dataclass
class Watched:
    """Says at every step whether somebody else could boot now, and how much has been said to the person."""

    login: Login
    lock: Path
    seen: dict[str, tuple[bool, int]] = field(default_factory=dict)
    stops: Callable[[], bool] = lambda: False
    says: str = ""

    def __call__(self, argv: Sequence[str], *, check: bool, timeout: float | None = None) -> Completed:
        gone = ("systemctl", "kexec") in self.login.runner.commands
        name = " ".join(argv[:3]) if argv[0] != "logger" else "logger"
        self.seen[f"{name}{' later' if gone else ''}"] = (self.free(), len(self.login.said))
        done = self.login.runner(argv, check=check, timeout=timeout)
        if gone and self.stops() and argv[1] == "is-system-running":
            return STOPPING
        return done

    def free(self) -> bool:
        if not self.lock.exists():
            return True
        with self.lock.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True


def test_nobody_else_boots_from_the_journal_s_line_until_the_system_stops(login: Login, tmp_path: Path) -> None:
    started = login.now
    watched = Watched(login, tmp_path / "run/chainboot/turn", stops=lambda: login.now > started + 5)
    login.shell.run = watched
    assert login.ask("boot 1") == 0
    # Two lines were said before, and none while others had to wait.
    assert watched.seen == dict.fromkeys(
        [
            "systemctl is-system-running",
            "logger",
            "kexec -a -l",
            "systemctl kexec",
            "systemctl is-system-running later",
        ],
        (False, 2),
    )
    assert 5 < login.now - started < 6
    assert len(login.said) == 2
    assert not watched.free(), "until this process ends"


def test_a_system_that_is_held_up_for_longer_lets_others_try(login: Login, tmp_path: Path) -> None:
    watched = Watched(login, tmp_path / "run/chainboot/turn")
    login.shell.run = watched
    assert login.ask("boot 1") == 0
    assert watched.seen["systemctl is-system-running later"] == (False, 2)
    assert login.said[2:] == [WAITS]
    assert watched.free()


def test_whoever_s_terminal_is_stopped_keeps_nobody_waiting(login: Login, tmp_path: Path) -> None:
    lock = tmp_path / "run/chainboot/turn"
    watched = Watched(login, lock)
    free: list[bool] = []

    def say(text: str) -> None:
        free.append(watched.free())
        login.said.append(text)

    login.shell.say = say
    login.shell.run = Deaf()
    assert login.ask("boot 1") == 0
    assert login.said[1:] == [GOING, "the journal does not have this: logger is not installed", WAITS]
    assert free == [True] * 4


def test_what_changed_while_the_person_read_is_seen(login: Login) -> None:
    def say(text: str) -> None:
        assert text
        login.runner.answers["systemctl is-system-running"] = STOPPING

    login.shell.say = say
    assert login.refused("boot 1") == "nixos-default was not booted: this machine is shutting down already"
    assert login.acts() == []


def test_the_next_one_is_told_who_boots(login: Login, tmp_path: Path) -> None:
    assert login.ask("boot 1") == 0
    lock = tmp_path / "run/chainboot/turn"
    assert lock.read_text() == ""
    with lock.open("r+") as file:
        file.write("vera\x1b[2J from 192.0.2.11")
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        before = len(login.acts())
        assert login.refused("boot 1") == "vera\ufffd[2J from 192.0.2.11 boots this machine right now"
        assert len(login.acts()) == before
    assert login.ask("boot 1") == 0


def test_a_lock_that_cannot_be_had_is_a_sentence(login: Login, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    assert login.refused("boot 1") == f"{tmp_path}/run/chainboot cannot be used: not a directory"


class Deaf(FakeRunner):
    """No logger is installed."""

    def __call__(self, argv: Sequence[str], *, check: bool, timeout: float | None = None) -> Completed:
        if argv[0] == "logger":
            raise ProcessError("logger is not installed")
        return super().__call__(argv, check=check, timeout=timeout)


def test_a_journal_that_takes_nothing_does_not_keep_anybody_here(login: Login) -> None:
    login.shell.run = Deaf()
    assert login.ask("boot 1") == 0
    assert "the journal does not have this: logger is not installed" in login.said


SHAKING = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP)


class Cut(FakeRunner):
    """The connection is lost at every step from the journal's line on, and all that tells a process so arrives."""

    def __call__(self, argv: Sequence[str], *, check: bool, timeout: float | None = None) -> Completed:
        if argv[0] in ("logger", "kexec") or argv == ["systemctl", "kexec"] or ("systemctl", "kexec") in self.commands:
            assert all(signal.getsignal(number) is signal.SIG_IGN for number in SHAKING), argv
            for number in SHAKING:
                os.kill(os.getpid(), number)
        return super().__call__(argv, check=check, timeout=timeout)


def test_a_connection_that_is_lost_while_it_loads_changes_nothing(login: Login) -> None:
    runner = Cut()
    login.shell.run = runner
    assert login.ask("boot 1") == 0
    assert ("systemctl", "kexec") in runner.commands
    assert runner.commands[-1] == ("systemctl", "is-system-running")
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


class Broken(FakeRunner):
    """A defect, in the middle of a load."""

    def __call__(self, argv: Sequence[str], *, check: bool, timeout: float | None = None) -> Completed:
        if tuple(argv[:2]) == ("kexec", "-a"):
            raise ZeroDivisionError
        return super().__call__(argv, check=check, timeout=timeout)


def test_a_defect_leaves_no_boot_in_the_journal_that_did_not_take_place(login: Login) -> None:
    runner = Broken()
    login.shell.run = runner
    with pytest.raises(ZeroDivisionError):
        login.ask("boot 1")
    assert runner.commands[-1] == (*LOGGER, "nixos-default was not booted: ZeroDivisionError")


def words_in(login: Login, what: str) -> list[str]:
    """The words in the journal, piece by piece."""
    head, *rest = login.logged()
    assert len({len(rest), int(head.rpartition("(")[2].split()[0])}) == 1
    starts = [f"{NAME}: {what} {number}/{len(rest)}: " for number in range(1, len(rest) + 1)]
    assert all(line.startswith(start) for line, start in zip(rest, starts, strict=True))
    return [line.removeprefix(start) for line, start in zip(rest, starts, strict=True)]


@pytest.mark.parametrize("wide", ["quiet", "\N{CJK UNIFIED IDEOGRAPH-4E2D}", "e" + "\u0301" * 7])
def test_no_word_is_hidden_behind_a_long_command_line(tmp_path: Path, nixos_root: Path, wide: str) -> None:
    login = Login(tmp_path, nixos_root, Role.EDIT)
    fill = f"{wide} " * (1600 // len(f"{wide} ".encode()))
    words = f"{fill}init=/bin/sh {wide} end"
    login.ask(f"boot 1 --append '{words}'")
    pieces = words_in(login, "added words")
    assert "".join(pieces) == words
    assert any("init=/bin/sh" in piece for piece in pieces), "whoever searches the journal for it must find it"
    assert all(len(piece.encode()) <= 700 for piece in pieces), "logger(1) takes a KiB"
    assert login.loads()[0].endswith(words)


def test_no_word_is_cut_in_its_middle(tmp_path: Path, nixos_root: Path) -> None:
    login = Login(tmp_path, nixos_root, Role.EDIT)
    login.ask(f"boot 1 --append '{'x' * 690} init=/bin/sh quiet'")
    assert words_in(login, "added words") == [f"{'x' * 690} ", "init=/bin/sh quiet"]


def test_one_word_may_be_longer_than_a_line(tmp_path: Path, nixos_root: Path) -> None:
    login = Login(tmp_path, nixos_root, Role.EDIT)
    login.ask(f"boot 1 --cmdline {'x' * 1500}")
    assert [len(piece) for piece in words_in(login, "command line")] == [700, 700, 100]
    with pytest.raises(RequestError):
        login.ask("boot 1 --cmdline 'a\nb'")


def test_nothing_hostile_gets_into_the_journal(tmp_path: Path) -> None:
    conf = usual_conf().replace("LABEL nixos-default", "LABEL a\x1b[2J\u202eb").replace("-\n", "-\n")
    root = write_root(tmp_path / "hostile", conf.replace("DEFAULT nixos-default", "DEFAULT a\x1b[2J\u202eb"))
    answers = {"kexec -a": Completed((), 1, "", "n\x1bo\n")}
    login = Login(tmp_path, root, Role.EDIT, (1, "init=\x1b[2J/\udcff\ny"), None, answers=answers)
    assert login.ask() == 4
    assert login.logged()[:2] == [
        f"{NAME} boots a\ufffd[2J\ufffdb with a command line of their own (1 line)",
        f"{NAME}: command line 1/1: init=\ufffd[2J/\ufffd\ufffdy",
    ]
    assert login.logged()[2].startswith("a\ufffd[2J\ufffdb was not booted: ")
    assert all(line == printable(line) for line in login.logged())


def test_the_journal_is_tried_once_where_it_takes_nothing(tmp_path: Path, nixos_root: Path) -> None:
    login = Login(tmp_path, nixos_root, Role.EDIT, answers={"logger": Completed((), 1, "", "no\n")})
    login.ask(f"boot 1 --cmdline {'x' * 1500}")
    assert len(login.logged()) == 1
    assert login.said.count("the journal does not have this: logger exited with 1: no") == 1


def test_what_differs_from_the_configuration_is_said(tmp_path: Path, nixos_root: Path) -> None:
    login = Login(tmp_path, nixos_root, Role.BOOT)
    bare = "init=/x"

    def choose(
        configurations: Sequence[Configuration], among: Sequence[Candidate], **options: object
    ) -> tuple[Candidate, None]:
        assert configurations
        assert not options["timer"]
        return replace(among[0], cmdline=bare, consoles="console=ttyS9"), None

    login.shell.choose = choose
    assert login.ask() == 0
    assert login.said[1] == "console=ttyS9 was added: the entry names none (setting add_console)"
    assert login.logged() == [f"{NAME} boots nixos-default"]


@pytest.mark.parametrize("words", ["list", "list --json", "show 2", "plan 2 --append x", "check"])
def test_verbs_of_the_command_line_are_left_to_it(login: Login, words: str) -> None:
    assert login.ask(words) == 42
    (request,) = login.commanded
    assert request.verb == words.split()[0]
    assert login.answer is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("hold", "hold is not served here: nothing counts down in a running system"),
        ("resume --json", "resume is not served here: nothing counts down in a running system"),
        ("rescan", "rescan is not served here: the configuration is read anew for every request"),
        ("log", "log is not served here: the system has it in its journal"),
        (
            "reboot",
            "reboot is not served here: this login boots entries, and the system has its own command for that",
        ),
        ("shell", "shell is not served here: this login gives no shell, whatever the role; the first stage does"),
        (
            "chroot 1 -- sh",
            "chroot is not served here: this login gives no shell, whatever the role; the first stage does",
        ),
        ("/run/current-system/sw/libexec/sftp-server", "sftp is not served here: this is a boot menu"),
        ("scp -t /root", "scp is not served here: this is a boot menu"),
        ("rsync --server . x", "rsync is not served here: this is a boot menu"),
        ("/bin/sh -c reboot", "/bin/sh is no verb"),
        ("bash", "bash is no verb"),
        ("list; reboot", "list; is no verb"),
        ("list --root /", "list has no option --root"),
        ("list /", "/ is one word too many"),
        ("show --config /etc/shadow", "show has no option --config"),
        ("boot --debug", "boot has no option --debug"),
        ("login --role admin", "login is no verb"),
    ],
)
@pytest.mark.parametrize("role", [Role.VIEW, Role.ADMIN])
def test_anything_else_is_refused_in_one_sentence(
    tmp_path: Path, nixos_root: Path, role: Role, words: str, message: str
) -> None:
    login = Login(tmp_path, nixos_root, role)
    if words.startswith("boot") and role is Role.VIEW:
        assert login.refusal(words)[1] == EXIT_NOT_ALLOWED
        return
    assert login.refusal(words) == (message, 2)
    assert (login.runner.commands, login.commanded) == ([], [])


def test_the_menu_needs_a_terminal(login: Login) -> None:
    login.terminal = False
    for words in (None, "", "menu"):
        assert login.refusal(words) == ("the menu needs a terminal", 2)
    login.ask("boot 1 --dry-run")


def test_status_says_what_runs(login: Login, nixos_root: Path) -> None:
    words = next(
        line for line in (nixos_root / "boot/extlinux/extlinux.conf").read_text().splitlines() if "APP" in line
    )
    login.shell.running = lambda: (words.strip().removeprefix("APPEND "), "6.6.32")
    login.host = replace(login.host, root=False)
    assert login.ask("status --json") == 0
    assert login.answer is not None
    assert isinstance(login.answer.json, dict)
    assert "nixos-default" in str(login.answer.json["runs"])
    assert login.answer.json["problems"] == ["only root may load a kernel"]


def test_status_says_what_this_machine_may_refuse(login: Login) -> None:
    login.host = replace(login.host, lockdown="integrity", loads_left=1)
    login.ask("status --json")
    assert login.answer is not None
    assert isinstance(login.answer.json, dict)
    assert login.answer.json["problems"] == [
        "the running kernel is locked down (integrity): it boots only signed kernels that it trusts",
        "a kernel can be loaded or unloaded once more (kernel.kexec_load_limit_reboot)",
    ]


def test_no_configuration_at_all_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for words in (None, "boot", "status"):
        with pytest.raises(ChainbootError, match="no extlinux configuration was found"):
            Login(tmp_path, tmp_path / "empty").ask(words)


def test_what_outlives_the_login_is_in_the_journal_before_it_is_done(tmp_path: Path, nixos_root: Path) -> None:
    login = Login(tmp_path, nixos_root, Role.EDIT)
    for words, logged in (
        ("next nixos-42-hardened --once --json", "next nixos-42-hardened --once"),
        ("next --clear", "next --clear"),
        ("rollback", "rollback"),
        ("confirm", "confirm"),
        ("set-default 2 --force", "set-default 2 --force"),
    ):
        login.runner.commands.clear()
        assert login.ask(words) == 42
        assert login.logged() == [f"{NAME} asks for: {logged}"]
        assert login.commanded[-1].verb == words.split()[0]
    login.runner.commands.clear()
    for words in ("set-default 2 --dry-run", "list", "status"):
        login.ask(words)
    assert login.logged() == []


def test_a_journal_that_takes_nothing_keeps_nobody_from_confirming(tmp_path: Path, nixos_root: Path) -> None:
    login = Login(tmp_path, nixos_root, answers={"logger": Completed((), 1, stderr="full")})
    assert login.ask("confirm") == 42
    assert login.said == ["the journal does not have this: logger exited with 1: full"]


@pytest.mark.parametrize(
    ("role", "words"),
    [(Role.VIEW, "next 2"), (Role.VIEW, "rollback"), (Role.VIEW, "confirm"), (Role.BOOT, "set-default 2")],
)
def test_what_outlives_the_login_needs_a_role(tmp_path: Path, nixos_root: Path, role: Role, words: str) -> None:
    login = Login(tmp_path, nixos_root, role)
    assert login.refusal(words)[1] == EXIT_NOT_ALLOWED
    assert (login.commanded, login.acts()) == ([], [])
