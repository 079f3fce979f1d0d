"""A directory of unpacked Debian packages: kernel, modules, Python, busybox and kexec-tools for the first stage.

Knows apt-get and dpkg-deb, never as root and never the host's package status: nothing is installed, no maintainer
script runs. (Installing linux-image, kexec-tools or busybox would touch how the host itself boots.)
Knows nothing of images. `python -m chainboot_vm.sysroot` fetches one and prints where it is.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from chainboot.errors import ChainbootError, NotFoundError
from chainboot.process import ProcessError, Runner, run
from chainboot_vm.architecture import Architecture, architecture
from chainboot_vm.artifacts import BUILD, program, remove_tree

HOST_LISTS = Path("/var/lib/apt/lists")
OS_RELEASE = Path("/etc/os-release")

# Where a release comes from that is not this machine's own.
_SOURCES = """\
deb [signed-by={keyring}] http://deb.debian.org/debian {release} main
deb [signed-by={keyring}] http://deb.debian.org/debian-security {release}-security main
"""
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

# The version of Python is the one that the release's own `python3` depends on; nothing here names it.
# The file system tools are for the rescue shell: fsck of what chainboot mounts.
PACKAGES = (
    "busybox-static",
    "kexec-tools",
    "python3-minimal",
    "libpython3-stdlib",
    "util-linux",
    "dropbear-bin",
    "e2fsprogs",
    "dosfstools",
    "xfsprogs",
    "btrfs-progs",
)


@dataclass(frozen=True, slots=True)
class Sysroot:
    """Unpacked packages. `key` changes when they do; what is made from them is made again."""

    architecture: Architecture
    root: Path
    kernel_release: str
    key: str

    @property
    def kernel(self) -> Path:
        """The kernel image that both the first stage and the payload run."""
        return self.root / "boot" / f"vmlinuz-{self.kernel_release}"


@dataclass(frozen=True, slots=True)
class Package:
    """A line of `apt-get --print-uris`: the file it will be, which names the version, and its size in bytes."""

    file: str
    size: int


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a finished sysroot was made from, as a file of `key value` lines beside it."""

    wanted: str
    lists: str
    packages: str

    @classmethod
    def read(cls, path: Path) -> Stamp | None:
        """The stamp, or None when there is none or it was written by another version of this file."""
        try:
            lines = path.read_text().splitlines()
        except FileNotFoundError:
            return None
        values = dict(line.split(" ", 1) for line in lines if " " in line)
        try:
            return cls(values["wanted"], values["lists"], values["packages"])
        except KeyError:
            return None

    def write(self, path: Path) -> None:
        path.write_text(f"wanted {self.wanted}\nlists {self.lists}\npackages {self.packages}\n")


