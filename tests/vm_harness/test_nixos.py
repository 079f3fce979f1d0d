"""The /boot that scenarios boot is one that NixOS could have written."""

from __future__ import annotations

import re

from chainboot_vm import nixos, sample
from chainboot_vm.nixos import Generation, Specialisation, nixos_boot, store_hash

EXPECTED = """\
# Generated file, all changes will be lost on nixos-rebuild!

# Change this to e.g. nixos-42 to temporarily boot to an older configuration.
DEFAULT nixos-default

MENU TITLE ------------------------------------------------------------
TIMEOUT 50

LABEL nixos-default
  MENU LABEL NixOS - Default
  LINUX ../nixos/{kernel}-linux-6.1.92-bzImage
  INITRD ../nixos/{initrd}-initrd-linux-6.1.92-initrd
  APPEND init=/nix/store/{system}-nixos-system-demo-24.05pre-git/init quiet

LABEL nixos-7-default
  MENU LABEL NixOS - Configuration 7-default (2024-06-01 12:00 - 24.05pre-git)
  LINUX ../nixos/{kernel}-linux-6.1.92-bzImage
  INITRD ../nixos/{initrd}-initrd-linux-6.1.92-initrd
  APPEND init=/nix/store/{system}-nixos-system-demo-24.05pre-git/init quiet

LABEL nixos-7-lab
  MENU LABEL NixOS - Configuration 7-lab (2024-06-01 12:00 - 24.05pre-git)
  LINUX ../nixos/{kernel}-linux-6.1.92-bzImage
  INITRD ../nixos/{initrd}-initrd-linux-6.1.92-initrd
  APPEND init=/nix/store/{special}-nixos-system-demo-lab-24.05pre-git/init lsm=yama
"""


def test_the_file_as_the_builder_of_24_05_writes_it() -> None:
    generation = Generation(7, "quiet", version="24.05pre-git", specialisations=(Specialisation("lab", "lsm=yama"),))
    files = nixos_boot([generation])
    names = {"kernel": "linux 6.1.92", "initrd": "initrd 7", "system": "system 7", "special": "system 7-lab"}
    hashes = {key: store_hash(name) for key, name in names.items()}
    assert files["boot/extlinux/extlinux.conf"] == EXPECTED.format(**hashes)
    assert set(files) == {
        "boot/extlinux/extlinux.conf",
        f"boot/nixos/{generation.kernel_file}",
        f"boot/nixos/{generation.initrd_file}",
    }


def test_a_boot_partition_has_the_same_files_at_its_top() -> None:
    files = nixos_boot(sample.GENERATIONS, directory="")
    assert {f"boot/{path}" for path in files} == set(nixos_boot(sample.GENERATIONS))


def test_a_store_hash_is_one_of_nix() -> None:
    hashes = {store_hash(str(number)) for number in range(100)}
    assert len(hashes) == 100
    assert all(re.fullmatch("[0-9abcdfghijklmnpqrsvwxyz]{32}", value) for value in hashes)


def test_the_entries_of_the_sample_are_numbered_as_the_scenarios_say() -> None:
    configuration = nixos.nixos_boot(sample.GENERATIONS)["boot/extlinux/extlinux.conf"]
    assert isinstance(configuration, str)
    labels = re.findall("^LABEL (.*)$", configuration, re.MULTILINE)
    assert len(labels) == sample.ENTRIES
    assert labels[0] == nixos.DEFAULT_LABEL
    assert labels[sample.NUMBER_OF_GENERATION_4 - 1] == "nixos-4-default"
    assert labels[sample.NUMBER_OF_SPECIALISATION - 1] == f"nixos-4-{sample.SPECIALISATION.name}"
    assert labels[sample.NUMBER_OF_GENERATION_3 - 1] == "nixos-3-default"
