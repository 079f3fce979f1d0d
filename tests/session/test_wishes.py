"""What a person in the first stage wants of the next boots, and what `log ENTRY` says of a failure."""

from __future__ import annotations

from pathlib import Path

import pytest
from nixos import extlinux_conf, generation, label
from session.sessions import ANNA, NOW, SERVED, Machine
from session.test_verbs import Client

from chainboot.boot.candidate import candidates
from chainboot.errors import NotFoundError, RefusedError
from chainboot.settings import Settings
from chainboot.trial import store
from chainboot.trial.entry_id import entry_id
from chainboot.trial.record import EntryRecord, Record, Request

CONF = extlinux_conf(
    label("nixos-default", "NixOS - Default", "gen=3"),
    generation(3, parameters="gen=3"),
    generation(2, parameters="gen=2"),
    generation(1, parameters="gen=1"),
    "\nLABEL gone\n  LINUX nowhere\n",
)
PATH = "boot/chainboot/trials"
FILE = "boot/extlinux/extlinux.conf"


def digest(machine: Machine, which: int) -> str:
    """By the number that the menu shows."""
    return entry_id(candidates(machine.discover().configurations)[which - 1].entry)


def record(machine: Machine) -> Record:
    found = store.read(machine.discover().volumes[0], f"/{PATH}").record
    assert found is not None
    return found


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Generations 3 and 1 are good, 2 is bad."""
    machine = Machine(tmp_path, CONF, reach=SERVED)
    known = (
        EntryRecord(digest(machine, 2), good=True, boots=4),
        EntryRecord(digest(machine, 4), good=True, boots=1),
        EntryRecord(digest(machine, 3), tries_done=2, since=NOW, why="it panicked"),
    )
    store.update(str(machine.disk), f"/{PATH}", lambda _: Record(entries=known), create=True)
    return machine


def client(machine: Machine) -> Client:
    return Client(machine, counted=True)


def boots(machine: Machine) -> object:
    """What would boot by itself now."""
    return client(machine).json("status --json")["boots_by_itself"]


def test_next_stays_until_the_configuration_has_another_default(machine: Machine) -> None:
    answer = client(machine).ask("next nixos-1-default")
    assert answer.text == (
        "nixos-1-default boots by itself from now on, until the configuration gets another default\n"
    )
    assert answer.talk == ("nixos-1-default is good (1 boot)",)
    assert record(machine).request == Request(digest(machine, 4), False, digest(machine, 1), ANNA.name, NOW)
    assert boots(machine) == "nixos-1-default"
    conf = machine.disk / FILE
    conf.write_text(conf.read_text().replace("DEFAULT nixos-default", "DEFAULT nixos-2-default"))
    assert boots(machine) == "nixos-3-default"  # generation 2 is bad


def test_next_once(machine: Machine) -> None:
    answer = client(machine).ask("next 4 --once")
    assert answer.text == "nixos-1-default boots the next time, and only then\n"
    assert answer.json == {"next": "nixos-1-default", "once": True}
    assert boots(machine) == "nixos-1-default"
    assert client(machine).ask("next --clear").text == "the configuration decides what boots\n"
    assert record(machine).request is None
    assert boots(machine) == "nixos-default"


def test_next_gives_a_bad_entry_fresh_tries(machine: Machine) -> None:
    answer = client(machine).ask("next nixos-2-default")
    assert "bad since" in answer.talk[0]
    found = record(machine).find(digest(machine, 3))
    assert found is not None
    assert (found.tries_left, found.tries_done, found.why) == (2, 0, "")
    assert boots(machine) == "nixos-2-default"


def test_rollback_takes_the_newest_other_good_entry(machine: Machine) -> None:
    assert client(machine).json("rollback --json") == {"next": "nixos-1-default", "once": False}
    assert boots(machine) == "nixos-1-default"
    # Again: there is no older one, and the newest one besides is the one from which it came.
    assert client(machine).json("rollback --json")["next"] == "nixos-3-default"


def test_where_nothing_else_is_good_there_is_no_rollback(machine: Machine) -> None:
    only = (EntryRecord(digest(machine, 1), good=True, boots=1),)
    store.update(str(machine.disk), f"/{PATH}", lambda _: Record(entries=only))
    with pytest.raises(NotFoundError, match="no entry beside nixos-default is known to be good"):
        client(machine).ask("rollback")


def test_set_default_writes_the_file_and_forgets_what_was_wished(machine: Machine) -> None:
    client(machine).ask("next nixos-1-default")
    answer = client(machine).ask("set-default nixos-2-default")
    assert answer.text == f"nixos-2-default is now the default of {machine.disk}/{FILE}\n"
    assert "DEFAULT nixos-2-default\n" in (machine.disk / FILE).read_text()
    assert record(machine).request is None
    found = record(machine).find(digest(machine, 3))
    assert found is not None
    assert found.tries_left == 2
    assert boots(machine) == "nixos-2-default"
    assert (
        client(machine)
        .ask("set-default nixos-2-default")
        .text.endswith(f"already the default of {machine.disk}/{FILE}\n")
    )


def test_a_dry_run_writes_nothing(machine: Machine) -> None:
    before = (machine.disk / FILE).read_bytes(), (machine.disk / PATH).read_bytes()
    assert "+DEFAULT nixos-2-default" in client(machine).ask("set-default nixos-2-default --dry-run").text
    assert ((machine.disk / FILE).read_bytes(), (machine.disk / PATH).read_bytes()) == before


def test_set_default_works_without_a_record(machine: Machine) -> None:
    (machine.disk / PATH).unlink()
    client(machine).ask("set-default nixos-1-default")
    assert boots(machine) == "nixos-1-default"
    assert not (machine.disk / PATH).exists()


def test_what_cannot_be_had_is_said_and_changes_nothing(machine: Machine) -> None:
    before = (machine.disk / PATH).read_bytes()
    for words, reason in (
        ("next gone", "gone cannot boot: kernel: /boot/extlinux/nowhere does not exist"),
        ("set-default gone", "gone was not made the default: kernel"),
    ):
        with pytest.raises(RefusedError, match=reason):
            client(machine).ask(words)
    with pytest.raises(NotFoundError):
        client(machine).ask("next nixos-99-default")
    assert (machine.disk / PATH).read_bytes() == before
    (machine.disk / PATH).unlink()
    for words in ("next 4", "rollback"):
        with pytest.raises(RefusedError, match="has no record of trials that could be kept"):
            client(machine).ask(words)
    assert not (machine.disk / PATH).exists()


def test_where_trials_are_off_next_says_so(machine: Machine) -> None:
    off = client(machine)
    off.overview.settings = Settings(tries=0)
    with pytest.raises(RefusedError, match="trials are off"):
        off.ask("next 4")


def test_everybody_looks_again_and_the_log_says_who(machine: Machine) -> None:
    asking = client(machine)
    before = asking.shared.looks()
    asking.ask("next 4 --once")
    assert asking.shared.looks() == before + 1
    assert asking.acts() == [f"{ANNA.name}: wants nixos-1-default to boot once"]


def test_why_an_entry_failed(machine: Machine) -> None:
    asking = client(machine)
    answer = asking.ask("log nixos-2-default")
    assert answer.text.startswith("nixos-2-default: bad since ")
    assert "it panicked" in answer.text
    assert "Nothing is known of a failed try of this entry." in answer.text
    own = digest(machine, 3)
    store.update(
        str(machine.disk),
        f"/{PATH}",
        lambda _: Record(entries=(EntryRecord(own, tries_left=1, tries_done=1),), started=own),
    )
    answer = client(machine).ask("log nixos-2-default")
    assert "trial 2 of 2, the last one failed: it panicked: out of coffee" in answer.text
    assert "  Kernel panic: out of coffee\n" in answer.text
    found = client(machine).json("log nixos-2-default --json")
    assert found["evidence"] == ["Kernel panic: out of coffee"]
    trials = found["trials"]
    assert isinstance(trials, dict)
    assert trials["standing"] == "trial"
