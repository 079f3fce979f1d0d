"""Entering a system: what the plan says, what runs, and that nothing stays mounted, whatever fails on the way."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from chainboot.boot.enter import ENTERED, LEFT, System, enter
from chainboot.boot.enter_plan import EnterPlan, deepest_first, make_plan
from chainboot.boot.fstab import Device
from chainboot.boot.mounts import Mounted
from chainboot.boot.root import Mount, Root
from chainboot.boot.volume import Volume
from chainboot.errors import RefusedError
from chainboot.process import Completed, ProcessError

TOP = "/nix/store/aa-nixos-system-box"
VOLUMES = (
    Volume("/v/vda1", "boot", "/dev/vda1", mounted=True, uuid="B"),
    Volume("/v/vda2", "root", "/dev/vda2", mounted=True, uuid="R"),
    Volume("/v/vdb", "data", "/dev/vdb", mounted=True, uuid="D"),
)
DEVICES = (Device("/dev/vda1", "vfat", "B"), Device("/dev/vda2", "ext4", "R"), Device("/dev/vdb", "ext4", "D"))
ROOT = Root(
    "nixos-3",
    (Mount("/dev/vda2", "ext4", "/", ("noatime",)), Mount("/dev/vda1", "vfat", "/boot", needed=False)),
    TOP,
    (f"{TOP}/sw/bin/bash", "--login"),
    (("PATH", f"{TOP}/sw/bin:/bin"),),
    ("/data is left out",),
)

DRY_RUN = f"""\
enter the system of nixos-3
  remark: /data is left out
  up:
    kexec -u
    umount /v/vda1
    umount /v/vda2
    mkdir -p -m 0700 /t
    mount -t ext4 -o rw,noatime /dev/vda2 /t
    mount -t vfat -o rw /dev/vda1 /t/boot  # /boot must be a directory, not a link; may fail
    mount -t proc proc /t/proc  # /proc must be a directory, not a link
    mount -t sysfs sysfs /t/sys  # /sys must be a directory, not a link
    mount -o bind /dev /t/dev  # /dev must be a directory, not a link
    mount --make-private /t/dev
    mount -o bind /dev/pts /t/dev/pts  # /dev/pts must be a directory, not a link; may fail
    mount --make-private /t/dev/pts  # if /dev/pts was mounted
    mount -t tmpfs -o mode=0755,nosuid,nodev tmpfs /t/run  # /run must be a directory, not a link
    ln -s {TOP} /t/run/current-system
    mount -o bind /t/boot /v/vda1  # may fail; if /boot was mounted
    mount -o remount,bind,ro,nodev,nosuid,noexec none /v/vda1  # may fail; if /boot was mounted
    mount -o bind /t /v/vda2  # may fail; if / was mounted
    mount -o remount,bind,ro,nodev,nosuid,noexec none /v/vda2  # may fail; if / was mounted
  inside:
    PATH={TOP}/sw/bin:/bin
    chroot /t {TOP}/sw/bin/bash --login
  down (after what still runs inside was ended, and what else was mounted inside is unmounted):
    umount /v/vda1
    umount /v/vda2
    umount /t/dev/pts
    umount /t/run
    umount /t/dev
    umount /t/sys
    umount /t/proc
    umount /t/boot
    umount /t
    mount -t vfat -o ro,nodev,nosuid,noexec /dev/vda1 /v/vda1
    mount -t ext4 -o ro,nodev,nosuid,noexec,noload /dev/vda2 /v/vda2
