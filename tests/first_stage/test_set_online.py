"""Devices of IBM Z that are set online: a tree of files is their sysfs, and a thread is the kernel behind it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from first_stage.stage import SCRIPTS, Stage, make_stage

from chainboot.devices import problems

WWPN, LUN = "0x500507630300c562", "0x4010403300000000"
CCW = "/sys/bus/ccw/devices"
QETH = "/sys/bus/ccwgroup/drivers/qeth/group"


@dataclass(frozen=True, slots=True)
class Mainframe:
    """A stage with a channel subsystem. What `kernel` holds is called again and again while a script runs."""

    stage: Stage
    kernel: list[Callable[[], None]] = field(default_factory=list)

    def device(self, bus: str, driver: str = "", **attributes: str) -> Path:
        """A ccw device that is offline, with attributes beside `online`."""
        for name, text in {"online": "0", "availability": "good", **attributes}.items():
            self.stage.write(f"{CCW}/{bus}/{name}", f"{text}\n")
        path = self.stage.root / CCW[1:] / bus
        if driver:
            (path / "driver").symlink_to(f"../../drivers/{driver}")
            (path.parents[1] / "drivers" / driver).mkdir(parents=True, exist_ok=True)
        return path

    def lun(self, bus: str, wwpn: str, lun: str) -> None:
        """A SCSI device behind an adapter."""
        for name, text in {"hba_id": bus, "wwpn": wwpn, "fcp_lun": lun}.items():
            self.stage.write(f"/sys/bus/scsi/devices/0:0:0:{int(lun, 16) % 7}/{name}", f"{text}\n")

    def path(self, path: str) -> Path:
        """A place of the stage from out here."""
        return self.stage.root / path.lstrip("/")

    def online(self, bus: str, bus_type: str = "ccw") -> str:
        return self.stage.read(f"/sys/bus/{bus_type}/devices/{bus}/online").strip()

    def uptime(self, seconds: int) -> None:
        """Sets the clock since the kernel's start, in one piece: a script may be reading it."""
        self.stage.write("/proc/uptime.new", f"{seconds}.00 0\n")
        self.path("/proc/uptime.new").rename(self.path("/proc/uptime"))

    def set_online(self, value: str | None, *arguments: str, after: str = "") -> int:
        """Runs the script with this setting (None: as it was); its exit code. `after` is a shell's, run behind it."""
        if value is not None:
            self.stage.settings(command_line=f"quiet chainboot.s390x.devices={value}")
        ended = threading.Event()

        def live() -> None:
            while not ended.wait(0.005):
                for act in self.kernel:
                    act()

        thread = threading.Thread(target=live)
        thread.start()
        try:
            script = f"set-online {' '.join(arguments)}; code=$?; {after or ':'}; exit $code"
            code, output, errors = self.stage.run("/bin/sh", "-c", script)
        finally:
            ended.set()
            thread.join()
        assert (output, errors) == ("", "")
        assert ": line " not in self.stage.read("/dev/kmsg"), "the shell complained"
        return code

    def notes(self) -> list[str]:
        return self.stage.read("/run/chainboot/devices").splitlines()


@pytest.fixture
def mainframe(tmp_path: Path) -> Mainframe:
    stage = make_stage(tmp_path / "stage")
    for name, place in {
        "devices": "usr/sbin/set-online",
        "device.sh": "usr/lib/chainboot/device.sh",
        "devices.awk": "usr/lib/chainboot/devices.awk",
    }.items():
        stage.write(place, (SCRIPTS / name).read_text(), 0o755)
    for directory in ("sys/bus/ccw/devices", "sys/bus/ccwgroup/devices", "sys/bus/scsi/devices", "sys/module"):
        (stage.root / directory).mkdir(parents=True)
    stage.script("modprobe", 'echo "$*" >>/tmp/modprobe')
    # By its path, or busybox takes its own.
    stage.change("/usr/lib/chainboot/device.sh", "|| modprobe ", "|| /usr/sbin/modprobe ")
    stage.script("load-modules", "echo once >>/tmp/load-modules")
    stage.change("/usr/lib/chainboot/device.sh", "TENTH=100000", "TENTH=10000")
    stage.change("/usr/sbin/set-online", "SOON=2", "SOON=0")
    stage.change("/usr/sbin/set-online", "LATER=15", "LATER=0")
    mainframe = Mainframe(stage)
    mainframe.uptime(100)
    return mainframe


