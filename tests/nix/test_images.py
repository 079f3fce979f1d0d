"""The first stage as Nix makes it: built for real over the stand-in, compared with the other one, and booted.

The stand-in's programs are the very ones that `make image` takes, so both images must hold the same.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import lark
import pytest
from nix.private import Flake
from nix.stand_in import has_packages

from chainboot import process
from chainboot.image.archive import Compression
from chainboot.image.build import build
from chainboot_vm import run
from chainboot_vm.architecture import Architecture, architecture
from chainboot_vm.sysroot import Sysroot, fetch

IMAGES = {"x86_64": "packages.x86_64-linux.initrd", "s390x": "packages.x86_64-linux.initrd-s390x"}

# What is booted, and on which machine.
SCENARIOS = (("ssh_pick_generation", "x86_64"), ("default_entry", "x86_64"), ("default_entry", "s390x"))

# The groups of the manifest whose ELF files patchelf has written store paths into.
PATCHED = {"programs", "libraries", "python interpreter", "python extension modules"}

needs_packages = pytest.mark.skipif("CHAINBOOT_NO_VM" in os.environ, reason="CHAINBOOT_NO_VM is set")


@dataclasses.dataclass(frozen=True, slots=True)
class Contents:
    """A manifest as two images can be compared by: each path with what is said of it, but for its size."""

    files: dict[str, str]
    libraries: set[str]

    @classmethod
    def read(cls, manifest: Path) -> Contents:
        """Of libraries only the names are taken: in one image they lie at store paths, in the other as in Debian."""
        files: dict[str, str] = {}
        libraries = set()
        for entry in json.loads(manifest.read_text())["entries"]:
            path, group = entry["path"], entry["group"]
            if group == "libraries":
                libraries.add(path.rpartition("/")[2])
            elif group != "directories" or not re.match(r"/nix(/|$)|/usr/lib(64|/[a-z0-9_]+-linux-gnu)$", path):
                said = (
                    ("kind", "mode", "to", "major", "minor") if group in PATCHED else ("kind", "mode", "to", "sha256")
                )
                files[path] = " ".join(str(entry[key]) for key in said if key in entry)
        return cls(files, libraries)


@pytest.fixture(scope="module")
def images(building: Flake) -> dict[str, Path]:
    """The directory that `nix build` made, of each machine whose Debian packages are there."""
    wanted = {name: attribute for name, attribute in IMAGES.items() if has_packages(name)}
    built = building.build(*wanted.values())
    return {name: built[attribute] for name, attribute in wanted.items()}


@pytest.fixture(params=list(IMAGES))
def image(request: pytest.FixtureRequest, images: dict[str, Path]) -> tuple[Architecture, Path]:
    """A machine, and the image for it."""
    if request.param not in images:
        pytest.skip(f"the Debian packages for {request.param} are not there (`make image` downloads them)")
    return architecture(request.param), images[request.param]


@needs_packages
def test_the_image_holds_what_the_other_one_holds(
    image: tuple[Architecture, Path], building: Flake, tmp_path: Path
) -> None:
    """The other one is made as `make image` makes it, of the very files that the flake was given."""
    arch, built = image
    manifest = tmp_path / "manifest.json"
    python = building.source / "python"
    build(
        python / "first-stage" / "image-spec.json",
        fetch(arch, say=print).root,
        tmp_path / "initrd",
        compression=Compression.NONE,
        level=None,
        packages={"chainboot": python / "chainboot", "lark": Path(lark.__file__).parent},
        manifest=manifest,
        run=process.run,
        say=print,
        architecture=arch.name,
    )
    ours, theirs = Contents.read(built / "manifest.json"), Contents.read(manifest)
    assert ours.files == theirs.files
    assert ours.libraries == theirs.libraries
    assert any(path.startswith("/nix/store/") for path in _paths(built / "manifest.json"))


@needs_packages
def test_the_image_names_its_kernel(image: tuple[Architecture, Path], building: Flake) -> None:
    arch, _ = image
    file = building.nix.physical(building.evaluate(f"{IMAGES[arch.name]}.kernelFile"))
    assert file.read_bytes() == fetch(arch, say=print).kernel.read_bytes()


@needs_packages
def test_a_second_build_gives_the_same_bits(images: dict[str, Path], building: Flake) -> None:
    again = building.build(*(IMAGES[name] for name in images), again=True)
    assert list(again.values()) == list(images.values())


@pytest.fixture(scope="module")
def session(images: dict[str, Path]) -> Iterator[run.Session]:
    """The scenarios, with what `nix build` made as the first stage."""

    def find(arch: Architecture) -> Sysroot:
        return dataclasses.replace(fetch(arch, say=print), complete=images[arch.name] / "initrd")

    there = [(name, arch) for name, arch in SCENARIOS if arch in images and shutil.which(architecture(arch).qemu)]
    running = run.Session(there, run.JOBS, print, find)
    yield running
    running.close()


@pytest.mark.vm
@needs_packages
@pytest.mark.parametrize(("name", "machine"), SCENARIOS)
def test_the_image_boots(name: str, machine: str, session: run.Session) -> None:
    if (name, machine) not in session.outcomes:
        pytest.skip(f"there is no {architecture(machine).qemu}, or no image for it")
    outcome = session.outcomes[name, machine].result()
    assert outcome.failure is None, outcome.failure


def _paths(manifest: Path) -> list[str]:
    return [entry["path"] for entry in json.loads(manifest.read_text())["entries"]]