"""


class Kernel(System):
    """A runner and a system in one: mounts are kept as the kernel would keep them, with the number of their source.

    `broken` are commands that fail, `busy` mount points that cannot be unmounted so many times.
    """

    def __init__(self, broken: Sequence[str] = (), busy: dict[str, int] | None = None) -> None:
        self.table = [Mounted("/", "0"), *(Mounted(each.root, each.device or "") for each in VOLUMES)]
        self.broken = broken
        self.busy = busy or {}
        self.bad_places: dict[str, str] = {}
        self.processes: dict[int, int] = {}  # and the signal that ends each
        self.sent: list[tuple[int, int]] = []
        self.read_only = False
        self.commands: list[str] = []
        self.created: list[tuple[str, bool]] = []

    def __call__(self, argv: Sequence[str], *, check: bool, timeout: float | None = None) -> Completed:
        line = " ".join(argv)
        self.commands.append(line)
        assert check
        assert timeout is not None
        if any(line.startswith(start) for start in self.broken):
            raise ProcessError(f"{argv[0]} exited with 32: broken")
        if argv[0] == "umount":
            path = argv[-1]
            if self.busy.get(path, 0) and "-l" not in argv:
                self.busy[path] -= 1
                raise ProcessError("umount exited with 1: busy")
            place = max((number for number, each in enumerate(self.table) if each.path == path), default=None)
            if place is None:
                raise ProcessError("umount exited with 1: not mounted")
            del self.table[place]
        elif argv[0] == "mount" and "remount" not in line and "private" not in line:
            source = next((each.number for each in self.table if each.path == argv[-2]), argv[-2])
            views = [each.path for each in self.table if each.number == source]
            if source.startswith("/dev/vd") and views and "bind" not in argv:
                raise ProcessError("mount exited with 255: Device or resource busy")
            self.table.append(Mounted(argv[-1], source))
        return Completed(tuple(argv), 0)

    def mounts(self) -> tuple[Mounted, ...]:
        return tuple(self.table)

    def writable(self, path: str) -> bool:
        return not self.read_only or path != "/t"

    def directory(self, base: str, place: str, create: bool) -> None:
        assert base == "/t"
        self.created.append((place, create))
        if place in self.bad_places:
            raise RefusedError(self.bad_places[place])

    def inside(self, root: str) -> tuple[int, ...]:
        assert root == "/t"
        return tuple(self.processes)

    def kill(self, process: int, number: int) -> None:
        self.sent.append((process, number))
        if self.processes.get(process) == number:
            del self.processes[process]

    def sync(self) -> None:
        self.commands.append("sync")

    def wait(self) -> None:
        pass


class Person:
    """Who sits in the shell: what was started, and what `does` happens meanwhile."""

    def __init__(self, code: int = 0, does: Callable[[], None] = lambda: None) -> None:
        self.code = code
        self.does = does
        self.started: list[tuple[tuple[str, ...], dict[str, str]]] = []

    def __call__(self, argv: Sequence[str], *, extra_env: dict[str, str] | None = None) -> int:
        self.started.append((tuple(argv), extra_env or {}))
        self.does()
        return self.code


def plan(root: Root = ROOT, *, loaded: bool = False, activate: bool = False, command: Sequence[str] = ()) -> EnterPlan:
    return make_plan(root, VOLUMES, DEVICES, loaded=loaded, activate=activate, command=command, target="/t")


def paths(kernel: Kernel) -> list[str]:
    return sorted(each.path for each in kernel.table)


USUAL = ["/", "/v/vda1", "/v/vda2", "/v/vdb"]


def test_the_dry_run() -> None:
    assert plan(loaded=True).describe() == DRY_RUN


def test_what_runs_is_what_the_dry_run_says() -> None:
    kernel = Kernel()
    said: list[str] = []
    person = Person(7)
    assert enter(plan(loaded=True), kernel, person, said.append, kernel) == 7
    shown = [line.strip().partition("  #")[0] for line in DRY_RUN.splitlines() if line.startswith("    ")]
    expected = [line for line in shown if not line.startswith(("PATH=", "chroot"))]
    assert [line for line in kernel.commands if line != "sync"] == expected
    assert kernel.commands.index("sync") == expected.index("umount /v/vda1", 5)
    assert person.started == [(("chroot", "/t", f"{TOP}/sw/bin/bash", "--login"), {"PATH": f"{TOP}/sw/bin:/bin"})]
    assert said == [f"{ENTERED} nixos-3; `exit` leaves it and unmounts it", LEFT]
    assert paths(kernel) == USUAL


def test_whatever_step_fails_no_mount_stays() -> None:
    steps = [step for step in plan().up if step.needed]
    assert len(steps) > 8
    for step in steps:
        kernel = Kernel([" ".join(step.argv)])
        person = Person()
        with pytest.raises(RefusedError, match=r"the system of nixos-3 was not entered: .* exited with 32: broken"):
            enter(plan(), kernel, person, print, kernel)
        assert paths(kernel) == USUAL, step
        assert person.started == []


def test_a_boot_partition_that_cannot_be_mounted_is_left_out() -> None:
    kernel = Kernel(["mount -t vfat -o rw"])
    said: list[str] = []
    assert enter(plan(), kernel, Person(), said.append, kernel) == 0
    assert said[0] == "chainboot: /boot is left out: mount exited with 32: broken"
    assert "mount -o bind /t/boot /v/vda1" not in kernel.commands
    assert paths(kernel) == USUAL


def test_a_link_in_the_place_of_a_mount_point_is_an_end() -> None:
    kernel = Kernel()
    kernel.bad_places["/proc"] = "/proc is a symbolic link"
    with pytest.raises(RefusedError, match="not entered: /proc is a symbolic link"):
        enter(plan(), kernel, Person(), print, kernel)
    assert not any("/t/proc" in line for line in kernel.commands)
    assert paths(kernel) == USUAL


def test_a_root_that_is_only_readable_is_an_end() -> None:
    kernel = Kernel()
    kernel.read_only = True
    with pytest.raises(RefusedError, match="not entered: its root can only be mounted read-only"):
        enter(plan(), kernel, Person(), print, kernel)
    assert paths(kernel) == USUAL


def test_places_are_made_where_nothing_could_be_entered_without_them() -> None:
    kernel = Kernel()
    enter(plan(), kernel, Person(), print, kernel)
    assert dict(kernel.created) == {
        "/boot": False, "/proc": True, "/sys": True, "/dev": True, "/dev/pts": False, "/run": True,
    }  # fmt: skip
    bare = Root("x", (Mount("tmpfs", "tmpfs", "/"), ROOT.mounts[1]), TOP, ("sh",), ())
    kernel = Kernel()
    enter(plan(bare), kernel, Person(), print, kernel)
    assert dict(kernel.created)["/boot"]


def test_what_still_runs_inside_is_ended_gently_first() -> None:
    kernel = Kernel()
    kernel.processes = {41: signal.SIGTERM, 42: signal.SIGKILL}
    enter(plan(), kernel, Person(), print, kernel)
    # Not before the plan ran: nothing was mounted then.
    assert kernel.sent == [(41, 15), (42, 15), (42, 9)]


def test_what_the_person_mounted_inside_is_unmounted_too() -> None:
    kernel = Kernel()
    more = [Mounted("/t/mnt", "/dev/vdc"), Mounted("/t/mnt/deep", "/dev/vdd"), Mounted("/t", "/dev/vde")]
    assert enter(plan(), kernel, Person(does=lambda: kernel.table.extend(more)), print, kernel) == 0
    assert paths(kernel) == USUAL


def test_a_mount_that_is_busy_for_a_moment_is_waited_for() -> None:
    kernel = Kernel(busy={"/v/vda2": 3})
    said: list[str] = []
    assert enter(plan(), kernel, Person(does=lambda: kernel.busy.update({"/t": 5})), said.append, kernel) == 0
    assert said[-1] == LEFT
    assert "umount -l /t" not in kernel.commands


def test_a_mount_that_stays_busy_is_detached_and_said() -> None:
    kernel = Kernel()
    said: list[str] = []
    assert enter(plan(), kernel, Person(does=lambda: kernel.busy.update({"/t/boot": 99})), said.append, kernel) == 1
    assert said[1:] == [
        "chainboot: /t/boot is still in use and is detached: umount exited with 1: busy",
        "chainboot: left, but not everything could be unmounted",
    ]
    assert paths(kernel) == USUAL


def test_what_a_killed_session_left_is_taken_down_first() -> None:
    kernel = Kernel()
    with pytest.raises(SystemError):
        # As far as a killed session comes: nothing of its own is taken down.
        enter(plan(), kernel, Person(does=_die), print, _Dying(kernel))
    assert len(paths(kernel)) > len(USUAL)
    kernel.processes = {9: signal.SIGTERM}
    assert enter(plan(), kernel, Person(), print, kernel) == 0
    assert kernel.sent == [(9, 15)]
    assert paths(kernel) == USUAL


def _die() -> None:
    raise SystemError


class _Dying(Kernel):
    """A system that answers until the shell was there, and then nothing any more."""

    def __init__(self, kernel: Kernel) -> None:
        super().__init__()
        self.table = kernel.table
        self._asked = 0

    def mounts(self) -> tuple[Mounted, ...]:
        self._asked += 1
        if self._asked > 2:
            raise SystemError
        return super().mounts()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_lost_link_ends_the_session_after_everything_is_down(number: signal.Signals) -> None:
    kernel = Kernel()
    came: list[list[str]] = []
    before = signal.signal(number, lambda *_: came.append(paths(kernel)))
    try:

        def say(text: str) -> None:
            raise OSError(5, f"the terminal is gone: {text}")

        person = Person(does=lambda: os.kill(os.getpid(), number))
        assert enter(plan(), kernel, person, say, kernel) == 128 + number
    finally:
        signal.signal(number, before)
    assert came == [USUAL]


def test_an_interrupt_is_for_what_runs_inside() -> None:
    kernel = Kernel()
    assert enter(plan(), kernel, Person(3, lambda: os.kill(os.getpid(), signal.SIGINT)), print, kernel) == 3


def test_activation_runs_only_where_it_is_wished() -> None:
    kernel = Kernel()
    person = Person()
    enter(plan(activate=True, command=("passwd", "anna")), kernel, person, print, kernel)
    assert [argv for argv, _ in person.started] == [
        ("chroot", "/t", f"{TOP}/activate"),
        ("chroot", "/t", "passwd", "anna"),
    ]
    assert [env.get("IN_NIXOS_ENTER") for _, env in person.started] == ["1", None]
    with pytest.raises(RefusedError, match="x is no NixOS generation: there is nothing to activate"):
        plan(Root("x", ROOT.mounts, None, ("/bin/sh",), ()), activate=True)


def test_a_failed_activation_still_gives_the_shell() -> None:
    kernel = Kernel()
    said: list[str] = []
    person = Person(2)
    assert enter(plan(activate=True), kernel, person, said.append, kernel) == 2
    assert len(person.started) == 2
    assert "chainboot: the activation ended with 2; going on" in said


def test_a_subvolume_is_not_shown_in_the_place_of_the_volume() -> None:
    devices = (Device("/dev/vda2", "btrfs", "R"), Device("/dev/vdb", "btrfs", "R"))
    volumes = (VOLUMES[1], Volume("/v/vdb", "other part", "/dev/vdb", mounted=True, uuid="R"))
    root = Root("x", (Mount("/dev/vda2", "btrfs", "/", ("subvol=@",)),), None, ("/bin/sh",), ())
    made = make_plan(root, volumes, devices, loaded=False, target="/t")
    assert [step.argv for step in made.up[:2]] == [("umount", "/v/vda2"), ("umount", "/v/vdb")]
    assert not any("remount" in " ".join(step.argv) for step in made.up)
    assert [command.argv[-1] for command in made.restore] == ["/v/vda2", "/v/vdb"]


def test_mounts_are_unmounted_from_the_deepest_and_the_newest_on() -> None:
    assert deepest_first(["/t", "/t/a", "/t/a/b", "/t", "/t/c"]) == ["/t/a/b", "/t/c", "/t/a", "/t", "/t"]


@pytest.mark.parametrize(
    ("make", "place", "message"),
    [
        (lambda base: (base / "proc").symlink_to("/etc"), "/proc", "/proc is a symbolic link, not a directory"),
        (lambda base: (base / "dev").symlink_to("real"), "/dev/pts", "/dev is a symbolic link, not a directory"),
        (lambda base: (base / "run").write_text(""), "/run", "/run is no regular file, not a directory"),
        (lambda base: os.mkfifo(base / "boot"), "/boot", "/boot is a named pipe, not a directory"),
    ],
)
def test_only_real_directories_are_mount_points(
    tmp_path: Path, make: Callable[[Path], None], place: str, message: str
) -> None:
    (tmp_path / "real").mkdir()
    make(tmp_path)
    for create in (False, True):
        with pytest.raises(RefusedError) as raised:
            System().directory(str(tmp_path), place, create)
        assert str(raised.value).startswith(message)


def test_directories_are_made_only_where_asked(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        System().directory(str(tmp_path), "/a/b", create=False)
    System().directory(str(tmp_path), "/a/b", create=True)
    assert (tmp_path / "a/b").is_dir()
    System().directory(str(tmp_path), "/a/b", create=False)


def test_the_real_kernel_answers() -> None:
    system = System()
    assert "/" in {each.path for each in system.mounts()}
    assert system.inside("/there/is/no/such/root") == ()


REAL = Path(__file__).parent / "enter_real.py"
BUSYBOX = Path(__file__).parents[2] / "build/sysroot-x86_64/bin/busybox"


def test_a_real_file_system_is_entered_changed_and_left(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    missing = [name for name in ("unshare", "losetup", "mke2fs") if shutil.which(name) is None]
    if missing or not BUSYBOX.exists():
        pytest.skip(f"needs {' '.join(missing) or 'busybox from the sysroot'}")
    able = subprocess.run(["unshare", "-m", "losetup", "-f"], capture_output=True, check=False)
    if able.returncode != 0:
        pytest.skip("mounts and loop devices are not allowed here")
    done = subprocess.run(
        ["unshare", "-m", sys.executable, str(REAL), str(tmp_path), str(BUSYBOX)],
        capture_output=True, check=False, timeout=60, text=True, env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
