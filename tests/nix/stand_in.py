"""The stand-in for nixpkgs below build/nix: the expressions of tests/nix/stub, and what their packages are made of.

Knows Debian's file names and where the virtual environment's packages are. The `.deb` files are those of the sysroots
(chainboot_vm.sysroot), so that Nix downloads nothing.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from nix.private import PrivateNix

from chainboot.process import Runner
from chainboot_vm.architecture import ARCHITECTURES
from chainboot_vm.artifacts import BUILD, remove_tree

_STUB = Path(__file__).with_name("stub")

# What the program needs of the virtual environment, and the package that each distribution is.
_DISTRIBUTIONS = (("lark", "lark"), ("pyelftools", "elftools"))

# What a store path may be called; Debian's file names also have `%3a` for a colon and `~`.
_NOT_IN_A_NAME = re.compile(r"[^0-9A-Za-z+._?=-]")


def has_packages(architecture: str) -> bool:
    """Whether the Debian packages of an architecture have been downloaded."""
    return any((BUILD / f"apt-{architecture}" / "archives").glob("*.deb"))


def make(nix: PrivateNix) -> Path:
    """The stand-in's directory. The files that its packages are made of are in the store of `nix` from then on."""
    target = nix.home / "nixpkgs"
    remove_tree(target)
    shutil.copytree(_STUB, target)
    given = {arch.name: dict(_debs(BUILD / f"apt-{arch.name}" / "archives", nix)) for arch in ARCHITECTURES}
    given["python"] = dict(_python(nix))
    (target / "debs.json").write_text(json.dumps(given, indent=1, sort_keys=True))
    return target


def copy_of_the_tree(repository: Path, target: Path, runner: Runner) -> Path:
    """What would be committed, as a directory: Nix must not see build/ and .venv/, and need not see the history."""
    listed = runner(
        ("git", "-C", str(repository), "ls-files", "-z", "--cached", "--others", "--exclude-standard"), check=True
    )
    remove_tree(target)
    for name in filter(None, listed.stdout.split("\0")):
        file = repository / name
        if file.is_symlink() or file.is_file():  # one that was deleted is listed until that is committed
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, target / name, follow_symlinks=False)
    return target


def _debs(archives: Path, nix: PrivateNix) -> Iterator[tuple[str, dict[str, str]]]:
    files = sorted(archives.glob("*.deb"))
    places = []
    for file in files:
        package, version, _ = file.name.split("_")
        place = nix.home / "debs" / _NOT_IN_A_NAME.sub("-", file.name)
        _link(file, place)
        places.append(place)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        yield package, {"name": place.name, "sha256": digest, "version": _NOT_IN_A_NAME.sub("-", version)}
    if places:
        nix.add(*places)


def _python(nix: PrivateNix) -> Iterator[tuple[str, dict[str, str]]]:
    for distribution, package in _DISTRIBUTIONS:
        found = importlib.metadata.distribution(distribution)
        place = nix.home / "python" / f"{distribution}-{found.version}"
        remove_tree(place)
        shutil.copytree(str(found.locate_file(package)), place, ignore=shutil.ignore_patterns("__pycache__"))
        nix.add(place, recursive=True)
        digest = nix.run("nix-hash", "--type", "sha256", str(place)).stdout.strip()
        yield distribution, {"name": place.name, "sha256": digest, "version": found.version, "package": package}


def _link(file: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    try:
        os.link(file, place)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(file, place)
