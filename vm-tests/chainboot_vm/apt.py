"""apt-get with a status of its own: which packages a sysroot is made of, and fetching them.

Knows apt-get, never as root and never the host's package status: nothing is installed. Knows nothing of unpacking.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chainboot.errors import NotFoundError
from chainboot.process import Runner
from chainboot_vm.architecture import Architecture

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
class Package:
    """A line of `apt-get --print-uris`: the file it will be, which names the version, and its size in bytes."""

    file: str
    size: int


class Apt:
    """apt-get with a dpkg status, a cache and, where the host's do not fit, package lists of its own.

    An empty status makes the closure of dependencies complete whatever the host has installed. The host's sources,
    proxies and keys are used as they are; only where `arch` wants another release, its sources are Debian's own.
    `packages` are wanted with what they depend on; with `alone` kernel and boot loader are too, without it.
    """

    def __init__(
        self,
        arch: Architecture,
        home: Path,
        lists: Path,
        runner: Runner,
        os_release: Path = OS_RELEASE,
        *,
        packages: tuple[str, ...] = PACKAGES,
        alone: bool = True,
    ) -> None:
        self._run = runner
        self._arch = arch
        self._packages = packages
        self._alone = alone
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
        return digest(*(f"{path.name} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in found))

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
        return self._apt("apt-get", "-qq", "--yes", "--no-install-recommends", *options, "install", *self._packages)

    def download_alone(self, directory: Path, *options: str) -> str:
        """`apt-get download`, because the dependencies of a kernel (initramfs-tools, ...) serve to install it."""
        if not self._alone:
            return ""
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


def digest(*parts: str) -> str:
    """One hash of several lines."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
