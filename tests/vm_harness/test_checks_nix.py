"""vm-tests/checks.nix tells scenarios apart by lines of their text; what it looks for is what the files mean."""

from __future__ import annotations

from chainboot_vm import scenario
from chainboot_vm.artifacts import REPOSITORY
from chainboot_vm.contents import SystemdOverlay

CHECKS = (REPOSITORY / "vm-tests" / "checks.nix").read_text()

INSTALLS = "\nINSTALL = "
NEEDS_DEBIAN = "systemd_initrd()"
ONLY_S390X = '\nARCHITECTURES = ("s390x",)\n'
ONLY_X86 = '\nARCHITECTURES = ("x86_64",)\n'


def test_the_lines_that_it_looks_for() -> None:
    for line in (INSTALLS, NEEDS_DEBIAN, ONLY_S390X, ONLY_X86):
        quoted = line.replace('"', '\\"').replace("\n", "\\n")
        assert f'lib.hasInfix "{quoted}" (text name)' in CHECKS


def test_they_tell_what_a_scenario_needs() -> None:
    for name in scenario.names():
        found = scenario.load(name)
        text = (scenario.DIRECTORY / f"{name}.py").read_text()
        assert (NEEDS_DEBIAN in text) == any(repr(SystemdOverlay()) in repr(disk) for disk in found.disks), name
        assert (INSTALLS in text) == (found.install is not None), name
        assert (ONLY_S390X in text) == (found.architectures == ("s390x",)), name
        assert (ONLY_X86 in text) == (found.architectures == ("x86_64",)), name
        assert set(found.architectures) in ({"x86_64", "s390x"}, {"x86_64"}, {"s390x"}), (
            f"checks.nix knows no such machines: {name}"
        )