@contextmanager
def listening(fifo: Path) -> Iterator[list[str]]:
    """Makes a FIFO, and gathers every write to it, as /proc/cio_ignore sees them."""
    os.mkfifo(fifo)
    heard: list[str] = []
    # Both ends, so that it never ends, and nobody waits for the other side.
    end = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
    ended = threading.Event()

    def listen() -> None:
        while not ended.wait(0.002):
            try:
                heard.extend(os.read(end, 4096).decode().splitlines())
            except BlockingIOError:
                continue

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield heard
    finally:
        ended.set()
        thread.join()
        os.close(end)


def test_nothing_happens_without_the_setting(mainframe: Mainframe) -> None:
    mainframe.device("0.0.0100", "dasd-eckd")
    mainframe.stage.settings(command_line="quiet")
    begun = time.monotonic()
    assert mainframe.set_online(None) == 0
    assert mainframe.set_online(None, "--again") == 0
    assert time.monotonic() - begun < 2
    assert (mainframe.stage.log(), mainframe.notes(), mainframe.online("0.0.0100")) == ("", [], "0")


def test_a_machine_without_channels_says_so(mainframe: Mainframe) -> None:
    mainframe.path("/sys/bus/ccw").rename(mainframe.path("/sys/bus/pci"))
    assert mainframe.set_online("dasd:100") == 0
    assert mainframe.set_online("dasd:100", "--again") == 0
    assert mainframe.stage.log() == "devices: s390x.devices is set, and this machine has no channel subsystem\n"


def test_dasd_with_attributes_first(mainframe: Mainframe) -> None:
    one = mainframe.device("0.0.0100", "dasd-eckd", readonly="0", use_diag="0", status="online")
    mainframe.device("0.0.0200", "dasd-fba", status="unformatted")
    assert mainframe.set_online("dasd:200,dasd:0.0.0100:readonly=1:use_diag=1") == 0
    written = {name: (one / name).stat().st_mtime_ns for name in ("readonly", "use_diag", "online")}
    assert all((one / name).read_text() == "1\n" for name in written)
    assert max(written["readonly"], written["use_diag"]) <= written["online"]
    assert mainframe.notes() == ["0.0.0200 dasd online: it is not formatted", "0.0.0100 dasd online"]
    assert mainframe.stage.log() == (
        "devices: dasd 0.0.0200 is online, but it is not formatted\ndevices: dasd 0.0.0100 is online\n"
    )
    modules = mainframe.stage.read("/tmp/modprobe").splitlines()
    assert modules.count("-a -b -q dasd_mod dasd_eckd_mod dasd_fba_mod") == 2
    assert modules.count("-a -b -q dasd_diag_mod") == 1


def test_what_is_loaded_is_not_loaded_again(mainframe: Mainframe) -> None:
    mainframe.device("0.0.0100", "dasd-eckd")
    for module in ("dasd_mod", "dasd_fba_mod"):
        mainframe.path(f"/sys/module/{module}").mkdir()
    assert mainframe.set_online("dasd:100") == 0
    assert mainframe.stage.read("/tmp/modprobe") == "-a -b -q dasd_eckd_mod\n"


def test_what_is_online_is_left_alone(mainframe: Mainframe) -> None:
    mainframe.device("0.0.0100", "dasd-eckd", online="1", readonly="0")
    mainframe.device("0.0.2000", online="1", modalias="ccw:t3270")
    assert mainframe.set_online("dasd:100:readonly=1,ccw:2000") == 0
    assert mainframe.stage.read(f"{CCW}/0.0.0100/readonly") == "0\n"
    assert mainframe.notes() == ["0.0.0100 dasd online", "0.0.2000 ccw online"]
    assert "devices: dasd 0.0.0100 was online already\n" in mainframe.stage.log()
    assert "-a -b -q ccw:t3270\n" in mainframe.stage.read("/tmp/modprobe")


