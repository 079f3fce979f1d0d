"""What each verb over SSH does and answers; and docs/json.md has every field of every answer."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from nixos import INITRD, KERNEL, usual_conf
from session.sessions import ANNA, BORIS, CONSOLE, HOST, SERVED, VERA, Machine, Sitting

from chainboot.boot.candidate import candidates
from chainboot.boot.preflight import host_objections
from chainboot.boot.sysappend import NO_STRINGS
from chainboot.errors import NotFoundError, RefusedError
from chainboot.listing import Json
from chainboot.process import Completed
from chainboot.remote.role import Role
from chainboot.session.person import Person
from chainboot.session.request import VERBS, Request, parse
from chainboot.session.verbs import Answer, Verbs
from chainboot.trial.entry_id import entry_id
from chainboot.trial.store import update
from chainboot.trial.transition import bless

PAGE = Path(__file__).parents[2] / "docs/json.md"


class Client(Sitting):
    """Somebody who asks for one verb after the other."""

    def __init__(self, machine: Machine, person: Person = ANNA, *, consoles: str = "", counted: bool = False) -> None:
        super().__init__(machine, person, counted=counted)
        self.verbs = Verbs(
            run=machine.runner,
            overview=self.overview,
            departure=self.departure,
            log=self.log,
            discover=machine.discover,
            strings=NO_STRINGS,
            memory=lambda: (512 << 20, 400 << 20),
            complaints=("chainboot.x is no setting of chainboot",),
            consoles=consoles,
            problems=lambda: ("dasd 0.0.0100 is not online",),
        )

    def ask(self, text: str) -> Answer:
        return self.verbs.do(parse(text, self.person.role))

    def json(self, text: str) -> dict[str, Json]:
        """The answer as a program reads it."""
        found = json.loads(json.dumps(self.ask(text).json))
        assert isinstance(found, dict)
        return found


def kept(machine: Machine) -> Machine:
    """The machine with a record of trials, in which the hardened variant is good; all others boot the same."""
    good = entry_id(candidates(machine.discover().configurations)[2].entry)
    update(str(machine.disk), "/boot/chainboot/trials", lambda record: bless(record, good, 0), create=True)
    return machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path, reach=SERVED)


def test_every_verb_that_is_no_session_has_an_answer(machine: Machine) -> None:
    for verb in VERBS:
        if verb.name not in ("menu", "shell", "chroot"):
            client = Client(kept(machine), counted=True)
            entry = "nixos-41-default" if verb.entry else None
            assert client.verbs.do(Request(verb.name, entry, dry_run="dry-run" in verb.options)) is not None


def test_help_is_what_the_key_may_do(machine: Machine) -> None:
    assert "poweroff" in Client(machine, ANNA).ask("help").text
    assert "poweroff" not in Client(machine, BORIS).ask("help").text
    for person in (ANNA, BORIS, VERA):
        client = Client(machine, person)
        text, found = client.ask("help").text, client.json("help --json")["verbs"]
        assert isinstance(found, list)
        rows = [row for row in found if isinstance(row, dict)]
        assert "".join(f"{row['usage']}\n    {row['help']}\n" for row in rows) == text
        assert [row["name"] for row in rows] == [verb.name for verb in VERBS if person.role.allows(verb.role)]
    assert rows[0] == {"name": "menu", "role": "view", "usage": "menu", "help": "the menu, as without any word"}


def test_list_and_show_are_those_of_the_command(machine: Machine) -> None:
    client = Client(machine, VERA)
    assert client.ask("list").text.splitlines()[0] == "1  nixos-default      NixOS - Default  (default)"
    entries = client.json("list --json")["entries"]
    assert isinstance(entries, list)
    assert len(entries) == 7
    assert "generation:      42" in client.ask("show 3").text
    assert client.json("show nixos-42-hardened --json")["objections"] == []


def test_where_there_is_nothing_it_is_said_why(machine: Machine) -> None:
    (machine.path / "sys/vda/size").write_text("0")
    answer = Client(machine).ask("list")
    assert answer.text == ""
    assert answer.talk == ("no disk was found",)
    with pytest.raises(NotFoundError):
        Client(machine).ask("show")


def test_an_entry_that_is_not_there_is_said(machine: Machine) -> None:
    for text in ("show 99", "plan nixos-7", "boot ''", "boot --dry-run '\x1b[2J'"):
        with pytest.raises(NotFoundError, match="there is no entry"):
            Client(machine).ask(text)


def test_a_kernel_that_cannot_be_read_is_said(machine: Machine) -> None:
    kernel = machine.disk / "boot/nixos" / KERNEL
    kernel.write_bytes(b"no kernel")
    answer = Client(machine).ask("plan")
    assert answer.talk == (
        f"this boot would be refused: kernel: /boot/nixos/{KERNEL}: the file is not a Linux kernel image",
    )
    with pytest.raises(RefusedError, match="nixos-default would not boot: kernel"):
        Client(machine).ask("boot --dry-run")


def test_a_plan_is_what_booting_would_run(machine: Machine) -> None:
    client = Client(machine)
    plan = client.ask("plan 2 --append single --append 'a b'")
    assert plan.text.startswith("boot nixos-42-default: ")
    assert "single a b" in plan.text
    assert "# end the SSH sessions" in plan.text
    assert plan.talk == ()
    dry = client.ask("boot 2 --append single --append 'a b' --dry-run")
    assert (dry.text, dry.json) == (plan.text, plan.json)
    assert client.json("plan 2 --cmdline x --json")["cmdline"] == "x"
    assert machine.acts() == []


BARE = f"LABEL a\nLINUX ../nixos/{KERNEL}\nAPPEND quiet\n"
ADDED = "console=ttyS0 was added: the entry names none (setting add_console)"


def test_a_console_that_is_added_is_said_everywhere(tmp_path: Path) -> None:
    machine = Machine(tmp_path, BARE, reach=SERVED)
    client = Client(machine, consoles="console=ttyS0")
    assert f"command line:    quiet console=ttyS0\nnote:            {ADDED}\n" in client.ask("show 1").text
    shown = client.json("show 1 --json")
    assert (shown["cmdline"], shown["added"]) == ("quiet", ADDED)
    assert f"\n  note: {ADDED}\n" in client.ask("plan 1").text
    plan = client.json("plan 1 --json")
    assert (plan["cmdline"], plan["notes"]) == ("quiet console=ttyS0", [ADDED])
    assert client.json("plan 1 --append x --json")["cmdline"] == "quiet x console=ttyS0"
    own = client.json("plan 1 --append console=hvc0 --json")
    assert (own["cmdline"], own["notes"]) == ("quiet console=hvc0", [])
    assert client.json("plan 1 --cmdline single --json")["cmdline"] == "single"
    assert client.json("boot 1 --json")["cmdline"] == "quiet console=ttyS0"
    assert machine.loads() == ["--command-line=quiet console=ttyS0"]
    assert f"chainboot: {ADDED}" in client.said


def test_nothing_is_added_where_that_is_not_set(machine: Machine) -> None:
    client = Client(machine)
    assert client.json("show 1 --json")["added"] is None
    assert client.json("plan 1 --json")["notes"] == []
    assert "note" not in client.ask("show 1").text


def test_a_machine_that_can_boot_nothing_says_so(machine: Machine) -> None:
    client = Client(machine)
    assert client.json("list --json")["objections"] == []
    client.departure.host = lambda: replace(HOST, kexec_supported=False)
    why = host_objections(client.departure.host())[0]
    assert client.json("list --json")["objections"] == [why]
    status = client.json("status --json")
    assert (status["countdown"], status["boots_by_itself"]) == ("never", None)
    problems = status["problems"]
    assert isinstance(problems, list)
    assert problems[0] == why
    assert "dasd 0.0.0100 is not online" in problems


def test_what_this_machine_will_refuse_is_a_problem(machine: Machine) -> None:
    client = Client(machine)
    client.departure.host = lambda: replace(HOST, secure_ipl=True)
    problems = client.json("status --json")["problems"]
    assert isinstance(problems, list)
    assert problems[0] == "this machine was started by secure IPL: it boots only signed kernels that it trusts"


def test_boot_leaves_and_says_what_boots(machine: Machine) -> None:
    client = Client(machine)
    answer = client.json("boot 2 --append single --json")
    assert answer["boots"] == "nixos-42-default"
    assert str(answer["cmdline"]).endswith(" single")
    assert len(client.detached) == 1
    assert machine.loads()[0].endswith(" single")
    assert client.acts()[0].endswith(" single")
    with pytest.raises(RefusedError, match=r"Not now: anna@laptop from 192\.0\.2\.9 boots nixos-42-default"):
        Client(machine, BORIS).ask("boot")
    with pytest.raises(RefusedError, match="Not now: anna@laptop"):
        Client(machine, BORIS).ask("reboot")


def test_boot_that_fails_is_refused_with_the_reason(tmp_path: Path) -> None:
    machine = Machine(tmp_path, answers={"kexec -a -l": Completed((), 255, stderr="cannot load")})
    with pytest.raises(RefusedError, match="nixos-default was not booted: kexec exited with 255: cannot load"):
        Client(machine).ask("boot --json")


@pytest.mark.parametrize("verb", ["reboot", "poweroff"])
def test_restart_and_end(machine: Machine, verb: str) -> None:
    client = Client(machine)
    assert f"    {verb} -f\n" in client.ask(f"{verb} --dry-run").text
    assert client.detached == []
    assert client.json(f"{verb} --json") == {"does": verb}
    client.detached[0]()
    assert (verb, "-f") in machine.acts()
    assert not {command[0] for command in machine.commands} & {"blkid", "mount", "umount"}, "a disk may be dying"


# -- the countdown


def test_status_is_one_look_and_stops_nothing(machine: Machine) -> None:
    console = Sitting(machine)
    client = Client(machine, VERA)
    found = client.json("status --json")
    assert (found["countdown"], found["seconds_left"], found["boots_by_itself"]) == ("running", 20, "nixos-default")
    assert found["you"] == {"name": VERA.name, "role": "view"}
    assert found["problems"] == ["chainboot.x is no setting of chainboot", "dasd 0.0.0100 is not online"]
    assert found["attached"] == []
    assert console.presence.others() == ()
    assert "boots nixos-default in 20 s" in client.ask("status").text


def test_status_tells_who_is_here(machine: Machine) -> None:
    kept = [Sitting(machine, person) for person in (CONSOLE, BORIS)]
    for sitting in kept:
        sitting.presence.attach()
    found = Client(machine).json("status --json")
    assert found["countdown"] == "held"
    attached = found["attached"]
    assert isinstance(attached, list)
    assert {"name": BORIS.name, "remote": True} in attached
    assert {"name": CONSOLE.name, "remote": False} in attached


def test_status_tells_of_an_entry_that_did_not_load(machine: Machine) -> None:
    Sitting(machine).shared.fail((str(machine.disk), "/boot/extlinux/extlinux.conf", 9), "kexec exited with 255")
    found = Client(machine).json("status --json")
    assert found["boots_by_itself"] == "nixos-42-default"
    assert "nixos-default cannot boot: kexec exited with 255. nixos-42-default is next." in str(found["problems"])


def test_hold_and_resume(machine: Machine) -> None:
    console = Sitting(machine)
    held = Client(machine).json("hold --json")
    assert (held["countdown"], held["held_by"]) == ("held", ANNA.name)
    other = Client(machine, BORIS)
    assert other.json("status --json")["countdown"] == "held"
    again = other.ask("resume")
    assert again.talk == ()
    assert "boots nixos-default in 30 s" in again.text
    assert other.ask("resume").talk == ("nobody held the countdown by `hold`",)
    assert console.acts()[:2] == [
        f"{ANNA.name}: holds the countdown",
        f"{BORIS.name}: lets the countdown go on",
    ]


def test_rescan_looks_and_sends_the_others_looking(machine: Machine) -> None:
    client = Client(machine)
    assert client.ask("rescan").text == client.ask("list").text
    assert ("load-modules",) in machine.commands
    assert client.shared.looks() == 1
    assert client.acts() == [f"{ANNA.name}: looks for disks and entries again"]


def test_the_log_is_what_was_done(machine: Machine) -> None:
    client = Client(machine)
    assert client.ask("log").text == ""
    client.ask("hold")
    assert client.ask("log").text.endswith(f"{ANNA.name}: holds the countdown\n")
    acts = client.json("log --json")["acts"]
    assert isinstance(acts, list)
    assert len(acts) == 1


# -- docs/json.md


def section(verb: str) -> str:
    """What the page says about the answer of a verb, with what it refers to."""
    page = PAGE.read_text()
    for part in page.split("\n## ")[1:]:
        title, _, text = part.partition("\n")
        if f"{verb} --json" in title:
            return text + page.split("\n## Entry\n", 1)[1]
    raise AssertionError(f"docs/json.md has no section about {verb}")


def names(value: Json) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {name for inner in value.values() for name in names(inner)}
    return {name for inner in value for name in names(inner)} if isinstance(value, list) else set()


# `chroot` has JSON for its dry run only: test_rescue.py.
JSON_VERBS = [verb.name for verb in VERBS if "json" in verb.options and verb.name != "chroot"]
# Where the answer is that of another verb, its section says so in these words.
LIKE = {"hold": "status", "resume": "status", "rescan": "list"}


@pytest.mark.parametrize("verb", JSON_VERBS)
def test_every_field_is_documented(tmp_path: Path, verb: str) -> None:
    conf = usual_conf().replace(f"../nixos/{INITRD}", f"../nixos/{INITRD},../nixos/{INITRD}", 1)
    machine = Machine(tmp_path, conf, reach=SERVED)
    other = Sitting(machine, BORIS)
    other.presence.attach()
    other.log.write("boris", "was here")
    text = section(verb)
    if verb in LIKE:
        assert f"`{LIKE[verb]}`" in text
        text += section(LIKE[verb])
    asked = f"{verb} nixos-41-default" if verb in ("next", "set-default") else verb
    found = names(Client(kept(machine), counted=True).json(f"{asked} --json"))
    assert found
    if verb == "log":
        found |= names(Client(machine, counted=True).json("log nixos-41-default --json"))
    for name in found:
        assert f"`{name}`" in text, f"{name} in {verb}"


@pytest.mark.parametrize("verb", ["boot", "reboot", "poweroff"])
def test_a_dry_run_has_the_fields_of_a_plan(machine: Machine, verb: str) -> None:
    assert "`plan`" in section(verb)
    text = section("plan")
    for name in names(Client(machine).json(f"{verb} --dry-run --json")):
        assert f"`{name}`" in text, f"{name} in {verb} --dry-run"


def test_the_page_names_every_state_of_the_countdown() -> None:
    text = section("status")
    for state in ("running", "held", "not-begun", "stopped", "never"):
        assert f"`{state}`" in text
    for role in Role:
        assert f"`{role.value}`" in text


def test_what_an_answer_says_does_not_depend_on_who_asks(machine: Machine) -> None:
    admin, viewer = Client(machine, ANNA), Client(machine, replace(VERA, name=ANNA.name))
    assert admin.ask("list") == viewer.ask("list")
