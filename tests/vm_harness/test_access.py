"""The keys of the tests, and what they add to an image."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from fakes import FakeRunner

from chainboot.errors import ChainbootError
from chainboot.process import run
from chainboot.remote import authorized_keys
from chainboot_vm import access
from chainboot_vm.access import HOST, ROLES, STRANGER, Access
from chainboot_vm.additions import Additions, append, archive

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Access:
    return access.keys(build=tmp_path_factory.mktemp("build"))


def test_a_key_for_each_role_one_for_nobody_and_the_hosts(keys: Access) -> None:
    for name in (*ROLES, STRANGER, HOST):
        assert keys.private(name).stat().st_mode & 0o777 == 0o600
        assert keys.public(name).startswith("ssh-ed25519 AAAA")
        assert keys.public(name).endswith(f" {keys.comment(name)}")
        assert run(("ssh-keygen", "-y", "-f", str(keys.private(name))), check=True).stdout.startswith(
            keys.public(name).rpartition(" ")[0]
        )
    assert len({keys.public(name) for name in (*ROLES, STRANGER, HOST)}) == len(ROLES) + 2


def test_they_are_made_once(keys: Access) -> None:
    runner = FakeRunner()
    assert access.keys(build=keys.directory.parent, runner=runner) == keys
    assert runner.commands == []


def test_exactly_the_host_key_is_known(keys: Access) -> None:
    kind, blob, _ = keys.public(HOST).split()
    assert keys.known_hosts.read_text() == f"{HOST} {kind} {blob}\n"


def test_nothing_is_added_to_an_image_that_needs_nothing(keys: Access, tmp_path: Path) -> None:
    image = tmp_path / "first-stage.initrd"
    assert append(Additions(), image, keys, build=tmp_path) == image
    assert list(tmp_path.iterdir()) == []


def test_additions_come_behind_the_image_where_the_kernel_looks(keys: Access, tmp_path: Path) -> None:
    image = tmp_path / "first-stage.initrd"
    image.write_bytes(b"odd length")
    additions = Additions({"ssh_window": 5, "ssh_role": "none"}, ("view", "admin"), host_key=True)
    made = append(additions, image, keys, build=tmp_path)
    assert made.read_bytes() == b"odd length\0\0" + archive(additions, keys)
    assert append(additions, image, keys, build=tmp_path) == made
    elsewhere = tmp_path / "elsewhere" / image.name
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(b"another image")
    assert append(additions, elsewhere, keys, build=tmp_path) != made
    image.write_bytes(b"another image")
    again = append(additions, image, keys, build=tmp_path).read_bytes()
    assert again.startswith(b"another image" + bytes(3) + b"070701")


def test_what_is_in_the_archive(keys: Access, tmp_path: Path) -> None:
    if shutil.which("cpio") is None:
        pytest.skip("cpio is not installed")
    packed = tmp_path / "additions.cpio"
    packed.write_bytes(archive(Additions({"ssh_window": 5}, ROLES, host_key=True), keys))
    run(("cpio", "-idm", "--quiet", "--no-absolute-filenames", "-D", str(tmp_path), "-F", str(packed)), check=True)
    assert (tmp_path / "etc/chainboot.conf").read_text() == "ssh_window=5\n"
    found, problems = authorized_keys.parse(
        (tmp_path / "etc/chainboot/authorized_keys").read_text(), default=None, source="image"
    )
    assert problems == ()
    assert [(key.role.value, key.comment) for key in found] == [(role, keys.comment(role)) for role in ROLES]
    own = tmp_path / "etc/chainboot/host_key"
    assert own.stat().st_mode & 0o777 == 0o600
    assert own.read_bytes().startswith(b"\0\0\0\x0bssh-ed25519\0\0\0\x40")


def test_nothing_more_than_was_asked_for(keys: Access) -> None:
    packed = archive(Additions({"ssh_window": 5}), keys)
    assert b"chainboot.conf" in packed
    assert b"authorized_keys" not in packed
    assert b"host_key" not in packed


def test_a_key_that_the_first_stage_refuses_is_told(tmp_path: Path) -> None:
    directory = tmp_path / "ssh"
    directory.mkdir()
    (directory / "admin.pub").write_text("ssh-dss AAAA anna@admin\n")
    with pytest.raises(ChainbootError, match="the keys of the tests are refused: authorized_keys:1"):
        archive(Additions(keys=("admin",)), Access(directory))
