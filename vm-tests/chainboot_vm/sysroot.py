"""A directory of unpacked Debian packages: kernel, modules, Python, busybox and kexec-tools for the first stage.

Knows dpkg-deb, never as root: nothing is installed, no maintainer script runs. (Installing linux-image, kexec-tools or
busybox would touch how the host itself boots.) One that Nix has made, of links into its store, is `given` instead.
Knows nothing of images. `python -m chainboot_vm.sysroot` fetches one and prints where it is.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from chainboot.errors import ChainbootError
from chainboot.image.sysroot import Sysroot as ImageSysroot
from chainboot.process import ProcessError, Runner, run
from chainboot_vm.apt import HOST_LISTS, PACKAGES, Apt, Package, digest
from chainboot_vm.architecture import Architecture, architecture
from chainboot_vm.artifacts import BUILD, program, remove_tree


@dataclass(frozen=True, slots=True)
class Sysroot:
    """Kernel and programs. `key` changes when they do; what is made from them is made again.

    `store` is a directory of this machine that symbolic links in it may lead to, see chainboot.image.sysroot.
    `complete` is the complete first stage that was made from it, where this is not ours to build.
    """

    architecture: Architecture
    root: Path
    kernel_release: str
    key: str
    store: Path | None = None
    complete: Path | None = None

    @property
    def kernel(self) -> Path:
        """The kernel image that both the first stage and the payload run."""
        return self.root / "boot" / f"vmlinuz-{self.kernel_release}"

    def open(self) -> ImageSysroot:
        """The same as the image builder sees it."""
        return ImageSysroot.open(self.root, self.store)

    def read(self, path: str) -> bytes:
        """The file at `path`, which has no leading slash. Links lead where they do on the machine it is for."""
        return self.open().read(f"/{path}")


def given(
    arch: Architecture, root: Path, *, store: Path | None = None, complete: Path | None = None, key: str = ""
) -> Sysroot:
    """A sysroot that somebody else has made. `key` may be empty where the paths alone say what is in it, as in a store.

    Raises `ChainbootError` when it has not exactly one kernel.
    """
    if complete is not None and not complete.is_file():
        raise ChainbootError(f"there is no first stage {complete}")
    key = key or digest(*(str(path.resolve()) for path in (root, complete) if path is not None))
    return Sysroot(arch, root, _kernel_release(root), key, store, complete)


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


def fetch(arch: Architecture, *, build: Path = BUILD, runner: Runner = run, say: Callable[[str], None]) -> Sysroot:
    """The sysroot of `arch` below `build`, made if it is missing or if apt has newer packages.

    Once made it is used as it is when there is no network and no package list.
    Raises `ChainbootError` when packages can not be found or downloaded.
    """
    home = build / f"apt-{arch.name}"
    root = build / f"sysroot-{arch.name}"
    stamp_file = build / f"sysroot-{arch.name}.stamp"
    stamp = Stamp.read(stamp_file) if root.is_dir() else None
    wanted = digest(*PACKAGES, arch.kernel_package, *arch.alone)
    apt = _apt(arch, home, runner)
    if stamp is not None and stamp.wanted == wanted and (apt.lists_are_empty or apt.fingerprint() == stamp.lists):
        return _finished(arch, root, stamp)
    if apt.lists_are_empty:
        say("fetching the package lists (kept below build/)")
        apt.update()
    packages = apt.closure()
    unpacked = digest(*(f"{package.file} {package.size}" for package in packages))
    if stamp is None or stamp.packages != unpacked:
        _download(apt, packages, home, say)
        _unpack(apt.archives, packages, root, runner, say)
    stamp = Stamp(wanted, apt.fingerprint(), unpacked)
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
    return given(arch, root, key=stamp.packages)


def _kernel_release(root: Path) -> str:
    kernels = sorted((root / "boot").glob("vmlinuz-*"))
    if len(kernels) != 1:
        hint = f"remove {root} and try again"
        raise ChainbootError(f"{root}/boot should hold one kernel and holds {len(kernels)}", hint=hint)
    return kernels[0].name.removeprefix("vmlinuz-")


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