def test_a_mistake_costs_that_device_alone(mainframe: Mainframe) -> None:
    mainframe.device("0.0.0100", "dasd-eckd")
    mainframe.device("0.0.0200", "dasd-eckd", readonly="0")
    hostile = "dasd:200:readonly=$(echo>/tmp/bad),dasd:;reboot,*:1"
    assert mainframe.set_online(f"{hostile},dasd:100") == 0
    assert mainframe.online("0.0.0100") == "1"
    assert mainframe.stage.read(f"{CCW}/0.0.0200/readonly") == "$(echo>/tmp/bad)\n"
    assert not mainframe.path("/tmp/bad").exists()
    assert "devices: dasd:;reboot is ignored: ;reboot is not a bus id such as 0.0.0100\n" in mainframe.stage.log()
    assert "devices: *:1 is ignored: * is none of dasd, zfcp, qeth and ccw\n" in mainframe.stage.log()


def test_failures_in_words_and_the_others_get_their_turn(mainframe: Mainframe) -> None:
    boxed = mainframe.device("0.0.0100", "dasd-eckd", availability="boxed", cutype="3990/e9", devtype="3390/0c")
    (boxed / "online").unlink()
    (boxed / "online").mkdir()  # nobody can write to that, not even root
    mainframe.device("0.0.1900", "zfcp", cutype="1731/03")
    missing = mainframe.device("0.0.0200", availability="no path")
    (missing / "online").unlink()
    mainframe.device("0.0.0300", "dasd-eckd")
    assert mainframe.set_online("dasd:100,dasd:1900,dasd:200,dasd:400,dasd:300") == 1
    assert mainframe.notes() == [
        "0.0.0100 dasd failed: writing 1 to /sys/bus/ccw/devices/0.0.0100/online: Is a directory; it is boxed: another "
        "system has reserved it; its cutype is 3990/e9, its devtype 3390/0c",
        "0.0.1900 dasd failed: 0.0.1900 is no dasd: its driver is zfcp; its cutype is 1731/03",
        "0.0.0200 dasd failed: writing 1 to /sys/bus/ccw/devices/0.0.0200/online: there is no such attribute; it has "
        "no path; no driver has taken it",
        "0.0.0400 dasd failed: there is no device 0.0.0400: is it attached to this machine?",
        "0.0.0300 dasd online",
    ]
    assert mainframe.online("0.0.1900") == "0"
    assert len(problems("\n".join(mainframe.notes()))) == 4


def test_a_device_that_goes_offline_at_once_is_not_online(mainframe: Mainframe) -> None:
    device = mainframe.device("0.0.0100", "dasd-eckd")
    (device / "online").unlink()
    # A file in the stage, and every `2>/dev/null` empties it.
    (device / "online").symlink_to("/dev/null")
    assert mainframe.set_online("dasd:100") == 1
    assert mainframe.notes() == ["0.0.0100 dasd failed: /sys/bus/ccw/devices/0.0.0100/online took 1 and still reads ''"]


def test_an_attribute_that_is_refused_costs_itself(mainframe: Mainframe) -> None:
    mainframe.device("0.0.0100", "dasd-eckd", eer_enabled="0")
    (mainframe.path(CCW) / "0.0.0100" / "failfast").mkdir()
    assert mainframe.set_online("dasd:100:failfast=1:nosuch=1:eer_enabled=1") == 0
    assert mainframe.stage.read(f"{CCW}/0.0.0100/eer_enabled") == "1\n"
    note = "failfast=1 was refused: Is a directory, nosuch=1 was refused: there is no such attribute"
    assert mainframe.notes() == [f"0.0.0100 dasd online: {note}"]
    assert problems("\n".join(mainframe.notes())) == (f"dasd 0.0.0100 is online, but {note}",)


def test_cio_ignore_frees_what_is_named_and_no_more(mainframe: Mainframe) -> None:
    mainframe.device("0.0.0100", "dasd-eckd")
    mainframe.stage.write("/proc/cio_settle", "")
    with listening(mainframe.path("/proc/cio_ignore")) as heard:

        def free() -> None:
            for line in heard:
                bus = line.removeprefix("free ")
                if (
                    bus in ("0.0.0200", "0.0.0600", "0.0.0601", "0.0.0602")
                    and not mainframe.path(f"{CCW}/{bus}").exists()
                ):
                    mainframe.device(bus, "qeth" if bus.startswith("0.0.06") else "dasd-eckd")

        mainframe.kernel.extend((free, lambda: qeth_driver(mainframe)))
        mainframe.stage.write(QETH, "")
        assert mainframe.set_online("dasd:100,dasd:200,dasd:300,qeth:600") == 1
        assert heard == ["free 0.0.0200", "free 0.0.0300", "free 0.0.0600", "free 0.0.0601", "free 0.0.0602"]
    assert mainframe.stage.read("/proc/cio_settle") == "1\n"
    assert [note.split(": ")[0] for note in mainframe.notes()] == [
        "0.0.0100 dasd online",
        "0.0.0200 dasd online",
        "0.0.0300 dasd failed",
        "0.0.0600 qeth online",
    ]


