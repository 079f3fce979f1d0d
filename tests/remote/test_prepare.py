"""What stands before SSH is served: keys of the image and of the boot volume, and a host key that stays the same."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from fakes import FakeRunner
from remote.keys import DROPBEAR, FINGERPRINT, OPENSSH, another_dropbear, public

from chainboot.boot.discovery import Discovery
from chainboot.boot.volume import Configuration, Volume
from chainboot.errors import ChainbootError
from chainboot.extlinux.menu import BootMenu
from chainboot.process import Completed
from chainboot.remote.host_key import fingerprint
from chainboot.remote.prepare import Outcome, prepare
from chainboot.settings import Settings

ALLOWED = Settings(ssh_volume_keys=1)


class Machine(FakeRunner):
    """A first stage below a directory. `dropbearkey` makes a new key each time; `mounts` may hide the disk."""

    def __init__(self, base: Path) -> None:
        super().__init__({"blkid": Completed((), 0, "TYPE=ext4\n")})
        self.base = base
        self.made = 0
        self.devices: tuple[str, ...] = ()
        self.disk = base / "disk"
        self.appears_on_replay: bytes | None = None
        for directory in ("etc", "run", "disk/boot/extlinux"):
            (base / directory).mkdir(parents=True)
        for directory in (self.disk, self.disk / "boot"):
            directory.chmod(0o755)
        (base / "run/first-stage").touch()

    def __call__(self, argv: Sequence[str], *, check: bool, timeout: float | None = None) -> Completed:
        done = super().__call__(argv, check=check, timeout=timeout)
        if argv[0] == "dropbearkey":
            self.made += 1
            with open(argv[-1], "xb") as file:
                file.write(another_dropbear(self.made))
        if self.appears_on_replay is not None and any("rw," in word for word in argv):
            self.keep("host_key", self.appears_on_replay)
        return done

    def keep(self, name: str, data: bytes | str, mode: int = 0o600) -> Path:
        """A file of ours on the disk."""
        directory = self.disk / "boot/chainboot"
        directory.mkdir(mode=0o700, exist_ok=True)
        (directory / name).write_bytes(data.encode() if isinstance(data, str) else data)
        (directory / name).chmod(mode)
        return directory / name

    def prepare(self, settings: Settings = Settings(), *, disk: bool = True) -> Outcome:  # noqa: B008
        volume = Volume(str(self.disk), "/dev/vda2 (ext4)", "/dev/vda2", mounted=True)
        path = "/boot/extlinux/extlinux.conf"
        configuration = Configuration(volume, path, BootMenu(path))
        found = Discovery(self.devices, configurations=(configuration,)) if disk else Discovery()
        return prepare(
            self,
            settings=settings,
            discovery=found,
            etc=str(self.base / "etc"),
            runtime=str(self.base / "run"),
            home=str(self.base / "root"),
        )

    def served(self) -> bytes:
        """The host key that dropbear is given."""
        return (self.base / "run/ssh/host_key").read_bytes()

    def logins(self) -> str:
        """The keys that dropbear is given."""
        return (self.base / "root/.ssh/authorized_keys").read_text()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path)
    (tmp_path / "etc/authorized_keys").write_text(f"{public(1)}\n")
    (tmp_path / "etc/host_key").write_bytes(OPENSSH)
    return made


@pytest.fixture
def keyless(machine: Machine) -> Machine:
    (machine.base / "etc/host_key").unlink()
    return machine


def test_the_image_gives_keys_and_host_key_and_no_disk_is_touched(machine: Machine) -> None:
    assert machine.prepare() == Outcome(1, FINGERPRINT, (), True)
    assert machine.logins().startswith('command="/usr/sbin/ssh-session admin 1",no-port-forwarding')
    assert machine.served() == DROPBEAR
    assert machine.commands == []
    run, home = machine.base / "run/ssh", machine.base / "root"
    assert {path.name: path.stat().st_mode & 0o777 for path in (run, *run.iterdir(), home, *home.rglob("*"))} == {
        "ssh": 0o700, "host_key": 0o600, "authorized_keys": 0o600, "problems": 0o600, "root": 0o700, ".ssh": 0o700,
    }  # fmt: skip
    assert (run / "authorized_keys").read_text() == machine.logins()
    assert (run / "problems").read_text() == ""


def test_a_directory_that_others_may_write_is_closed_since_dropbear_refuses_it(machine: Machine) -> None:
    logins = machine.base / "root/.ssh"
    logins.mkdir(parents=True)
    logins.chmod(0o777)
    machine.prepare()
    assert logins.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(("settings", "keys"), [(Settings(), 1), (ALLOWED, 2)])
def test_it_waits_while_another_has_taken_the_disk_down(keyless: Machine, settings: Settings, keys: int) -> None:
    keyless.keep("host_key", DROPBEAR)
    keyless.keep("authorized_keys", public(2))
    holder = os.open(keyless.base / "run/mounts", os.O_RDWR | os.O_CREAT)
    fcntl.flock(holder, fcntl.LOCK_EX)
    (keyless.disk / "boot").rename(keyless.disk / "hidden")
    child = os.fork()
    if child == 0:
        time.sleep(0.3)
        (keyless.disk / "hidden").rename(keyless.disk / "boot")
        os._exit(0)  # the lock is one of the open file, which both have
    os.close(holder)
    assert keyless.prepare(settings) == Outcome(keys, FINGERPRINT, (), True)
    assert keyless.commands == []  # it did not take a disk that is away for one without a key
    os.waitpid(child, 0)


def test_it_is_for_the_first_stage_only(machine: Machine) -> None:
    (machine.base / "run/first-stage").unlink()
    with pytest.raises(ChainbootError, match="in the first stage only"):
        machine.prepare()
    assert not (machine.base / "root").exists()


@pytest.mark.parametrize("role", ["view", "boot", "edit"])
def test_a_key_without_a_role_has_the_one_of_the_settings(machine: Machine, role: str) -> None:
    assert machine.prepare(Settings(ssh_role=role)).keys == 1
    assert f"ssh-session {role} 1" in machine.logins()


@pytest.mark.parametrize("role", ["none", ""])
def test_without_any_key_ssh_is_not_served(machine: Machine, role: str) -> None:
    machine.prepare()
    outcome = machine.prepare(Settings(ssh_role=role))
    assert (outcome.keys, outcome.serve, outcome.fingerprint) == (0, False, "")
    assert outcome.problems[-1] == "no key may log in: give the image authorized keys"
    assert machine.logins() == ""  # who could log in before cannot any more
    (machine.base / "etc/authorized_keys").unlink()
    assert machine.prepare().problems == ("no key may log in: give the image authorized keys",)


def test_keys_of_the_disk_count_where_they_are_allowed(machine: Machine) -> None:
    kept = f'{public(2)}\ncommand="chainboot login --role=view" {public(3)}\nfrom="::1" {public(4)}\n'
    machine.keep("authorized_keys", kept)
    assert machine.prepare().keys == 1
    outcome = machine.prepare(ALLOWED)
    assert (outcome.keys, outcome.serve) == (3, True)
    assert [line.split()[1:3] for line in machine.logins().splitlines()] == [
        ["admin", '1",no-port-forwarding,no-agent-forwarding,no-X11-forwarding'],
        ["admin", '2",no-port-forwarding,no-agent-forwarding,no-X11-forwarding'],
        ["view", '3",no-port-forwarding,no-agent-forwarding,no-X11-forwarding'],
    ]
    assert len(outcome.problems) == 1
    assert outcome.problems[0].startswith("/boot/chainboot/authorized_keys:3: the key was refused: 'from'")
    assert (machine.base / "run/ssh/problems").read_text() == f"{outcome.problems[0]}\n"


def test_a_disk_does_not_widen_a_key_of_the_image(machine: Machine) -> None:
    (machine.base / "etc/authorized_keys").write_text(f'command="chainboot login --role=view" {public(1)}\n')
    machine.keep("authorized_keys", f'command="chainboot login --role=admin" {public(1)}\n')
    assert machine.prepare(ALLOWED).keys == 1
    assert "ssh-session view 1" in machine.logins()


@pytest.mark.parametrize("place", ["authorized_keys", ".", "..", "../.."])
def test_keys_that_others_than_root_can_write_are_refused(machine: Machine, place: str) -> None:
    path = machine.keep("authorized_keys", public(2)).parent / place
    path.chmod(0o777 if path.is_dir() else 0o620)
    outcome = machine.prepare(ALLOWED)
    assert outcome.keys == 1
    assert "no key of /dev/vda2 (ext4) may log in: others than root may write /" in outcome.problems[0]


def test_keys_in_the_nix_store_are_taken(machine: Machine) -> None:
    store = machine.disk / "nix/store"
    store.mkdir(parents=True)
    (machine.disk / "nix").chmod(0o755)
    (store / "abc-keys").write_text(public(2))
    (store / "abc-keys").chmod(0o444)
    store.chmod(0o1775)
    (machine.keep("x", "").parent / "authorized_keys").symlink_to("/nix/store/abc-keys")
    assert machine.prepare(ALLOWED).keys == 2


@pytest.mark.parametrize("name", ["authorized_keys", "host_key"])
def test_links_never_leave_the_disk(keyless: Machine, name: str) -> None:
    (keyless.base / "secret").write_text(public(2))
    (keyless.keep("x", "").parent / name).symlink_to(keyless.base / "secret")
    outcome = keyless.prepare(ALLOWED)
    assert outcome.keys == 1
    assert any("links never leave the volume" in problem for problem in outcome.problems)


def test_a_host_key_is_made_once_and_kept_on_the_disk(keyless: Machine) -> None:
    outcome = keyless.prepare()
    kept = keyless.disk / "boot/chainboot/host_key"
    assert outcome == Outcome(1, fingerprint(another_dropbear(1)), (), True)
    assert kept.read_bytes() == keyless.served() == another_dropbear(1)
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.parent.stat().st_mode & 0o777 == 0o700
    assert os.listdir(kept.parent) == ["host_key"]
    names = [command[0] for command in keyless.commands]
    assert names == ["dropbearkey", "blkid", "blkid", "umount", "mount", "sync", "umount", "mount"]
    # The next start of the machine: /run is empty, and the disk has the key.
    for path in (keyless.base / "run/ssh").iterdir():
        path.unlink()
    assert keyless.prepare() == outcome
    assert keyless.made == 1
    assert len(keyless.commands) == len(names)


def test_a_host_key_of_openssh_on_the_disk_is_taken(keyless: Machine) -> None:
    keyless.keep("host_key", OPENSSH)
    assert keyless.prepare().fingerprint == FINGERPRINT
    assert keyless.served() == DROPBEAR


def test_the_image_goes_before_the_disk(machine: Machine) -> None:
    machine.keep("host_key", another_dropbear(9))
    assert machine.prepare().fingerprint == FINGERPRINT


def test_a_broken_host_key_of_the_image_is_said_and_the_disk_is_next(machine: Machine) -> None:
    (machine.base / "etc/host_key").write_bytes(OPENSSH[:100])
    machine.keep("host_key", DROPBEAR)
    assert machine.prepare() == Outcome(
        1, FINGERPRINT, ("the image's host key is not used: the host key is damaged or cut off",), True
    )


@pytest.mark.parametrize(
    ("data", "mode", "why"),
    [(b"", 0o600, "the file is empty"), (b"ssh-rsa A", 0o600, "public key"), (DROPBEAR, 0o660, "others than root")],
)
def test_a_host_key_of_no_use_is_not_overwritten(keyless: Machine, data: bytes, mode: int, why: str) -> None:
    kept = keyless.keep("host_key", data, mode)
    outcome = keyless.prepare()
    assert outcome.serve
    assert outcome.problems[0].startswith("the host key is that of this boot only: the one of /dev/vda2 (ext4) is not")
    assert why in outcome.problems[0]
    assert kept.read_bytes() == data


def test_a_host_key_that_only_the_journal_holds_is_not_overwritten(keyless: Machine) -> None:
    keyless.appears_on_replay = DROPBEAR
    assert keyless.prepare() == Outcome(1, FINGERPRINT, (), True)
    assert (keyless.disk / "boot/chainboot/host_key").read_bytes() == keyless.served() == DROPBEAR


@pytest.mark.parametrize("failing", ["mount -t ext4 -o rw"])
def test_where_it_cannot_be_kept_the_key_of_this_boot_serves_and_stays(keyless: Machine, failing: str) -> None:
    before = dict(keyless.answers)
    keyless.answers[failing] = Completed((), 32, stderr="busy")
    outcome = keyless.prepare()
    assert outcome.serve
    assert outcome.problems[0].startswith(
        "the host key is that of this boot only: it could not be kept on /dev/vda2 (ext4): "
    )
    assert keyless.prepare().fingerprint == outcome.fingerprint
    assert keyless.made == 1
    # When it can be kept after all, it is the same key.
    keyless.answers = before
    assert keyless.prepare() == Outcome(1, outcome.fingerprint, (), True)
    assert (keyless.disk / "boot/chainboot/host_key").read_bytes() == another_dropbear(1)


def test_nothing_is_written_while_a_system_sleeps_on_a_disk(keyless: Machine) -> None:
    keyless.devices = ("vda", "vdb")
    keyless.answers = {"blkid -p -o export /dev/vdb": Completed((), 0, "TYPE=swsuspend\n"), **keyless.answers}
    outcome = keyless.prepare()
    assert outcome.serve
    assert "a hibernated system sleeps on /dev/vdb" in outcome.problems[0]
    assert not any(command[0] in ("mount", "umount") for command in keyless.commands)


def test_a_link_in_place_of_our_directory_leads_nowhere(keyless: Machine) -> None:
    (keyless.base / "elsewhere").mkdir()
    (keyless.disk / "elsewhere").mkdir()
    (keyless.disk / "boot/chainboot").symlink_to("../elsewhere")
    outcome = keyless.prepare()
    assert outcome.serve
    assert len(outcome.problems) == 1
    assert "/boot/chainboot is a symbolic link to ../elsewhere" in outcome.problems[0]
    assert os.listdir(keyless.base / "elsewhere") == os.listdir(keyless.disk / "elsewhere") == []


def test_without_a_disk_the_key_is_that_of_this_boot(keyless: Machine) -> None:
    outcome = keyless.prepare(disk=False)
    assert outcome.problems == (
        "the host key is that of this boot only: no disk with a configuration was found to keep it on",
    )
    # A disk that comes later gets it.
    assert keyless.prepare() == Outcome(1, outcome.fingerprint, (), True)
    assert (keyless.disk / "boot/chainboot/host_key").read_bytes() == another_dropbear(1)


def test_without_any_way_to_a_host_key_it_raises_with_the_logins_written(keyless: Machine) -> None:
    keyless.answers["dropbearkey"] = Completed((), 1, stderr="no entropy")
    with pytest.raises(ChainbootError, match="no entropy"):
        keyless.prepare()
    assert "ssh-session admin 1" in keyless.logins()
    (keyless.base / "run/ssh/host_key.new").write_bytes(b"left by a killed run")
    del keyless.answers["dropbearkey"]
    assert keyless.prepare().serve
