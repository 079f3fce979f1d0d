"""Keys behind an initrd: what the kernel finds in it, who can read it, and what is refused before it is written."""

from __future__ import annotations

import errno
import gzip
import os
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from remote.keys import DROPBEAR, OPENSSH, public

from chainboot.cli import main
from chainboot.errors import ChainbootError, NotFoundError, RefusedError
from chainboot.image.access import AddedFile, later_files
from chainboot.image.cpio import Directory, File, pack
from chainboot.image.secrets import System, append_secrets, warn_of_store
from chainboot.install.initrd import check_initrd
from chainboot.process import run
from chainboot.remote.authorized_keys import parse
from chainboot.remote.role import Role

HOST_KEY = AddedFile("/etc/chainboot/host_key", 0o600, b"a key", "--host-key")
KEYS = AddedFile("/etc/chainboot/authorized_keys", 0o600, b"somebody\n", "--authorized-keys")
SETTINGS = AddedFile("/etc/chainboot.conf", 0o600, b"ssh_port=23\n", "--settings")

IMAGE = b"".join(pack([("/etc", Directory(0o755)), ("/etc/chainboot.conf", File(0o644, b"ssh_port=22\n" * 99))]))


def quiet(text: str) -> None:
    raise AssertionError(f"nothing was to be said: {text}")


@pytest.fixture
def initrd(tmp_path: Path) -> Path:
    path = tmp_path / "built.initrd"
    path.write_bytes(gzip.compress(IMAGE, mtime=0))
    return path


def entries(archive: bytes) -> Iterator[tuple[str, int, bytes]]:
    """Name, mode and content of a newc archive's entries, as buffer-format.rst has them."""
    at = 0
    while True:
        assert archive[at : at + 6] == b"070701"
        fields = [int(archive[at + 6 + 8 * number : at + 14 + 8 * number], 16) for number in range(13)]
        mode, size, length = fields[1], fields[6], fields[11]
        name = archive[at + 110 : at + 110 + length - 1].decode()
        at += (110 + length + 3) // 4 * 4
        if name == "TRAILER!!!":
            return
        yield name, mode, archive[at : at + size]
        at += (size + 3) // 4 * 4


@pytest.mark.parametrize("tail", range(4))
def test_the_secrets_stand_behind_the_image_where_the_kernel_looks_for_them(
    tmp_path: Path, initrd: Path, tail: int
) -> None:
    initrd.write_bytes(initrd.read_bytes() + bytes(tail))
    before = initrd.read_bytes()
    output = tmp_path / "output"
    told = append_secrets(initrd, output, [HOST_KEY, KEYS, SETTINGS], quiet)
    assert told == (
        f"{output}: {len(before)} bytes of built.initrd, and behind them /etc/chainboot/host_key, "
        "/etc/chainboot/authorized_keys, /etc/chainboot.conf"
    )
    after = output.read_bytes()
    assert after.startswith(before)
    start = after.index(b"070701", len(before))
    assert start % 4 == 0
    assert after[len(before) : start] == bytes(-len(before) % 4)
    assert list(entries(after[start:])) == [
        ("etc", stat.S_IFDIR | 0o755, b""),
        ("etc/chainboot", stat.S_IFDIR | 0o755, b""),
        ("etc/chainboot.conf", stat.S_IFREG | 0o600, SETTINGS.data),
        ("etc/chainboot/authorized_keys", stat.S_IFREG | 0o600, KEYS.data),
        ("etc/chainboot/host_key", stat.S_IFREG | 0o600, HOST_KEY.data),
    ]
    assert initrd.read_bytes() == before


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_install_takes_it_whatever_it_is_compressed_with(tmp_path: Path, compression: str) -> None:
    initrd = tmp_path / "built.initrd"
    initrd.write_bytes(IMAGE)
    if compression == "gzip":
        initrd.write_bytes(gzip.compress(IMAGE + b"\0", mtime=0))
    elif compression == "zstd":
        (tmp_path / "plain").write_bytes(IMAGE)
        subprocess.run(["zstd", "-q", "-f", "-o", initrd, tmp_path / "plain"], check=True)
    output = tmp_path / "output"
    append_secrets(initrd, output, [HOST_KEY], quiet)
    assert check_initrd(str(output), None, run) == ()
    again = tmp_path / "again"
    append_secrets(output, again, [KEYS], quiet)
    assert check_initrd(str(again), None, run) == ()


class Witness(System):
    """Sees the new file when it is complete, and what stands in its place at that moment."""

    def __init__(self, output: Path) -> None:
        self.output = output
        self.seen: list[tuple[int, bytes]] = []

    def sync(self, descriptor: int) -> None:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            self.seen.append((self.mode(descriptor), self.output.read_bytes()))
        super().sync(descriptor)