def qeth_driver(mainframe: Mainframe) -> None:
    """Makes a group of what is written, as the driver qeth does."""
    first = mainframe.stage.read(QETH).split(",")[0]
    home = mainframe.path(f"/sys/bus/ccwgroup/devices/{first}")
    if first and not home.exists():
        home.with_name("new").mkdir()
        for name in ("online", "layer2", "portno"):
            (home.with_name("new") / name).write_text("0\n")
        home.with_name("new").rename(home)


def test_qeth_is_grouped_and_its_attributes_come_first(mainframe: Mainframe) -> None:
    for bus in ("0.0.0600", "0.0.0601", "0.0.0602"):
        mainframe.device(bus, "qeth")
    mainframe.stage.write(QETH, "")
    mainframe.kernel.append(lambda: qeth_driver(mainframe))
    assert mainframe.set_online("qeth:600:layer2=1:portno=1") == 0
    assert mainframe.stage.read(QETH) == "0.0.0600,0.0.0601,0.0.0602\n"
    home = "/sys/bus/ccwgroup/devices/0.0.0600"
    assert [mainframe.stage.read(f"{home}/{name}") for name in ("layer2", "portno", "online")] == ["1\n"] * 3
    assert mainframe.notes() == ["0.0.0600 qeth online"]
    assert "-a -b -q qeth qeth_l2 qeth_l3\n" in mainframe.stage.read("/tmp/modprobe")
    # Once more: it is a group now, and nothing is written again.
    mainframe.stage.write(QETH, "")
    assert mainframe.set_online(None) == 0
    assert mainframe.stage.read(QETH) == ""


def test_qeth_that_is_not_to_be_grouped(mainframe: Mainframe) -> None:
    for bus in ("0.0.0600", "0.0.0601", "0.0.0602", "0.0.0700", "0.0.0702"):
        mainframe.device(bus, "qeth")
    mainframe.device("0.0.0701", "zfcp")
    assert mainframe.set_online("qeth:600,qeth:700") == 1
    assert mainframe.notes() == [
        "0.0.0600 qeth failed: the driver qeth is not there",
        "0.0.0700 qeth failed: 0.0.0701 is no qeth: its driver is zfcp",
    ]
    mainframe.path(QETH).mkdir(parents=True)
    assert mainframe.set_online("qeth:600") == 1
    assert mainframe.notes() == [f"0.0.0600 qeth failed: writing 0.0.0600,0.0.0601,0.0.0602 to {QETH}: Is a directory"]


def test_zfcp_whose_luns_the_driver_finds(mainframe: Mainframe) -> None:
    mainframe.device("0.0.1900", "zfcp", failed="0")
    mainframe.device("0.0.1a00", "zfcp", failed="0")
    mainframe.device("0.0.1b00", "zfcp", failed="1")
    mainframe.lun("0.0.1900", WWPN, LUN)
    assert mainframe.set_online("zfcp:1900,zfcp:1a00,zfcp:1b00") == 1
    assert mainframe.notes() == [
        "0.0.1900 zfcp online",
        "0.0.1a00 zfcp online: no LUN was found behind it",
        "0.0.1b00 zfcp failed: the adapter 0.0.1b00 is online, but its driver has given up: is there a link?",
    ]


