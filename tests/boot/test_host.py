"""Facts of the running machine, read from trees that look like proc and sys."""

from __future__ import annotations

from pathlib import Path

import pytest

from chainboot.boot.host import Host, read_host, read_memory

LIMIT = "proc/sys/kernel/kexec_load_limit_reboot"
LOCKDOWN = "sys/kernel/security/lockdown"


def read(root: Path, files: dict[str, str]) -> Host:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return read_host(str(root))


def test_facts_of_the_machine_are_read(tmp_path: Path) -> None:
    host = read(
        tmp_path,
        {
            "sys/kernel/kexec_loaded": "1\n",
            "proc/sys/kernel/kexec_load_disabled": "1\n",
            LIMIT: "3\n",
            LOCKDOWN: "none [integrity] confidentiality\n",
            "sys/firmware/ipl/secure": "1\n",
            "proc/meminfo": "MemTotal: 9 kB\nMemAvailable:    2048 kB\n",
            "run/systemd/system/x": "",
        },
    )
    assert (host.kexec_supported, host.kexec_disabled, host.kexec_loaded, host.systemd) == (True, True, True, True)
    assert (host.loads_left, host.lockdown, host.secure_ipl) == (3, "integrity", True)
    assert (host.memory_available, host.memory_total) == (2048 * 1024, 9 * 1024)
    assert read_memory(str(tmp_path / "proc/meminfo")) == (9 * 1024, 2048 * 1024)


def test_a_machine_that_says_nothing_has_no_kexec_and_no_limits(tmp_path: Path) -> None:
    host = read_host(str(tmp_path / "none"))
    assert (host.kexec_supported, host.kexec_disabled, host.kexec_loaded, host.systemd) == (False, False, False, False)
    assert (host.loads_left, host.lockdown, host.secure_ipl, host.memory_available) == (None, "", False, None)
    assert host.memory_total is None


@pytest.mark.parametrize(("text", "left"), [("-1\n", None), ("0\n", 0), ("12\n", 12), ("", None), ("many\n", None)])
def test_the_limit_of_loads(tmp_path: Path, text: str, left: int | None) -> None:
    assert read(tmp_path, {LIMIT: text}).loads_left == left


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("[none] integrity confidentiality\n", ""),
        ("none [integrity] confidentiality\n", "integrity"),
        ("none integrity [confidentiality]\n", "confidentiality"),
        ("none integrity\n", ""),
        ("", ""),
        ("[\x1b[2J]", ""),
    ],
)
def test_the_level_of_lockdown(tmp_path: Path, text: str, level: str) -> None:
    assert read(tmp_path, {LOCKDOWN: text}).lockdown == level


@pytest.mark.parametrize(("text", "secure"), [("1\n", True), ("0\n", False), ("", False)])
def test_secure_ipl(tmp_path: Path, text: str, secure: bool) -> None:
    assert read(tmp_path, {"sys/firmware/ipl/secure": text}).secure_ipl is secure