class Apt:
    """apt-get with a dpkg status, a cache and, where the host's do not fit, package lists of its own.

    An empty status makes the closure of dependencies complete whatever the host has installed. The host's sources,
    proxies and keys are used as they are; only where `arch` wants another release, its sources are Debian's own.
    """

    def __init__(
        self, arch: Architecture, home: Path, lists: Path, runner: Runner, os_release: Path = OS_RELEASE
    ) -> None:
        self._run = runner
        self._arch = arch
        self.archives = home / "archives"
        self.lists = lists
        self._nothing = home / "nothing"
        (self.archives / "partial").mkdir(parents=True, exist_ok=True)
        (self._nothing / "partial").mkdir(parents=True, exist_ok=True)
        (home / "status").touch()
        if lists != HOST_LISTS:
            (lists / "partial").mkdir(parents=True, exist_ok=True)
        options: tuple[str, ...] = (
            f"APT::Architecture={arch.debian}",
            f"APT::Architectures={arch.debian}",
            "APT::Sandbox::User=",  # the cache belongs to whoever calls, so _apt could not write it
            f"Dir::State::status={home / 'status'}",
            f"Dir::State::lists={lists}",
            f"Dir::Cache={home}",
            f"Dir::Cache::archives={self.archives}",
            "Acquire::Languages=none",
            "Acquire::Retries=3",
        )
        if arch.release is not None and f"VERSION_CODENAME={arch.release}" not in _lines(os_release):
            sources = home / "sources.list"
            sources.write_text(_SOURCES.format(keyring=_KEYRING, release=arch.release))
            options += (f"Dir::Etc::sourcelist={sources}", "Dir::Etc::sourceparts=-")
        self._options = tuple(word for option in options for word in ("-o", option))

    @property
    def lists_are_empty(self) -> bool:
        return not any(self.lists.glob(f"*_binary-{self._arch.debian}_Packages*"))

    def fingerprint(self) -> str:
        """Changes whenever the package lists do; cheap, so that asking is no reason to wait."""
        found = sorted(self.lists.glob(f"*_binary-{self._arch.debian}_Packages*"))
        return _digest(*(f"{path.name} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in found))

    def update(self) -> None:
        self._apt("apt-get", "-qq", "update")

    def kernel(self) -> str:
        """The package that the kernel meta package stands for today."""
        shown = self._apt("apt-cache", "show", "--no-all-versions", self._arch.kernel_package)
        for line in shown.splitlines():
            if line.startswith("Depends:"):
                for word in line.split():
                    if word.startswith("linux-image-"):
                        return word.rstrip(",")
        raise NotFoundError(f"{self._arch.kernel_package} does not depend on a linux-image package")

    def install_closure(self, *options: str) -> str:
        """`apt-get install` of what is wanted with its dependencies; never without one that only looks or loads."""
        assert "--download-only" in options
        return self._apt("apt-get", "-qq", "--yes", "--no-install-recommends", *options, "install", *PACKAGES)

    def download_alone(self, directory: Path, *options: str) -> str:
        """`apt-get download`, because the dependencies of a kernel (initramfs-tools, ...) serve to install it."""
        packages = (self.kernel(), *self._arch.alone)
        return self._apt("env", "-C", str(directory), "apt-get", "-qq", *options, "download", *packages)

    def closure(self) -> tuple[Package, ...]:
        """Every package that will be unpacked, without downloading any."""
        # From a directory that is empty: apt leaves out of the list what it has already downloaded.
        look = ("--print-uris", "-o", f"Dir::Cache::archives={self._nothing}")
        printed = self.install_closure("--download-only", *look) + self.download_alone(self._nothing, *look)
        return tuple(_packages(printed))

    def _apt(self, *argv: str) -> str:
        at = argv.index("apt-get") if "apt-get" in argv else 0
        command = (*argv[: at + 1], *self._options, *argv[at + 1 :])
        return self._run(command, check=True, timeout=1800).stdout


def fetch(arch: Architecture, *, build: Path = BUILD, runner: Runner = run, say: Callable[[str], None]) -> Sysroot:
    """The sysroot of `arch` below `build`, made if it is missing or if apt has newer packages.

    Once made it is used as it is when there is no network and no package list.
    Raises `ChainbootError` when packages can not be found or downloaded.
    """
    home = build / f"apt-{arch.name}"
    root = build / f"sysroot-{arch.name}"
    stamp_file = build / f"sysroot-{arch.name}.stamp"
    stamp = Stamp.read(stamp_file) if root.is_dir() else None
    wanted = _digest(*PACKAGES, arch.kernel_package, *arch.alone)
    apt = _apt(arch, home, runner)
    if stamp is not None and stamp.wanted == wanted and (apt.lists_are_empty or apt.fingerprint() == stamp.lists):
        return _finished(arch, root, stamp)
    if apt.lists_are_empty:
        say("fetching the package lists (kept below build/)")
        apt.update()
    packages = apt.closure()
    digest = _digest(*(f"{package.file} {package.size}" for package in packages))
    if stamp is None or stamp.packages != digest:
        _download(apt, packages, home, say)
        _unpack(apt.archives, packages, root, runner, say)
    stamp = Stamp(wanted, apt.fingerprint(), digest)
    stamp.write(stamp_file)
    return _finished(arch, root, stamp)


def _apt(arch: Architecture, home: Path, runner: Runner) -> Apt:
    """The host's package lists where they are for this architecture, lists of our own elsewhere."""
    host = Apt(arch, home, HOST_LISTS, runner)
    return Apt(arch, home, home / "lists", runner) if host.lists_are_empty else host


def _download(apt: Apt, packages: tuple[Package, ...], home: Path, say: Callable[[str], None]) -> None:
    missing = [package for package in packages if not (apt.archives / package.file).is_file()]
    if not missing:
        return
    megabytes = sum(package.size for package in missing) / 1e6
    say(f"downloading {len(missing)} Debian packages, {megabytes:.0f} MB (unpacked below build/, not installed)")
    try:
        apt.install_closure("--download-only")
        apt.download_alone(apt.archives)
    except ProcessError as error:
        hint = f"the package lists may be old: run `apt-get update` as root, or remove {home} and try again"
        raise ChainbootError(f"the packages could not be downloaded: {error.message}", hint=hint) from error
    wanted = {package.file for package in packages}
    for old in apt.archives.glob("*.deb"):
        if old.name not in wanted:
            old.unlink()


def _unpack(
    archives: Path, packages: tuple[Package, ...], root: Path, runner: Runner, say: Callable[[str], None]
) -> None:
    say(f"unpacking {len(packages)} packages into {root.name}")
    fresh = root.with_name(root.name + ".new")
    remove_tree(fresh)
    fresh.mkdir(parents=True)
    for package in packages:
        runner([program("dpkg-deb"), "-x", str(archives / package.file), str(fresh)], check=True, timeout=600)
    remove_tree(root)
    fresh.rename(root)


def _finished(arch: Architecture, root: Path, stamp: Stamp) -> Sysroot:
    kernels = sorted((root / "boot").glob("vmlinuz-*"))
    if len(kernels) != 1:
        hint = f"remove {root} and try again"
        raise ChainbootError(f"{root}/boot should hold one kernel and holds {len(kernels)}", hint=hint)
    return Sysroot(arch, root, kernels[0].name.removeprefix("vmlinuz-"), stamp.packages)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def _packages(printed: str) -> Iterator[Package]:
    """Reads `'URI' FILE SIZE HASH` lines (apt-get(8), --print-uris); the hash is empty where it is not an MD5."""
    for line in printed.splitlines():
        words = line.split()
        if len(words) >= 3 and words[0].startswith("'") and words[2].isdigit():
            yield Package(words[1], int(words[2]))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def main() -> None:
    """`python -m chainboot_vm.sysroot [ARCHITECTURE]`"""
    if shutil.which("apt-get") is None:
        sys.exit("error: a sysroot is made of Debian packages, and there is no apt-get here")
    try:
        made = fetch(architecture(sys.argv[1] if len(sys.argv) > 1 else "x86_64"), say=print)
    except ChainbootError as error:
        sys.exit(f"error: {error}" + (f"\n(hint) {error.hint}" if error.hint else ""))
    print(made.root)


if __name__ == "__main__":
    main()