def test_zfcp_with_a_path(mainframe: Mainframe) -> None:
    adapter = mainframe.device("0.0.1900", "zfcp", failed="0")

    def driver() -> None:
        port = adapter / WWPN
        if (adapter / "online").read_text() == "1\n" and not port.exists():
            port.with_name("new").mkdir()
            (port.with_name("new") / "unit_add").touch()
            port.with_name("new").rename(port)
        if port.exists() and (port / "unit_add").read_text() == f"{LUN}\n":
            mainframe.lun("0.0.1900", WWPN, LUN)

    mainframe.kernel.append(driver)
    other = "0x4010403300000001"
    assert mainframe.set_online(f"zfcp:1900:{WWPN}:{LUN},zfcp:1900:{WWPN}:{other},zfcp:1900:{'5' * 16}:{LUN}") == 1
    assert mainframe.notes() == [
        f"0.0.1900:{WWPN}:{LUN} zfcp online",
        f"0.0.1900:{WWPN}:{other} zfcp failed: there is no LUN {other} behind the port {WWPN}",
        f"0.0.1900:0x{'5' * 16}:{LUN} zfcp failed: the adapter 0.0.1900 is online, but there is no port 0x{'5' * 16} "
        "behind it",
    ]


def test_zfcp_with_a_lun_that_is_there_or_was_forgotten(mainframe: Mainframe) -> None:
    adapter = mainframe.device("0.0.1900", "zfcp", online="1", failed="1")
    (adapter / WWPN / "unit_add").mkdir(parents=True)
    mainframe.lun("0.0.1900", WWPN, LUN)
    forgotten, refused = "0x4010403300000001", "0x4010403300000002"
    mainframe.stage.write(f"{CCW}/0.0.1900/{WWPN}/{forgotten}/failed", "1\n")

    def driver() -> None:
        if mainframe.stage.read(f"{CCW}/0.0.1900/{WWPN}/{forgotten}/failed") == "0\n":
            mainframe.lun("0.0.1900", WWPN, forgotten)

    mainframe.kernel.append(driver)
    value = ",".join(f"zfcp:1900:{WWPN}:{lun}" for lun in (LUN, forgotten, refused))
    assert mainframe.set_online(value) == 1
    # A driver that had given up was asked to begin anew.
    assert mainframe.stage.read(f"{CCW}/0.0.1900/failed") == "0\n"
    assert mainframe.notes() == [
        f"0.0.1900:{WWPN}:{LUN} zfcp online",
        f"0.0.1900:{WWPN}:{forgotten} zfcp online",
        f"0.0.1900:{WWPN}:{refused} zfcp failed: there is no LUN {refused} behind the port {WWPN}; unit_add refused "
        "it: Is a directory",
    ]


def test_what_failed_is_tried_again_until_it_is_online(mainframe: Mainframe) -> None:
    assert mainframe.set_online("dasd:100,dasd:200,dasd:300") == 1
    mainframe.device("0.0.0100", "dasd-eckd")

    def storage_box() -> None:
        if mainframe.online("0.0.0100") == "1" and not mainframe.path(f"{CCW}/0.0.0300").exists():
            mainframe.device("0.0.0300", "dasd-eckd")

    def clock() -> None:
        # Ten minutes from 100 on, however many tries fit in: the last second counts, and the next one does not.
        if mainframe.online("0.0.0100") == "1":
            mainframe.uptime(700 if mainframe.online("0.0.0300") == "1" else 699)

    mainframe.kernel.extend((storage_box, clock))
    assert mainframe.set_online(None, "--again") == 1
    assert [note.split(": ")[0] for note in mainframe.notes()] == [
        "0.0.0100 dasd online",
        "0.0.0200 dasd failed",
        "0.0.0300 dasd online",
    ]
    log = mainframe.stage.log()
    # The reason was said once, and not with each try.
    assert log.count("dasd 0.0.0200 is not online") == 1
    assert log.endswith("devices: after 10 minutes nothing more is tried; the command set-online tries again\n")
    # What comes needs drivers of its own.
    assert mainframe.stage.read("/tmp/load-modules").count("once") in (2, 4)
    mainframe.device("0.0.0200", "dasd-eckd")
    assert mainframe.set_online(None, "--again") == 0
    assert mainframe.notes()[1] == "0.0.0200 dasd online"


def test_nothing_is_tried_while_the_machine_leaves(mainframe: Mainframe) -> None:
    assert mainframe.set_online("dasd:100") == 1
    mainframe.device("0.0.0100", "dasd-eckd")
    mainframe.stage.write("/run/chainboot/leaving", "bye\n@100\n")
    mainframe.stage.change("/usr/sbin/set-online", "SOON=0", "SOON=0.05")
    seen: list[str] = []
    begun = time.monotonic()

    def stay() -> None:
        if not seen and time.monotonic() - begun > 1:
            seen.append(mainframe.online("0.0.0100"))
            mainframe.path("/run/chainboot/leaving").unlink()

    mainframe.kernel.append(stay)
    assert mainframe.set_online(None, "--again") == 0
    assert seen == ["0"]
    assert mainframe.online("0.0.0100") == "1"


