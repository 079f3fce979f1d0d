"""The host key: from OpenSSH's file to dropbear's, checked against their own programs where they are installed."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from remote.keys import DROPBEAR, FINGERPRINT, OPENSSH, PUBLIC, string

from chainboot.errors import ChainbootError
from chainboot.remote.host_key import fingerprint, public_blob, to_dropbear


def body() -> bytes:
    return base64.b64decode(b"".join(OPENSSH.split(b"\n")[1:-2]))


def armored(data: bytes) -> bytes:
    return b"-----BEGIN OPENSSH PRIVATE KEY-----\n" + base64.encodebytes(data) + b"-----END OPENSSH PRIVATE KEY-----\n"


def test_an_openssh_key_becomes_what_dropbearconvert_makes_of_it() -> None:
    assert to_dropbear(OPENSSH) == DROPBEAR
    assert to_dropbear(b"\n" + OPENSSH.replace(b"\n", b"\r\n")) == DROPBEAR
    assert to_dropbear(DROPBEAR) == DROPBEAR


def test_public_part_and_fingerprint_are_those_of_ssh_keygen() -> None:
    assert base64.b64encode(public_blob(DROPBEAR)).decode() == PUBLIC.split()[1]
    assert fingerprint(DROPBEAR) == FINGERPRINT


@pytest.mark.parametrize(
    ("data", "message", "hint"),
    [
        (b"", "the file is empty", "ssh-keygen -t ed25519"),
        (b" \n", "the file is empty", "ssh-keygen -t ed25519"),
        (PUBLIC.encode(), "this is a public key", "without .pub"),
        (b"ecdsa-sha2-nistp256 AAAA x", "this is a public key", "without .pub"),
        (b"-----BEGIN RSA PRIVATE KEY-----\nMII\n", "it is no ed25519 key in OpenSSH's own format", "ed25519"),
        (b"PuTTY-User-Key-File-3: ssh-ed25519", "it is no private key of OpenSSH or dropbear", "ed25519"),
        (b"x" * 70000, "it is too large", "ed25519"),
        (string(b"ssh-rsa") + string(b"e") + string(b"n"), "it is a ssh-rsa key", "ed25519"),
        (string(b"ssh-\x1b[2J"), "it is a ssh-", "ed25519"),
        (DROPBEAR[:-1], "damaged", "copy it again"),
        (DROPBEAR + b"x", "damaged", "copy it again"),
        (OPENSSH[:200], "damaged", "copy it again"),
        (OPENSSH.replace(b"b3Bl", b"b3B!"), "damaged", "copy it again"),
        (OPENSSH + OPENSSH, "damaged", "copy it again"),
        (armored(b"openssh-key-v2\0" + body()[15:]), "damaged", "copy it again"),
        (armored(body()[:-1]), "damaged", "copy it again"),
        (armored(body() + b"\0"), "damaged", "copy it again"),
        (armored(body()[:-1] + b"\0"), "damaged", "copy it again"),
        (armored(body().replace(b"\0\0\0\1\0\0\0\x33", b"\0\0\0\2\0\0\0\x33")), "more than one key", "ed25519"),
        (
            armored(b"openssh-key-v1\0" + string(b"aes256-ctr") + string(b"bcrypt") + string(b"salt")),
            "locked with a passphrase",
            "ssh-keygen -p -N ''",
        ),
    ],
)
def test_what_is_no_usable_key_is_refused_with_what_to_do(data: bytes, message: str, hint: str) -> None:
    with pytest.raises(ChainbootError) as refused:
        to_dropbear(data)
    assert message in refused.value.message
    assert hint in (refused.value.hint or "")
    assert "\x1b" not in str(refused.value)


def test_check_numbers_that_differ_are_refused() -> None:
    at = body().index(base64.b64decode(PUBLIC.split()[1])) + 51 + 4  # behind the public part and a length
    assert body()[at : at + 4] == body()[at + 4 : at + 8]
    with pytest.raises(ChainbootError, match="damaged"):
        to_dropbear(armored(body()[:at] + b"\xff" + body()[at + 1 :]))


def test_halves_that_do_not_belong_together_are_refused() -> None:
    public = base64.b64decode(PUBLIC.split()[1])[-32:]
    assert body().count(public) == 3
    at = body().index(public)
    for _ in range(3):
        with pytest.raises(ChainbootError, match="damaged"):
            to_dropbear(armored(body()[:at] + b"\xff" + body()[at + 1 :]))
        at = body().find(public, at + 1)


@given(st.integers(0, 400), st.binary(max_size=8))
def test_a_damaged_file_gives_the_key_or_a_sentence(at: int, junk: bytes) -> None:
    for data in (OPENSSH, DROPBEAR, armored(body()[:at] + junk + body()[at + len(junk) :])):
        try:
            made = to_dropbear(data[:at] + junk + data[at + len(junk) :])
        except ChainbootError as error:
            assert error.hint
        else:
            assert len(made) == len(DROPBEAR)


# Where `make image` unpacks Debian's packages; its programs run here where they are for this machine.
SYSROOT = Path(__file__).parents[2] / f"build/sysroot-{os.uname().machine}"
LIBRARIES = ":".join(map(str, SYSROOT.glob("usr/lib/*-linux-gnu")))


def program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:{SYSROOT / 'usr/bin'}")
    if found is None:
        pytest.skip(f"{name} is not installed, and the sysroot of `make image` does not have it")
    return found


def call(*argv: str) -> str:
    environment = os.environ | ({"LD_LIBRARY_PATH": LIBRARIES} if argv[0].startswith(str(SYSROOT)) else {})
    return subprocess.run(argv, check=True, capture_output=True, text=True, env=environment).stdout


def test_ssh_keygen_agrees(tmp_path: Path) -> None:
    keygen = program("ssh-keygen")
    call(keygen, "-q", "-t", "ed25519", "-N", "", "-C", "a comment of some length", "-f", str(tmp_path / "k"))
    key = to_dropbear((tmp_path / "k").read_bytes())
    assert base64.b64encode(public_blob(key)).decode() == (tmp_path / "k.pub").read_text().split()[1]
    assert fingerprint(key).split()[1] == call(keygen, "-l", "-f", str(tmp_path / "k.pub")).split()[1]
    for kind in ("rsa", "ecdsa"):
        call(keygen, "-q", "-t", kind, "-N", "", "-f", str(tmp_path / kind))
        with pytest.raises(ChainbootError, match=f"it is a .*{kind}.* key"):
            to_dropbear((tmp_path / kind).read_bytes())
    call(keygen, "-q", "-t", "ed25519", "-N", "secret", "-f", str(tmp_path / "locked"))
    with pytest.raises(ChainbootError, match="locked with a passphrase"):
        to_dropbear((tmp_path / "locked").read_bytes())


def test_dropbear_agrees(tmp_path: Path) -> None:
    dropbearkey, convert = program("dropbearkey"), program("dropbearconvert")
    call(dropbearkey, "-t", "ed25519", "-f", str(tmp_path / "k"))
    made = (tmp_path / "k").read_bytes()
    said = call(dropbearkey, "-y", "-f", str(tmp_path / "k"))
    assert to_dropbear(made) == made
    assert fingerprint(made).split()[1] in said
    assert base64.b64encode(public_blob(made)).decode() in said
    call(convert, "dropbear", "openssh", str(tmp_path / "k"), str(tmp_path / "o"))
    assert to_dropbear((tmp_path / "o").read_bytes()) == made
