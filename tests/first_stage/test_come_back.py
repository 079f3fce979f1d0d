"""That a panic and a reboot end in a boot, in the first stage and in the system that it boots (s390x)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from first_stage.stage import REPOSITORY, Stage, make_stage

ACTIONS = "/sys/firmware/shutdown_actions"


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return make_stage(tmp_path / "stage")


def firmware(stage: Stage, files: dict[str, str]) -> None:
    for name, text in files.items():
        stage.write(f"/sys/firmware/{name}", f"{text}\n")


def known(stage: Stage) -> dict[str, str]:
    """Every file of the firmware with its text."""
    at = stage.root / "sys/firmware"
    return {str(path.relative_to(at)): path.read_text().strip() for path in at.rglob("*") if path.is_file()}


def come_back(stage: Stage) -> None:
    code, out, errors = stage.run("/bin/sh", "-c", ". /usr/lib/chainboot/functions.sh; come_back; echo done")
    assert (code, out, errors) == (0, "done\n", "")


@pytest.mark.parametrize(
    ("before", "after"),
    [("stop", "reipl"), ("dump", "reipl"), ("reipl", "reipl"), ("ipl", "ipl"), ("dump_reipl",) * 2, ("vmcmd",) * 2],
)
def test_what_leaves_the_machine_standing_is_replaced(stage: Stage, before: str, after: str) -> None:
    firmware(stage, {"shutdown_actions/on_panic": before, "shutdown_actions/on_reboot": before})
    firmware(stage, {"shutdown_actions/on_poff": "stop", "shutdown_actions/on_halt": "stop"})
    come_back(stage)
    assert [known(stage)[f"shutdown_actions/{name}"] for name in ("on_panic", "on_reboot", "on_poff", "on_halt")] == [
        after,
        after,
        "stop",
        "stop",
    ]
    assert stage.log() == ""


def test_a_machine_without_such_files_is_left_alone(stage: Stage) -> None:
    come_back(stage)
    assert not (stage.root / "sys/firmware").exists()
    assert stage.log() == ""


CCW = {"ipl/ipl_type": "ccw", "ipl/device": "0.0.0100", "ipl/loadparm": "2"}
FCP = {
    "ipl/ipl_type": "fcp",
    "ipl/device": "0.0.1900",
    "ipl/wwpn": "0x500507630300c562",
    "ipl/lun": "0x4010403300000000",
    "ipl/bootprog": "0",
    "ipl/br_lba": "0",
}
REIPL = {
    "reipl/reipl_type": "ccw",
    "reipl/ccw/device": "0.0.0100",
    "reipl/ccw/loadparm": "",
    "reipl/fcp/device": "0.0.0000",
    "reipl/fcp/wwpn": "0x0000000000000000",
    "reipl/fcp/lun": "0x0000000000000000",
    "reipl/fcp/bootprog": "3",
    "reipl/fcp/br_lba": "0",
}


def test_a_reboot_loads_from_where_the_machine_came(stage: Stage) -> None:
    firmware(stage, {**CCW, **REIPL, "reipl/reipl_type": "fcp", "reipl/ccw/device": "0.0.0999"})
    come_back(stage)
    assert known(stage) == {**CCW, **REIPL}


def test_a_scsi_disk_has_its_whole_path(stage: Stage) -> None:
    firmware(stage, {**FCP, **REIPL})
    come_back(stage)
    own = {name.replace("ipl/", "reipl/fcp/"): text for name, text in FCP.items() if name != "ipl/ipl_type"}
    assert known(stage) == {**FCP, **REIPL, **own, "reipl/reipl_type": "fcp"}


@pytest.mark.parametrize("kind", ["unknown", "nss", "fcp_dump", ""])
def test_where_the_firmware_knows_best_nothing_is_changed(stage: Stage, kind: str) -> None:
    firmware(stage, {**REIPL, "ipl/ipl_type": kind, "ipl/device": "0.0.0777"})
    before = known(stage)
    come_back(stage)
    assert known(stage) == before


def test_what_cannot_be_written_is_logged_and_nothing_else(stage: Stage) -> None:
    firmware(stage, {"shutdown_actions/on_panic": "stop", **CCW, **REIPL, "reipl/reipl_type": "fcp"})
    (stage.root / "sys/firmware/reipl/reipl_type").unlink()
    (stage.root / "sys/firmware/reipl/reipl_type").mkdir()
    come_back(stage)
    assert stage.log() == "/sys/firmware/reipl/reipl_type could not be set to ccw\n"
    assert known(stage)["shutdown_actions/on_panic"] == "reipl"


# -- the system that is booted

TMPFILES = REPOSITORY / "python/tmpfiles.d/chainboot.conf"


def create(root: Path) -> None:
    """What systemd does early in a boot."""
    if shutil.which("systemd-tmpfiles") is None:
        pytest.skip("systemd-tmpfiles is not installed")
    done = subprocess.run(
        ["systemd-tmpfiles", f"--root={root}", "--create", str(TMPFILES)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_panic_of_the_booted_system_is_a_reipl(tmp_path: Path) -> None:
    on_panic = tmp_path / ACTIONS.lstrip("/") / "on_panic"
    on_panic.parent.mkdir(parents=True)
    on_panic.write_text("stop\n")
    create(tmp_path)
    assert on_panic.read_text().strip() == "reipl"


def test_on_other_machines_the_booted_system_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "sys/firmware").mkdir(parents=True)
    create(tmp_path)
    assert list((tmp_path / "sys/firmware").iterdir()) == []