def test_a_machine_that_leaves_meanwhile_keeps_the_rest_as_it_is(mainframe: Mainframe) -> None:
    for bus in ("0.0.0100", "0.0.0200"):
        mainframe.device(bus, "dasd-eckd")
    mainframe.stage.script("modprobe", 'printf "bye\\n@100\\n" >/run/chainboot/leaving')
    assert mainframe.set_online("dasd:100,dasd:200") == 1
    assert mainframe.notes() == [
        "0.0.0100 dasd online",
        "0.0.0200 dasd failed: the machine is about to leave",
    ]
    assert mainframe.online("0.0.0200") == "0"


def test_a_try_that_was_killed_is_not_waited_for(mainframe: Mainframe) -> None:
    hung = mainframe.device("0.0.0100", "dasd-eckd")
    (hung / "online").unlink()
    os.mkfifo(hung / "online")
    mainframe.stage.change("/usr/sbin/set-online", "PATIENCE=400", "PATIENCE=40")
    file = f"{CCW}/0.0.0100/online"
    after = f"kill -9 $(cat /run/chainboot/set-online/0.0.0100.busy); rm {file}; echo 0 >{file}; set-online"
    assert mainframe.set_online("dasd:100", after=after) == 1
    assert mainframe.notes() == ["0.0.0100 dasd online"]
    assert mainframe.online("0.0.0100") == "1"


@pytest.mark.parametrize(
    ("busy", "program", "state"),
    [
        ("1\n", "sh\0/usr/sbin/set-online\0--again\0", "failed: there is no answer yet"),
        ("1\n", "sh\0/usr/sbin/network\0", "online"),  # the number is another's by now
        ("1\n", "", "online"),  # dead, and nobody has asked how it ended
        ("77777\n", None, "online"),
        ("", None, "online"),
    ],
)
def test_who_is_busy_with_a_device(mainframe: Mainframe, busy: str, program: str | None, state: str) -> None:
    mainframe.device("0.0.0100", "dasd-eckd")
    mainframe.stage.write("/run/chainboot/set-online/0.0.0100.busy", busy)
    if program is not None:
        mainframe.stage.write(f"/proc/{busy.strip()}/cmdline", program)
    mainframe.stage.change("/usr/sbin/set-online", "PATIENCE=400", "PATIENCE=40")
    mainframe.set_online("dasd:100")
    assert mainframe.notes() == [f"0.0.0100 dasd {state}"]


def test_a_device_that_hangs_holds_nobody_for_ever_and_tells_when_it_is_back(mainframe: Mainframe) -> None:
    hung = mainframe.device("0.0.0100", "dasd-eckd")
    (hung / "online").unlink()
    os.mkfifo(hung / "online")
    mainframe.device("0.0.0200", "dasd-eckd")
    mainframe.stage.change("/usr/sbin/set-online", "PATIENCE=400", "PATIENCE=40")
    after = "cp /run/chainboot/devices /tmp/between; echo 1 >/sys/bus/ccw/devices/0.0.0100/online; sleep 1"
    assert mainframe.set_online("dasd:100,dasd:200", after=after) == 1
    assert mainframe.stage.read("/tmp/between") == (
        "0.0.0100 dasd failed: there is no answer yet\n0.0.0200 dasd online\n"
    )
    assert mainframe.notes() == ["0.0.0100 dasd online", "0.0.0200 dasd online"]


def test_all_of_them_together_take_a_minute_at_most(mainframe: Mainframe) -> None:
    for number in range(1, 6):
        hung = mainframe.device(f"0.0.010{number}", "dasd-eckd")
        (hung / "online").unlink()
        os.mkfifo(hung / "online")
    mainframe.stage.change("/usr/sbin/set-online", "TOTAL=1200", "TOTAL=30")
    begun = time.monotonic()
    assert mainframe.set_online("dasd:101,dasd:102,dasd:103,dasd:104,dasd:105") == 1
    assert time.monotonic() - begun < 5
    assert [note.partition(" ")[2] for note in mainframe.notes()] == ["dasd failed: there is no answer yet"] * 5
