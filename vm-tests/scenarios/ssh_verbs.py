"""What each role may do over SSH, verb by verb; what is refused is one sentence, and nothing is ever executed."""

import json
import re

from chainboot.session.lines import PROMPT
from chainboot.session.request import EXIT_NOT_ALLOWED, VERBS, Verb
from chainboot.verbs import EXIT_FAILED
from chainboot_vm import sample
from chainboot_vm.access import HOST, ROLES
from chainboot_vm.networked import Networked
from chainboot_vm.qemu import Network
from chainboot_vm.ssh import Client, Completed

DISKS = (sample.disk(timeout=0),)
NETWORKS = (Network(),)
SETTINGS = {"network_wait": 60}

WRONG_USAGE = 2
NOT_FOUND = 3

SHELL_INPUT = "echo answer: $((6 * 7)); ls /run\nexit\n"

# In a shell each of these would make a file.
MISCHIEF = (
    ("list; touch /run/mischief", WRONG_USAGE),
    ("show '`touch /run/mischief`$(touch /run/mischief)'", NOT_FOUND),
    ('show "1', WRONG_USAGE),
)


def run(machine: Networked) -> None:
    machine.start()
    admin, view = machine.ssh("admin"), machine.ssh("view")
    admin.wait_for_ssh()

    with machine.subtest("what is no verb"):
        _is_refused(admin.run("/bin/sh -c id"), WRONG_USAGE)
        for words, code in MISCHIEF:
            _is_refused(admin.run(words), code)
        for client, given in (("scp", ("-O", f"{HOST}:/etc/chainboot.conf", "/dev/null")), ("sftp", (HOST,))):
            transferred = view.transfer(client, *given)
            assert transferred.code != 0, f"{client} was served"
            assert f"{client} is not served here" in transferred.stderr, transferred.stderr

    with machine.subtest("every verb by every role"):
        done: dict[str, Completed] = {}
        for verb in VERBS:
            for rank, role in enumerate(ROLES):
                if rank < ROLES.index(verb.role.value):
                    _is_refused(_try(machine.ssh(role), verb), EXIT_NOT_ALLOWED)
                elif verb.name in ("next", "rollback"):  # trial_next_ssh has a record of trials
                    _is_refused(_try(machine.ssh(role), verb), EXIT_FAILED)
                elif verb.name != "menu":  # numbered lines, see below
                    answer = _try(machine.ssh(role), verb)
                    assert answer.code == 0, f"{role}: {verb.name}: {answer}"
                    assert answer.stdout, f"{role}: {verb.name} gave nothing"
                    done.setdefault(verb.name, answer)
        _is_refused(view.run("log 5"), EXIT_NOT_ALLOWED)
        _is_refused(machine.ssh("boot").run("boot 5 --append quiet --dry-run"), EXIT_NOT_ALLOWED)

    with machine.subtest("what they gave"):
        assert len(json.loads(done["list"].stdout)["entries"]) == sample.ENTRIES, done["list"]
        status = json.loads(done["status"].stdout)
        assert (status["you"]["role"], status["ssh"]["state"]) == ("view", "on"), status
        # By DHCP, and by the router's advertisement of a prefix.
        assert [address[:9] for address in status["addresses"]] == ["10.0.2.15", "fd00:c4b0"], status
        assert json.loads(done["show"].stdout)["cmdline"] == sample.GENERATIONS[2].command_line(), done["show"]
        assert "answer: 42" in done["shell"].stdout, done["shell"]
        # Whatever the words further up could have made would be there by now.
        assert "mischief" not in done["shell"].stdout, done["shell"]

    with machine.subtest("numbered lines where there is no terminal"):
        session = view.open("menu", tty=False)
        session.wait_for(re.escape(PROMPT))
        session.wait_for(r"(?m)^  5  NixOS - Configuration 3-default")
        session.send("9\n")
        session.wait_for("There is no entry '9'")
        session.send("q\n")
        assert session.wait_for_exit() == 0
        assert b"\x1b" not in session.raw, "an escape sequence for what is no terminal"

    with machine.subtest("who did what"):
        log = view.run("log").stdout
        for who, what in (
            ("vera@view", "was refused: boot needs a key with the role boot; this one has view"),
            ("vera@view", "was refused: sftp is not served here"),
            ("boris@boot", "holds the countdown"),
            ("boris@boot", "lets the countdown go on"),
            ("anna@admin", "opened a shell"),
            ("vera@view", "opened the menu"),
        ):
            assert f"{who} from 10.0.2.2: {what}" in log, f"the log does not say: {who}: {what}\n{log}"


def _try(client: Client, verb: Verb) -> Completed:
    words = [verb.name]
    if verb.entry and verb.name != "log":  # without one it is another question, for all
        words.append("'nixos-3-default'")
    for option, value in (("dry-run", ""), ("json", ""), ("device", "/dev/vda")):
        if option in verb.options:
            words += filter(None, (f"--{option}", value))
    return client.run(*words, input=SHELL_INPUT if verb.name == "shell" else None)


def _is_refused(done: Completed, code: int) -> None:
    assert done.code == code, f"exit code {done.code} and not {code}: {done.stdout}{done.stderr}"
    assert done.stdout == "", f"something on stdout: {done.stdout}"
    said = [line for line in done.stderr.splitlines() if not line.startswith("  (hint) ")]
    assert len(said) == 1, f"not one sentence: {done.stderr}"
    assert said[0].startswith("chainboot: "), said[0]
