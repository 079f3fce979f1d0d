"""A kernel without kexec is found when the first stage is built."""

from __future__ import annotations

import pytest

from chainboot.boot.kernel_config import kexec_missing

SENTENCE = (
    "this kernel cannot start another one (it has neither CONFIG_KEXEC nor CONFIG_KEXEC_FILE): "
    "a first stage with it boots nothing"
)


@pytest.mark.parametrize(
    ("lines", "missing"),
    [
        (["CONFIG_KEXEC=y", "# CONFIG_KEXEC_FILE is not set", "CONFIG_KEXEC_CORE=y"], False),
        (["# CONFIG_KEXEC is not set", "CONFIG_KEXEC_FILE=y"], False),
        (["CONFIG_KEXEC=y\r"], False),
        (["# CONFIG_KEXEC is not set", "# CONFIG_KEXEC_FILE is not set", "CONFIG_KEXEC_CORE=y"], True),
        (["CONFIG_ARCH_SUPPORTS_KEXEC=y", "CONFIG_KEXEC_SIG=y", "# CONFIG_KEXEC=y"], True),
        (["CONFIG_KEXEC=n", "CONFIG_KEXEC_FILE=yes"], True),
        (["CONFIG_64BIT=y"], True),
    ],
)
def test_a_kernel_needs_one_of_the_two_system_calls(lines: list[str], missing: bool) -> None:
    text = "\n".join(["#", "# Linux/s390 6.1.176 Kernel Configuration", "#", "CONFIG_S390=y", *lines]) + "\n"
    assert kexec_missing(text) == (SENTENCE if missing else None)


@pytest.mark.parametrize("text", ["", "\n", "a file of something else\n"])
def test_what_is_no_configuration_says_nothing(text: str) -> None:
    assert kexec_missing(text) is None
