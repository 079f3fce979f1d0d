"""What an administrator adds to an image, and what stops the build instead of the login."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from chainboot.architecture import X86_64
from chainboot.errors import ChainbootError
from chainboot.image.access import AddedFile, access_files, access_notes
from chainboot.image.tree import ImageTree

# Any 32 bytes are a public key as far as authorized_keys is concerned.
BLOBS = [base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes((number,)) * 32).decode() for number in range(3)]
NO_ROLE = f"ssh-ed25519 {BLOBS[0]} anna"
VIEWER = f'command="chainboot login --role view" ssh-ed25519 {BLOBS[1]} bert'


def test_nothing_wanted_is_nothing_added() -> None:
    assert access_files([], None, []) == ()


def test_keys_of_several_files_and_settings(tmp_path: Path) -> None:
    (tmp_path / "one").write_text(f"# people\n{NO_ROLE}\n")
    (tmp_path / "two").write_text(f"{VIEWER}\n{NO_ROLE}\n")
    settings, keys = access_files(
        [tmp_path / "one", tmp_path / "two"], None, ["ssh_role=boot", "ssh_port=2222 ", "ip=a b"]
    )
    assert settings == AddedFile("/etc/chainboot.conf", 0o644, b"ssh_role=boot\nssh_port=2222\nip=a b\n", "--set")
    assert (keys.target, keys.mode, keys.because) == ("/etc/chainboot/authorized_keys", 0o600, "--authorized-keys")
    options = "no-port-forwarding,no-agent-forwarding,no-X11-forwarding"
    assert keys.data.decode().splitlines() == [
        f'command="/usr/sbin/ssh-session boot 1",{options} {NO_ROLE}',
        f'command="/usr/sbin/ssh-session view 2",{options} ssh-ed25519 {BLOBS[1]} bert',
    ]


def test_a_key_that_would_be_refused_is_an_error_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f'{VIEWER}\ncommand="rsync --server" ssh-ed25519 {BLOBS[0]} backup\n')
    with pytest.raises(ChainbootError) as refused:
        access_files([tmp_path / "keys"], None, [])
    assert refused.value.message.startswith(f"{tmp_path / 'keys'}:2: ")
    (tmp_path / "keys").write_text(f"{NO_ROLE}\n")
    with pytest.raises(ChainbootError) as roleless:
        access_files([tmp_path / "keys"], None, ["ssh_role=none"])
    assert roleless.value.message.startswith(f"{tmp_path / 'keys'}:1: ")


@pytest.mark.parametrize("text", ["", "# nobody\n"])
def test_a_file_without_keys_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "keys").write_text(text)
    with pytest.raises(ChainbootError) as refused:
        access_files([tmp_path / "keys"], None, [])
    assert refused.value.message == f"{tmp_path / 'keys'} holds no key"


def test_files_that_are_not_there_or_too_large(tmp_path: Path) -> None:
    with pytest.raises(ChainbootError) as missing:
        access_files([tmp_path / "keys"], None, [])
    assert missing.value.message == f"{tmp_path / 'keys'} cannot be read: No such file or directory"
    (tmp_path / "keys").write_bytes(bytes((1 << 20) + 1))
    with pytest.raises(ChainbootError) as large:
        access_files([tmp_path / "keys"], None, [])
    assert large.value.message == f"{tmp_path / 'keys'} is larger than a MiB, and so no file of keys"


def test_a_host_key_as_dropbear_has_it(tmp_path: Path) -> None:
    # dropbear's form: the kind, then seed and public key in one string (its signkey.c).
    key = b"\0\0\0\x0bssh-ed25519\0\0\0\x40" + SEED + PUBLIC
    (tmp_path / "host_key").write_bytes(key)
    assert access_files([], tmp_path / "host_key", []) == (
        AddedFile("/etc/chainboot/host_key", 0o600, key, "--host-key"),
    )


# RFC 8032, section 7.1, test 1.
SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")


def test_what_is_no_host_key_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "host_key").write_text(NO_ROLE)
    with pytest.raises(ChainbootError) as refused:
        access_files([], tmp_path / "host_key", [])
    assert refused.value.message.startswith(f"{tmp_path / 'host_key'}: ")
    assert refused.value.hint


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("ssh_port", "--set 'ssh_port' is not NAME=VALUE"),
        ("# ssh_port=1", "--set '# ssh_port=1' is not NAME=VALUE"),
        ("ssh_port=1\nip=dhcp", "--set 'ssh_port=1\\nip=dhcp' is not NAME=VALUE"),
        ("ssh_prot=22", "ssh_prot is no setting of chainboot"),
        ("ssh_port=99999", "ssh_port=99999 was ignored: it wants a port, from 1 to 65535"),
    ],
)
def test_settings_that_make_no_sense(setting: str, words: str) -> None:
    with pytest.raises(ChainbootError) as refused:
        access_files([], None, [setting])
    assert refused.value.message == words


def test_a_file_of_settings_comes_before_single_ones(tmp_path: Path) -> None:
    (tmp_path / "settings").write_text("# ours\r\nssh_role=boot\r\n\nssh_port=22")
    (tmp_path / "keys").write_text(f"{NO_ROLE}\n")
    settings, keys = access_files([tmp_path / "keys"], None, ["ssh_role=view"], tmp_path / "settings")
    text = b"# ours\nssh_role=boot\n\nssh_port=22\nssh_role=view\n"
    assert settings == AddedFile("/etc/chainboot.conf", 0o644, text, "--settings")
    assert b"ssh-session view 1" in keys.data
    (tmp_path / "settings").write_text("ssh_port=22\nspeed=9\n")
    with pytest.raises(ChainbootError) as refused:
        access_files([], None, [], tmp_path / "settings")
    assert refused.value.message == f"{tmp_path}/settings:2:1: speed is no setting of chainboot"


def test_several_refused_keys_are_one_readable_line(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("junk\njunk\n")
    with pytest.raises(ChainbootError) as refused:
        access_files([tmp_path / "keys"], None, [])
    assert str(refused.value).count(f"{tmp_path}/keys:") == 2
    assert "\ufffd" not in str(refused.value)


@pytest.mark.parametrize(
    ("files", "note"),
    [
        ([], None),
        (["/usr/sbin/dropbear"], "no authorized keys"),
        (["/usr/sbin/dropbear", "/etc/chainboot/authorized_keys"], "no host key"),
        (["/usr/sbin/dropbear", "/etc/chainboot/authorized_keys", "/etc/chainboot/host_key"], None),
    ],
)
def test_the_report_says_what_is_missing_for_ssh(files: list[str], note: str | None) -> None:
    tree = ImageTree(X86_64)
    for path in files:
        tree.add_file(path, 0o600, b"", "test", "test")
    notes = access_notes(tree)
    assert len(notes) == (0 if note is None else 1)
    assert all(said.startswith(note or "") for said in notes)
