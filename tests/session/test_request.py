"""What a client may ask for: every verb with every role, and every way to ask for something else."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chainboot.remote.role import Role
from chainboot.session.request import EXIT_NOT_ALLOWED, VERBS, Request, RequestError, parse, usage
from chainboot.text import printable

VIEW, BOOT, EDIT, ADMIN = Role

# Written out by hand: what a role may do is not to change because somebody changed the table.
LEAST = {
    "menu": VIEW,
    "list": VIEW,
    "show": VIEW,
    "plan": VIEW,
    "status": VIEW,
    "log": VIEW,
    "next": BOOT,
    "rollback": BOOT,
    "set-default": EDIT,
    "help": VIEW,
    "boot": BOOT,
    "hold": BOOT,
    "resume": BOOT,
    "rescan": BOOT,
    "reboot": BOOT,
    "poweroff": ADMIN,
    "shell": ADMIN,
    "chroot": ADMIN,
}


def refusal(text: str, role: Role = ADMIN) -> tuple[str, int]:
    with pytest.raises(RequestError) as raised:
        parse(text, role)
    return raised.value.message, raised.value.code


def test_the_table_of_roles_has_every_verb() -> None:
    assert set(LEAST) == {verb.name for verb in VERBS}


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("verb", LEAST)
def test_every_verb_with_every_role(verb: str, role: Role) -> None:
    if role.allows(LEAST[verb]):
        entry = "3" if verb in ("next", "set-default") else None
        assert parse(" ".join(filter(None, (verb, entry))), role) == Request(verb, entry)
    else:
        assert refusal(verb, role) == (
            f"{verb} needs a key with the role {LEAST[verb].value}; this one has {role.value}",
            EXIT_NOT_ALLOWED,
        )


@pytest.mark.parametrize("role", Role)
def test_why_an_entry_failed_needs_the_role_boot(role: Role) -> None:
    if role.allows(BOOT):
        assert parse("log 3", role).entry == "3"
    else:
        message = f"why an entry failed needs a key with the role boot; this one has {role.value}"
        assert refusal("log 3", role) == (message, EXIT_NOT_ALLOWED)
    assert parse("log", role).entry is None


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize(
    "option", ["--append x", "--append=x", "--cmdline x", "--cmdline=x", "--cmdline=", "--append="]
)
@pytest.mark.parametrize("dry", ["", " --dry-run"])
def test_a_command_line_of_one_s_own_needs_the_role_edit(role: Role, option: str, dry: str) -> None:
    text = f"boot 1 {option}{dry}"
    if role.allows(EDIT):
        assert parse(text, role).entry == "1"
    elif role is BOOT:
        message = "a command line of one's own needs a key with the role edit; this one has boot"
        assert refusal(text, role) == (message, EXIT_NOT_ALLOWED)
    else:
        assert refusal(text, role)[1] == EXIT_NOT_ALLOWED


def test_looking_at_a_plan_with_another_command_line_changes_nothing_and_is_free() -> None:
    assert parse("plan 1 --cmdline x --append y", VIEW) == Request("plan", "1", ("y",), "x")


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        ("", Request("menu")),
        ("  \t\n", Request("menu")),
        ("list --json", Request("list", json=True)),
        ("--help", Request("help")),
        ("-h", Request("help")),
        ("?", Request("help")),
        ("boot", Request("boot")),
        ("boot nixos-42-default", Request("boot", "nixos-42-default")),
        ("  boot   2  ", Request("boot", "2")),
        ("boot --json 2 --dry-run", Request("boot", "2", json=True, dry_run=True)),
        ("boot 'my entry'", Request("boot", "my entry")),
        ('boot "my entry" --append "a b" --append c', Request("boot", "my entry", ("a b", "c"))),
        ("boot a\\ b", Request("boot", "a b")),
        ("boot --append=a=b", Request("boot", append=("a=b",))),
        ("boot 2 --APPEND='A=B' --Append --JSON", Request("boot", "2", append=("A=B", "--JSON"))),
        ("boot --append --json", Request("boot", append=("--json",))),
        ("boot --cmdline ''", Request("boot", cmdline="")),
        ("boot --cmdline a --cmdline b", Request("boot", cmdline="b")),
        ("boot -2", Request("boot", "-2")),
        ("boot '#3'", Request("boot", "#3")),
        ("show $(reboot)", None),
        ("show '$HOME;reboot`x`*'", Request("show", "$HOME;reboot`x`*")),
        ("reboot --dry-run --json", Request("reboot", json=True, dry_run=True)),
        ("chroot 2 --device vda2 --subvol @ --activate --dry-run",
         Request("chroot", "2", device="vda2", subvol="@", activate=True, dry_run=True)),
        ("chroot 2 --dry-run --json", Request("chroot", "2", dry_run=True, json=True)),
        ("chroot 2 -- ls --json", Request("chroot", "2", command=("ls", "--json"))),
        ("help --json", Request("help", json=True)),
        ("chroot 2 -- passwd --status root", Request("chroot", "2", command=("passwd", "--status", "root"))),
        ("chroot -- ls", Request("chroot", command=("ls",))),
        ("chroot --", Request("chroot")),
    ],
)  # fmt: skip
def test_what_is_asked_for(text: str, request_: Request | None) -> None:
    assert parse(text, ADMIN) == (request_ or Request("show", "$(reboot)"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("scp -t /root", "scp is not served here: this is a boot menu"),
        ("/usr/bin/scp -f x", "scp is not served here: this is a boot menu"),
        ("/usr/lib/openssh/sftp-server", "sftp is not served here: this is a boot menu"),
        ("internal-sftp", "sftp is not served here: this is a boot menu"),
        ("rsync --server -logDtpre.iLsfxC . x", "rsync is not served here: this is a boot menu"),
        ("git-upload-pack '/x'", "git is not served here: this is a boot menu"),
        ("mosh-server new", "mosh is not served here: this is a boot menu"),
        ("ls", "ls is no verb"),
        ("LIST", "LIST is no verb"),
        ("list;reboot", "list;reboot is no verb"),
        ("/bin/sh -c reboot", "/bin/sh is no verb"),
        ("''", "an empty word is no verb"),
        ("\x1b[2J\u202e", "\ufffd[2J\ufffd is no verb"),
        ("x" * 1000, f"{'x' * 59}~ is no verb"),
        ("x" * 16385, "more than 16384 characters are no request"),
        ("boot 'x", "a quotation mark is not closed"),
        ('boot "x', "a quotation mark is not closed"),
        ("boot x\\", "a quotation mark is not closed"),
        ("boot 1 2", "2 is one word too many"),
        ("boot 1 ''", "an empty word is one word too many"),
        ("list 1", "1 is one word too many"),
        ("status; reboot", "status; is no verb"),
        ("list && reboot", "&& is one word too many"),
        ("list --speed", "list has no option --speed"),
        ("list --json=1", "--json takes no value"),
        ("menu --json", "menu has no option --json"),
        ("shell --json", "shell has no option --json"),
        ("chroot --json", "--json is for chroot --dry-run"),
        ("chroot 2 --json -- ls --dry-run", "--json is for chroot --dry-run"),
        ("hold --dry-run", "hold has no option --dry-run"),
        ("boot --append", "--append wants a text after it"),
        ("boot 1 --cmdline", "--cmdline wants a text after it"),
        ("boot --append 'a\x1bb'", "--append may not hold control characters"),
        ("boot --cmdline 'a\nb'", "--cmdline may not hold control characters"),
        ("boot --append \u202e", "--append may not hold control characters"),
        ("boot --append \udcff", "--append may not hold control characters"),
        ("boot -- 1", "boot has no option --"),
    ],
)
def test_anything_else_is_refused_in_one_sentence(text: str, message: str) -> None:
    assert refusal(text) == (message, 2)


def test_a_refused_verb_is_refused_before_its_words_are_looked_at() -> None:
    assert refusal("poweroff --nonsense", VIEW)[1] == EXIT_NOT_ALLOWED


WORDS = st.lists(
    st.one_of(
        st.sampled_from([*LEAST, "--json", "--append", "--cmdline", "--dry-run", "--", "'", '"', "\\", "1", "=", "#"]),
        st.text(max_size=5),
    )
).map(" ".join)


@settings(deadline=None)
@given(st.one_of(WORDS, st.text(st.characters(exclude_categories=()))), st.sampled_from(Role))
@example("boot --append\x00", ADMIN)
def test_no_text_does_anything_but_ask_or_be_refused(text: str, role: Role) -> None:
    try:
        asked = parse(text, role)
    except RequestError as error:
        assert error.code in (2, EXIT_NOT_ALLOWED)
        assert printable(str(error)) == str(error)
        return
    assert role.allows(LEAST[asked.verb])
    assert asked.verb != "boot" or role.allows(EDIT) or (asked.append, asked.cmdline) == ((), None)


def test_help_lists_what_the_role_may_do() -> None:
    for role in Role:
        lines = [line for line in usage(role).splitlines() if not line.startswith(" ")]
        assert {line.split()[0] for line in lines} == {verb for verb, least in LEAST.items() if role.allows(least)}
    assert "boot [ENTRY] [--append TEXT] [--cmdline TEXT] [--dry-run] [--json]" in usage(BOOT)
