"""The flake over the stand-in for nixpkgs: its outputs, its lock, and the names that nixpkgs has changed.

Nothing is built here; test_images.py does.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from nix.private import Flake, NixError

from chainboot_vm import scenario
from chainboot_vm.contents import SystemdOverlay

PACKAGES = {"default", "chainboot", "initrd", "kernel"}


def test_the_lock_is_that_of_the_flake(flake: Flake) -> None:
    """Asked for without the stand-in: nothing is fetched to answer."""
    flake.nix.run("nix", "flake", "metadata", "--no-update-lock-file", f"path:{flake.source}")
    lock = json.loads((flake.source / "flake.lock").read_text())
    assert set(lock["nodes"]) == {"root", "nixpkgs"}


def test_a_lock_of_another_flake_is_found_out(flake: Flake, tmp_path: Path) -> None:
    shutil.copy(flake.source / "flake.lock", tmp_path)
    text = (flake.source / "flake.nix").read_text()
    changed = text.replace("github:NixOS/nixpkgs/nixos-26.05", f"path:{flake.nixpkgs}")
    assert changed != text
    (tmp_path / "flake.nix").write_text(changed)
    done = flake.nix.run("nix", "flake", "metadata", "--no-update-lock-file", f"path:{tmp_path}", check=False)
    assert done.returncode != 0
    assert "requires lock file changes" in done.stderr


def test_the_outputs(flake: Flake) -> None:
    outputs = json.loads(flake.run("flake", "show", "--json").stdout)
    assert set(outputs["packages"]) == {"x86_64-linux", "aarch64-linux"}
    assert set(outputs["packages"]["aarch64-linux"]) == PACKAGES
    assert set(outputs["packages"]["x86_64-linux"]) == PACKAGES | {"initrd-s390x", "kernel-s390x"}
    assert set(outputs["apps"]["x86_64-linux"]) == {"default", "demo"}
    assert set(outputs["nixosModules"]) == {"default", "chainboot"}
    assert set(outputs["overlays"]) == {"default"}
    assert "default" in outputs["devShells"]["x86_64-linux"]
    assert "formatter" in outputs


def test_every_scenario_is_a_check(flake: Flake) -> None:
    """One list: the directory. What needs Debian's packages, zipl or systemd, is run by `make check` alone."""
    checks = set(json.loads(flake.run("flake", "show", "--json").stdout)["checks"]["x86_64-linux"])
    found = [scenario.load(name) for name in scenario.names()]
    debian = [each for each in found if each.install is not None or repr(SystemdOverlay()) in repr(each.disks)]
    wanted = [each.name for each in found if each not in debian]
    assert [name for name in wanted if not {f"vm-{name}", f"vm-s390x-{name}"} & checks] == []


def test_the_flake_holds_what_nix_asks_of_one(flake: Flake) -> None:
    flake.run("flake", "check", "--no-build")


@pytest.mark.parametrize("release", ["24.05", "26.05", "26.11"])
def test_every_package_can_be_evaluated_for_a_release_of_nixpkgs(flake: Flake, tmp_path: Path, release: str) -> None:
    """Of each, the stand-in has the names and lacks those that were removed."""
    nixpkgs = tmp_path / "nixpkgs"
    shutil.copytree(flake.nixpkgs, nixpkgs)
    (nixpkgs / "release").write_text(release)
    other = Flake(flake.nix, flake.source, nixpkgs)
    paths = "packages: builtins.mapAttrs (_: builtins.mapAttrs (_: package: package.drvPath)) packages"
    found = json.loads(other.run("eval", "--json", "--apply", paths, attribute="packages").stdout)
    assert set(found["x86_64-linux"]) >= {"initrd", "initrd-s390x", "kernel-s390x"}
    assert other.evaluate("formatter.x86_64-linux.name")


# Another flake, of which this one is an input.
OWN = """
{{
  inputs.nixpkgs.url = "path:{nixpkgs}";
  inputs.chainboot.url = "path:{source}";
  inputs.chainboot.inputs.nixpkgs.follows = "nixpkgs";
  outputs = {{ nixpkgs, chainboot, ... }}:
  let
    pkgs = nixpkgs.legacyPackages.x86_64-linux;
    format = pkgs.callPackage "${{chainboot}}/modules/settings-format.nix" {{ }};
  in
  {{
    stage = chainboot.lib.mkFirstStage pkgs {{
      settings.ssh_port = 2222;
      authorizedKeys = [ "ssh-ed25519 AAAA somebody" ];
      consoles = [ "tty0" ];
    }};
    good = format.generate "good" {{ ssh_port = 2222; }};
    bad = format.generate "bad" {{ ssh_port = 222222; }};
  }};
}}
"""


@pytest.fixture
def own(flake: Flake, tmp_path: Path) -> Flake:
    (tmp_path / "flake.nix").write_text(OWN.format(nixpkgs=flake.nixpkgs, source=flake.source))
    return Flake(flake.nix, tmp_path, flake.nixpkgs)


def test_a_first_stage_of_ones_own(own: Flake) -> None:
    stage = "stage: { inherit (stage) kernel cmdline initrd; image = stage.image.drvPath; }"
    found = json.loads(own.run("eval", "--json", "--apply", stage, attribute="stage").stdout)
    assert found["initrd"].endswith("/initrd")
    assert found["kernel"].endswith("/bzImage")
    assert found["cmdline"] == "console=tty0"


def test_settings_are_checked_when_they_are_built(own: Flake, building: Flake) -> None:
    assert building.source != own.source
    assert own.build("good")["good"].read_text() == "ssh_port=2222\n"
    with pytest.raises(NixError, match="ssh_port"):
        own.build("bad")