def test_only_its_owner_can_read_it_and_the_old_one_stays_until_it_is_whole(tmp_path: Path, initrd: Path) -> None:
    output = tmp_path / "output"
    output.write_bytes(b"an old one")
    output.chmod(0o644)
    witness = Witness(output)
    before = os.umask(0)
    try:
        append_secrets(initrd, output, [HOST_KEY], quiet, witness)
    finally:
        os.umask(before)
    assert witness.seen == [(0o600, b"an old one")]
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["built.initrd", "output"]


class FullDisk(System):
    def sync(self, descriptor: int) -> None:
        super().sync(descriptor)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Fat(System):
    """Every file can be read by everybody, as where FAT is mounted with its usual umask."""

    def mode(self, descriptor: int) -> int:
        return super().mode(descriptor) | 0o155


def test_a_disk_that_is_full_costs_nothing(tmp_path: Path, initrd: Path) -> None:
    output = tmp_path / "output"
    output.write_bytes(b"an old one")
    with pytest.raises(ChainbootError) as failed:
        append_secrets(initrd, output, [KEYS], quiet, FullDisk())
    assert failed.value.message == f"{output} cannot be written: no space left on device"
    assert output.read_bytes() == b"an old one"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["built.initrd", "output"]


def test_a_file_system_without_permissions_gets_no_host_key(tmp_path: Path, initrd: Path) -> None:
    output = tmp_path / "output"
    with pytest.raises(RefusedError) as refused:
        append_secrets(initrd, output, [HOST_KEY, KEYS], quiet, Fat())
    assert refused.value.message == (f"{output} was not written: on this file system everybody could read the host key")
    assert [path.name for path in tmp_path.iterdir()] == ["built.initrd"]
    said: list[str] = []
    append_secrets(initrd, output, [KEYS], said.append, Fat())
    assert said == [f"{output} lies on a file system where everybody can read it"]
    assert output.exists()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is no initrd: it is empty"),
        (b"\x7fELF" + bytes(99), "is no initrd: it is neither a cpio archive nor compressed as the kernel knows it"),
        (b"MZ" + bytes(99), "is no initrd: it is neither a cpio archive nor compressed as the kernel knows it"),
        (b"ssh_port=1\n", "is no initrd: it is neither a cpio archive nor compressed as the kernel knows it"),
    ],
)
def test_what_is_no_initrd_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    initrd, output = tmp_path / "x", tmp_path / "output"
    initrd.write_bytes(data)
    with pytest.raises(RefusedError) as refused:
        append_secrets(initrd, output, [KEYS], quiet)
    assert refused.value.message == f"{initrd} {message}"
    assert not output.exists()


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as missing:
        append_secrets(tmp_path / "x", tmp_path / "output", [KEYS], quiet)
    assert missing.value.message == f"{tmp_path}/x cannot be read: no such file or directory"
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(RefusedError) as refused:
            append_secrets(path, tmp_path / "output", [KEYS], quiet)
        assert refused.value.message == f"{path} is no initrd: it is no file"


def test_nothing_to_append_is_a_mistake(tmp_path: Path, initrd: Path) -> None:
    with pytest.raises(ChainbootError) as refused:
        append_secrets(initrd, tmp_path / "output", [], quiet)
    assert refused.value.message == "there is nothing to append"


@pytest.mark.parametrize("link", ["", "symbolic", "hard"])
def test_the_initrd_itself_stays_as_it_was_built(tmp_path: Path, initrd: Path, link: str) -> None:
    output = tmp_path / "link" if link else initrd
    if link == "symbolic":
        output.symlink_to(initrd)
    elif link:
        output.hardlink_to(initrd)
    before = initrd.read_bytes()
    with pytest.raises(RefusedError) as refused:
        append_secrets(initrd, output, [KEYS], quiet)
    assert refused.value.message.startswith(f"{output} is the initrd itself")
    assert initrd.read_bytes() == before


def test_the_nix_store_gets_no_secrets(tmp_path: Path, initrd: Path) -> None:
    (tmp_path / "result").symlink_to("/nix/store/abc-x")
    for directory in ("/nix/store", "/nix/store/abc-x", tmp_path / "result"):
        with pytest.raises(RefusedError) as refused:
            append_secrets(initrd, Path(directory) / "initrd", [KEYS], quiet)
        assert refused.value.message.endswith("was not written: everybody can read what is in the Nix store")


def test_a_private_key_in_the_nix_store_is_known_to_everybody(tmp_path: Path) -> None:
    said: list[str] = []
    (tmp_path / "link").symlink_to("/nix/store/abc-key")
    warn_of_store([tmp_path / "link", tmp_path / "key", Path("/nix/store/abc-key")], said.append)
    assert [line.partition(" is in the Nix store")[0] for line in said] == [f"{tmp_path}/link", "/nix/store/abc-key"]


