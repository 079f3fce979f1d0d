"""NixOS's own extlinux-conf-builder.sh, run on made-up generations, and what our library says of the /boot it writes.

Needs a nixpkgs tree (CHAINBOOT_NIXPKGS), bash, and nothing of Nix. Of the script are replaced: its own @variables@, as
nixpkgs replaces them, and the places of the store and of the profiles, which are directories of the test.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from kernels import bzimage

TREE = os.environ.get("CHAINBOOT_NIXPKGS", "")
SCRIPT = Path(TREE) / "nixos/modules/system/boot/loader/generic-extlinux-compatible/extlinux-conf-builder.sh"

pytestmark = pytest.mark.skipif(
    not TREE, reason="CHAINBOOT_NIXPKGS is not set: no nixpkgs tree to take the script from"
)


@dataclass(frozen=True, slots=True)
class Machine:
    """A store, system profiles and a boot volume, all below `root`."""

    root: Path

    def path(self, name: str) -> Path:
        """A store path of that name; the hash is made up, and as long as a true one."""
        return self.root / "store" / f"{name.encode().hex():0<32.32}-{name}"

    def system(self, name: str, parameters: str = "console=ttyS0 loglevel=4", *, kernel: str = "6.6.60") -> Path:
        """A NixOS system: what the script reads of it."""
        system = self.path(f"nixos-system-{name}")
        files = {
            self.path(f"linux-{kernel}") / "bzImage": bzimage(kernel),
            self.path(f"initrd-{kernel}") / "initrd": b"070701 an initrd",
            system / "init": b"#!/bin/sh\n",
            system / "nixos-version": b"24.05.7376.b134951a4c9f",
            system / "kernel-params": parameters.encode(),
        }
        for path, data in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        (system / "specialisation").mkdir()
        (system / "kernel").symlink_to(self.path(f"linux-{kernel}") / "bzImage")
        (system / "initrd").symlink_to(self.path(f"initrd-{kernel}") / "initrd")
        return system

    def generation(self, number: int, system: Path) -> None:
        """That system as a generation of the system profile."""
        profiles = self.root / "profiles"
        profiles.mkdir(exist_ok=True)
        (profiles / f"system-{number}-link").symlink_to(system)

    def build(self, default: Path, *arguments: str) -> str:
        """The configuration that NixOS's script writes for `default`."""
        text = SCRIPT.read_text()
        for name, value in {
            "@bash@": "/usr",
            "@path@": "/usr",
            "/nix/store": f"{self.root}/store",
            "/nix/var/nix/profiles": f"{self.root}/profiles",
        }.items():
            text = text.replace(name, value)
        script = self.root / "extlinux-conf-builder.sh"
        script.write_text(text)
        boot = self.root / "disk/boot"
        boot.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["bash", "-e", str(script), *arguments, "-d", str(boot), "-c", str(default)],
            check=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
        )
        return (boot / "extlinux/extlinux.conf").read_text()

    def chainboot(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Our command, in a process of its own."""
        return subprocess.run(
            [sys.executable, "-m", "chainboot", *arguments],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "python")},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Three generations; the newest has another kernel, and a specialisation."""
    machine = Machine(tmp_path)
    newest = machine.system("box-3", "console=ttyS0 loglevel=4 panic=10", kernel="6.12.1")
    hardened = machine.system("box-3-hardened", "console=ttyS0 lsm=yama")
    (newest / "specialisation/hardened").symlink_to(hardened)
    for number, system in enumerate((machine.system("box-1"), machine.system("box-2"), newest), 1):
        machine.generation(number, system)
    return machine


# NixOS's `boot.loader.timeout`, and the note that our library has for it: 0 is at once, null (-1) is for ever.
NOTES = {"5": [], "0": ["timeout-negative"], "-1": ["timeout-zero"]}


@pytest.mark.parametrize("place", ["disk", "disk/boot"])
@pytest.mark.parametrize("timeout", NOTES)
def test_a_configuration_of_nixos_has_no_finding(machine: Machine, place: str, timeout: str) -> None:
    machine.build(machine.path("nixos-system-box-3"), "-g", "20", "-t", timeout)
    result = machine.chainboot("check", str(machine.root / place))
    assert (result.returncode, result.stdout) == (0, ""), result.stdout + result.stderr
    noted = machine.chainboot("check", "--all", "--json", str(machine.root / place))
    assert [found["code"] for found in json.loads(noted.stdout)["diagnostics"]] == NOTES[timeout]


def test_every_generation_is_an_entry(machine: Machine) -> None:
    machine.build(machine.path("nixos-system-box-3"), "-g", "20", "-t", "5")
    listed = json.loads(machine.chainboot("list", "--json", str(machine.root / "disk")).stdout)
    entries = {entry["label"]: entry for entry in listed["entries"]}
    assert sorted(entries) == [
        "nixos-1-default",
        "nixos-2-default",
        "nixos-3-default",
        "nixos-3-hardened",
        "nixos-default",
    ]


def test_the_default_is_what_it_was_called_with(machine: Machine) -> None:
    older = machine.path("nixos-system-box-2")
    machine.build(older, "-g", "20", "-t", "5")
    shown = machine.chainboot("show", "--root", str(machine.root / "disk"))
    assert shown.returncode == 0
    assert f"init={older}/init console=ttyS0 loglevel=4" in shown.stdout


def test_a_kernel_that_is_cut_off_afterwards_is_an_error(machine: Machine) -> None:
    machine.build(machine.path("nixos-system-box-3"), "-g", "20", "-t", "5")
    (kernel,) = (machine.root / "disk/boot/nixos").glob("*6.12.1-bzImage")
    kernel.chmod(0o644)
    kernel.write_bytes(b"")
    assert machine.chainboot("check", str(machine.root / "disk/boot")).returncode == 2
