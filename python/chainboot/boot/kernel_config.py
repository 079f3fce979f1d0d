"""What the build configuration of a kernel (/boot/config-RELEASE) says about its use as a first stage.

Pure: takes the text. Knows kconfig's file format; knows nothing of kernel images or of where the file lies.
"""

from __future__ import annotations


def kexec_missing(config_text: str) -> str | None:
    """A sentence where the kernel of this configuration cannot start another one; None where it can, or is not said.

    Sources: kernel Documentation/kbuild/kconfig-language.rst (a feature that is off has no line, or a comment), and
    kernel/Kconfig.kexec: CONFIG_KEXEC is kexec_load, CONFIG_KEXEC_FILE is kexec_file_load; one of them is enough.
    Whether the running kernel allows them as well is for `preflight`.
    """
    lines = [line.strip() for line in config_text.splitlines()]
    if not any(line.startswith("CONFIG_") for line in lines):
        return None
    if "CONFIG_KEXEC=y" in lines or "CONFIG_KEXEC_FILE=y" in lines:
        return None
    return (
        "this kernel cannot start another one (it has neither CONFIG_KEXEC nor CONFIG_KEXEC_FILE): "
        "a first stage with it boots nothing"
    )