def test_where_it_cannot_be_written_nothing_is_left(tmp_path: Path, initrd: Path) -> None:
    output = tmp_path / "output"
    output.mkdir()
    with pytest.raises(ChainbootError) as failed:
        append_secrets(initrd, output, [KEYS], quiet)
    assert failed.value.message == f"{output} cannot be written: is a directory"
    with pytest.raises(ChainbootError) as missing:
        append_secrets(initrd, tmp_path / "gone/output", [KEYS], quiet)
    assert missing.value.message == f"{tmp_path}/gone/output cannot be written: no such file or directory"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["built.initrd", "output"]


# -- which files those are


def test_a_key_without_a_role_stays_so_where_the_image_s_settings_are_not_known(tmp_path: Path) -> None:
    (tmp_path / "one").write_text(
        f'{public(1)}\ncommand="chainboot login --role view" {public(2, "bert")}\nno-pty {public(3, "carl")}\n'
    )
    (tmp_path / "two").write_text(f'command="chainboot login --role edit" {public(1)}\nrestrict {public(4, "")}\n')
    (file,) = later_files([tmp_path / "one", tmp_path / "two"], None, None)
    assert (file.target, file.mode) == ("/etc/chainboot/authorized_keys", 0o600)
    for default in (Role.VIEW, Role.ADMIN):
        keys, problems = parse(file.data.decode(), default=default, source="x")
        assert problems == ()
        assert [(key.comment, key.role, key.pty) for key in keys] == [
            ("anna@desk", default, True),
            ("bert", Role.VIEW, True),
            ("carl", default, False),
            ("", default, False),
        ]


def test_with_settings_the_role_is_that_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"{public(1)}\n")
    (tmp_path / "settings").write_text("# ours\nssh_role=boot")
    settings, keys = later_files([tmp_path / "keys"], None, tmp_path / "settings")
    assert (settings.target, settings.mode, settings.data) == (
        "/etc/chainboot.conf", 0o600, b"# ours\nssh_role=boot\n",
    )  # fmt: skip
    assert parse(keys.data.decode(), default=None, source="x")[0][0].role is Role.BOOT
    (tmp_path / "settings").write_text("ssh_role=none\n")
    with pytest.raises(ChainbootError) as refused:
        later_files([tmp_path / "keys"], None, tmp_path / "settings")
    assert "it names no role" in refused.value.message


def test_a_host_key_is_as_dropbear_has_it(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(OPENSSH)
    (file,) = later_files([], tmp_path / "key", None)
    assert (file.target, file.mode, file.data) == ("/etc/chainboot/host_key", 0o600, DROPBEAR)


def test_the_command(tmp_path: Path, initrd: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "host_key").write_bytes(OPENSSH)
    (tmp_path / "keys").write_text(f"{public(1)}\n")
    (tmp_path / "settings").write_text("ssh_port=23\n")
    output = tmp_path / "output"

    def call(*options: str) -> tuple[object, str, str]:
        arguments = ["append-secrets", "--initrd", str(initrd), "--output", str(output), *options]
        with pytest.raises(SystemExit) as left:
            main(arguments)
        return left.value.code, *capsys.readouterr()

    code, out, err = call(
        *("--host-key", f"{tmp_path}/host_key"),
        *("--authorized-keys", f"{tmp_path}/keys"),
        *("--settings", f"{tmp_path}/settings"),
    )
    assert (code, err) == (0, "")
    assert out.startswith(f"{output}: {initrd.stat().st_size} bytes of built.initrd, and behind them ")
    assert DROPBEAR in output.read_bytes()
    written = output.read_bytes()
    (tmp_path / "keys").write_text("junk\n")
    code, out, err = call("--authorized-keys", f"{tmp_path}/keys")
    assert (code, out) == (1, "")
    assert err.startswith(f"chainboot: error: {tmp_path}/keys:1: the key was refused: ")
    assert output.read_bytes() == written


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_lost_link_leaves_no_half_of_a_file_with_a_key(tmp_path: Path, initrd: Path, number: signal.Signals) -> None:
    """The administrator's connection ends while the boot volume is written: `sync` is where that takes long."""

    class Cut(System):
        def sync(self, descriptor: int) -> None:
            super().sync(descriptor)
            os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt):
        append_secrets(initrd, tmp_path / "output", [HOST_KEY], quiet, Cut())
    assert [path.name for path in tmp_path.iterdir()] == ["built.initrd"]
    assert signal.getsignal(number) is before


def test_the_file_and_its_name_are_on_the_disk(tmp_path: Path, initrd: Path) -> None:
    """fsync(2): a new name needs its directory to be synced as well."""
    synced = []

    class Noting(System):
        def sync(self, descriptor: int) -> None:
            synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
            super().sync(descriptor)

    append_secrets(initrd, tmp_path / "output", [HOST_KEY], quiet, Noting())
    file, directory = synced
    assert os.path.basename(file).startswith(".chainboot-")
    assert directory == str(tmp_path)
