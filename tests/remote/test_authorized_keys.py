"""authorized_keys: what is read as which role, what is refused and why, and what dropbear is given."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from remote.keys import blob, public, string

from chainboot.remote.authorized_keys import KEY_LIMIT, KINDS, AuthorizedKey, keyed, merge, parse, render
from chainboot.remote.role import Role

# MAX_AUTHKEYS_LINE of dropbear 2022.83: of a longer line it takes the rest for a line of its own.
DROPBEAR_LINE = 4200


def one(options: str, *, default: Role | None = Role.ADMIN) -> AuthorizedKey | str:
    """The key that a line with these options gives, or why it gives none."""
    keys, problems = parse(f"{options} {public(1)}\n", default=default, source="k")
    if keys:
        assert problems == ()
        return keys[0]
    assert len(problems) == 1
    assert problems[0].startswith("k:1: the key was refused: ")
    return problems[0].removeprefix("k:1: the key was refused: ")


def key(role: Role = Role.ADMIN, *, pty: bool = True) -> AuthorizedKey:
    return AuthorizedKey(role, "ssh-ed25519", blob(1), "anna@desk", pty)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", key()),
        ('command="chainboot login --role boot"', key(Role.BOOT)),
        ('command="/usr/bin/chainboot login --role=boot"', key(Role.BOOT)),
        ('command="chainboot login --role=edit --key 12"', key(Role.EDIT)),
        ('command="chainboot login --key=3 --role view"', key(Role.VIEW)),
        ('command="/usr/bin/chainboot login  --role boot "', key(Role.BOOT)),
        ('COMMAND="chainboot login --role=boot"', key(Role.BOOT)),
        ('command="/usr/sbin/ssh-session view 3"', key(Role.VIEW)),
        ("no-port-forwarding,no-agent-forwarding,no-X11-forwarding,no-user-rc", key()),
        ("restrict", key(pty=False)),
        ("restrict,pty", key()),
        ("pty,restrict", key(pty=False)),
        ("no-pty", key(pty=False)),
        ("restrict,port-forwarding,X11-forwarding", key(pty=False)),
        ('restrict,command="chainboot login --role=view"', key(Role.VIEW, pty=False)),
    ],
)
def test_options_give_a_role_and_a_terminal(options: str, expected: AuthorizedKey) -> None:
    assert one(options) == expected


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ('command="rsync --server"', "it is for another program"),
        ('command=""', "it is for another program"),
        ('command="sh -c chainboot login --role=admin"', "it is for another program"),
        ('command="chainbooty --role=admin"', "it is for another program"),
        ('command="/tmp/ssh-session admin 1"', "it is for another program"),
        ('command="/usr/sbin/ssh-session admin"', "it is for another program"),
        ('command="/usr/sbin/ssh-session root 1"', "it is for another program"),
        ('command="chainboot login"', "its command names no role"),
        ('command="chainboot login --role"', "its command names no role"),
        ('command="chainboot login --role root"', "its command names no role"),
        ('command="chainboot login --role boot --key x"', "its command names no role"),
        ('command="chainboot login --role=boot --role=admin"', "its command has '--role=admin' in it"),
        ('command="chainboot login --role=boot; sh"', "its command has 'sh' in it"),
        ('command="chainboot login boot --role admin"', "its command has 'boot' in it"),
        ('command="chainboot boot 3"', "its command is not login"),
        ('command="chainboot"', "its command is not login"),
        ('command="chainboot --role admin"', "its command is not login"),
        ('command="chainboot --role admin login"', "its command is not login"),
        ('command="chainboot LOGIN --role admin"', "its command is not login"),
        ('command="/home/me/chainboot login --role admin"', "it is for another program"),
        ('command="./chainboot login --role admin"', "it is for another program"),
        ('command="/usr/sbin/chainboot login --role admin"', "it is for another program"),
        ('command="/usr/bin//chainboot login --role admin"', "it is for another program"),
        ('command="chainboot login --role=boot",command="chainboot login --role=boot"', "it has two forced commands"),
        ('from="10.0.0.0/8"', "'from' restricts it in a way that cannot be kept here"),
        ('expiry-time="20300101"', "'expiry-time' restricts"),
        ("verify-required", "'verify-required' restricts"),
        ("cert-authority", "'cert-authority' restricts"),
        ('principals="a"', "'principals' restricts"),
        ('permitopen="h:1"', "'permitopen' restricts"),
        ('tunnel="0"', "'tunnel' restricts"),
        ('environment="A=B"', "'environment' restricts"),
        ('restrict,from="::1"', "'from' restricts"),
        ("new-option", "'new-option' is no option that is known here"),
        ("restrict,", "'' is no option"),
        (",restrict", "'' is no option"),
        ("command=chainboot", "the value of 'command' is not in quotes"),
        ('command="chainboot', "a quote is not closed"),
        ('command="a\\"', "a quote is not closed"),
        ('command="chainboot login --role=view"x', "there is no comma after a closing quote"),
        ('no-pty="yes"', "'no-pty' is no option that is known here"),
    ],
)
def test_a_key_is_never_honoured_more_widely_than_it_was_written(options: str, reason: str) -> None:
    refused = one(options)
    assert isinstance(refused, str)
    assert refused.startswith(reason)


def test_a_key_without_a_role_has_the_default_one_or_none() -> None:
    assert one("", default=Role.VIEW) == key(Role.VIEW)
    assert one('command="chainboot login --role=boot"', default=None) == key(Role.BOOT)
    assert one("", default=None) == 'it names no role, put command="chainboot login --role ROLE" before it'
    assert isinstance(one("restrict", default=None), str)


def test_an_escaped_quote_does_not_end_a_value() -> None:
    assert one('command="chainboot login --role=\\"boot\\""') != key(Role.BOOT)
    refused = one('environment="A=\\",no-pty",restrict')
    assert isinstance(refused, str)
    assert refused.startswith("'environment'")


def test_touch_stays_required_and_that_is_said() -> None:
    keys, problems = parse(f"no-touch-required {public(1)}", default=Role.VIEW, source="k")
    assert keys == (key(Role.VIEW),)
    assert problems == ("k:1: no-touch-required is not honoured, the key must be touched at every login",)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("ssh-ed25519", "kind or key is missing"),
        ("restrict ssh-ed25519", "kind or key is missing"),
        ("ssh-dss AAAA", "keys of the kind 'ssh-dss' are not taken"),
        ("ssh-ed25519-cert-v01@openssh.com AAAA", "keys of the kind 'ssh-ed25519-cert-v01@openssh.com' are not"),
        ("ssh-ed25519 !!!!", "what follows its kind is not base64"),
        ("ssh-ed25519 \udcffAAA", "what follows its kind is not base64"),
        (f"ssh-ed25519 {blob(1)[:-4]}", "it is cut off or damaged"),
        (f"ssh-ed25519 {blob(1)[:-1]}", "what follows its kind is not base64"),
        (f"ssh-ed25519 {blob(1, 'ssh-ed25519', b'a', b'b')}", "it is cut off or damaged"),
        (f"ssh-ed25519 {blob(1, 'ssh-ed25518')}", "it says ssh-ed25519, and the key itself does not"),
        (f"ssh-rsa {blob(1, 'ssh-rsa', b'3', b'm' * 64)}", "RSA keys have at least 1024 bits"),
        (f"ssh-rsa {blob(1, 'ssh-rsa', b'3', b'm' * 3000)}", "it is longer than the server takes"),
        ("x" * 20000, "the line has more than 16384 characters"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", "'-----BEGIN' is no option"),
    ],
)
def test_what_is_no_whole_key_is_refused(line: str, reason: str) -> None:
    keys, problems = parse(f"# comment\n\n{line}\n{public(2)}\n", default=Role.VIEW, source="f")
    assert [found.blob for found in keys] == [blob(2)]
    assert len(problems) == 1
    assert problems[0].startswith(f"f:3: the key was refused: {reason}")


def test_every_kind_of_dropbear_is_taken() -> None:
    fields = {2: (b"k" * 32,), 3: (b"\1\0\1", b"\0" + b"m" * 256), 4: (b"nistp256", b"p" * 65, b"ssh:")}
    lines = [f"{kind} {blob(0, kind, *fields[count])} c" for kind, count in KINDS.items()]
    keys, problems = parse("\r\n".join(lines), default=Role.BOOT, source="k")
    assert [found.kind for found in keys] == list(KINDS)
    assert problems == ()


def test_the_first_line_of_a_key_decides_and_the_second_is_named() -> None:
    text = f'command="chainboot login --role=view" {public(1)}\n{public(1)}\n'
    keys, problems = parse(text, default=Role.ADMIN, source="k")
    assert keys == (key(Role.VIEW),)
    assert problems == ("k:2: the key was refused: it stands in line 1 already, remove one of them",)


def test_limits_are_kept_and_said() -> None:
    keys, problems = parse("\n".join(map(public, range(1, KEY_LIMIT + 9))), default=Role.VIEW, source="k")
    assert len(keys) == KEY_LIMIT
    assert problems == (f"k:{KEY_LIMIT + 1}: the keys from here on were refused: 1000 is the most there can be",)
    keys, problems = parse(f"{public(1)}\n#{'x' * (1 << 20)}\n{public(2)}", default=Role.VIEW, source="k")
    assert len(keys) == 1
    assert problems == ("k: only the first MiB was read, make it shorter",)
    assert len(parse("junk\n" * 5000, default=None, source="k\x1b")[1]) == 21
    assert "\x1b" not in "".join(parse("junk\x1b[2J\n" * 50, default=None, source="k\x1b")[1])


def test_dropbear_gets_the_role_and_the_line_number_and_no_forwarding() -> None:
    keys = (key(Role.BOOT), AuthorizedKey(Role.ADMIN, "ssh-ed25519", blob(2), "", pty=False))
    off = "no-port-forwarding,no-agent-forwarding,no-X11-forwarding"
    assert render(keys) == (
        f'command="/usr/sbin/ssh-session boot 1",{off} ssh-ed25519 {blob(1)} anna@desk\n'
        f'command="/usr/sbin/ssh-session admin 2",{off},no-pty ssh-ed25519 {blob(2)}\n'
    )


@pytest.mark.parametrize(
    ("comment", "cleaned"),
    [
        ("a\rssh-ed25519 AAAA", "a\N{REPLACEMENT CHARACTER}ssh-ed25519 AAAA"),
        ("a\x1b[2J", "a\N{REPLACEMENT CHARACTER}[2J"),
        ("  two\t words ", "two words"),
        ('J\u00fcrgen\'s "desk"', 'J\u00fcrgen\'s "desk"'),
        ("\udcfc\u202e", "\N{REPLACEMENT CHARACTER}" * 2),
        ("x" * 500, "x" * 100),
    ],
)
def test_comments_are_harmless(comment: str, cleaned: str) -> None:
    keys, _ = parse(public(1, comment), default=Role.VIEW, source="k")
    assert keys[0].comment == cleaned


KEYS = st.lists(
    st.builds(
        lambda role, comment, pty, parts: AuthorizedKey(
            role,
            parts[0],
            base64.b64encode(b"".join(map(string, (parts[0].encode(), *parts[1])))).decode(),
            comment,
            pty,
        ),
        st.sampled_from(Role),
        st.text(max_size=150),
        st.booleans(),
        st.sampled_from(sorted(KINDS)).flatmap(
            lambda kind: st.tuples(
                st.just(kind),
                st.lists(
                    st.binary(min_size=130, max_size=600).map(lambda data: b"\x7f" + data),
                    min_size=KINDS[kind] - 1,
                    max_size=KINDS[kind] - 1,
                ),
            )
        ),
    ),
    max_size=4,
    unique_by=lambda key: key.blob,
)


@given(KEYS)
def test_what_is_rendered_is_read_as_the_same(made: list[AuthorizedKey]) -> None:
    # What a file can hold: comments as they come out of one.
    keys, problems = parse(render(made), default=None, source="k")
    assert problems == ()
    assert [(found.role, found.kind, found.blob, found.pty) for found in keys] == [
        (wanted.role, wanted.kind, wanted.blob, wanted.pty) for wanted in made
    ]
    text = render(keys)
    assert parse(text, default=None, source="k") == (keys, ())
    for number, wanted in enumerate(keys, 1):
        assert keyed(text, number) == wanted
    for line in text.encode().split(b"\n"):
        assert len(line) < DROPBEAR_LINE
        assert b"\r" not in line


@given(st.text(st.characters(codec=None), max_size=400), st.sampled_from([None, Role.VIEW]))
def test_any_text_can_be_read_and_what_comes_of_it_is_one_line_for_each_key(text: str, default: Role | None) -> None:
    line = public(1)
    keys, _ = parse(f"{text}\n{line}{text}\n{text}{line}", default=default, source="k")
    rendered = render(keys)
    rendered.encode()
    assert len(rendered.splitlines()) == len(keys)


def test_keys_are_found_by_their_number() -> None:
    text = render([key(Role.VIEW), AuthorizedKey(Role.BOOT, "ssh-ed25519", blob(2), "b")])
    assert keyed(text, 1) == key(Role.VIEW)
    assert [keyed(text, number) for number in (-1, 0, 3, 4)] == [None] * 4
    assert keyed("junk\n", 1) is None


def test_merged_files_have_each_key_once_and_the_first_decides() -> None:
    other = AuthorizedKey(Role.VIEW, "ssh-ed25519", blob(2), "b")
    assert merge([key(Role.VIEW)], [key(Role.ADMIN), other]) == (key(Role.VIEW), other)
