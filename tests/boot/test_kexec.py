"""Carrying out a plan: order, checked exits, and nothing left loaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from fakes import FakeRunner

from chainboot.boot.kexec import concatenate, is_loaded, leave, load, perform, unload
from chainboot.boot.plan import BootPlan, Command, Concatenate, EndSessions, Part
from chainboot.errors import ChainbootError, RefusedError
from chainboot.process import Completed, ProcessError, run

LOAD = ("kexec", "-a", "-l", "/k")
PLAN = BootPlan(
    "x", "X", "c", (Command(LOAD),), (Command(("umount", "/a")), Command(("umount", "/b"))), (Command(("kexec", "-e")),)
)


def test_steps_run_in_the_order_of_the_plan() -> None:
    runner = FakeRunner()
    perform(PLAN, runner, print)
    assert runner.commands == [LOAD, ("umount", "/a"), ("umount", "/b"), ("kexec", "-e")]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(5, "x"), RefusedError("no")], ids=["key", "os", "ours"])
def test_where_the_record_fails_nothing_stays_loaded(error: BaseException) -> None:
    """The next `reboot` would be a jump into it, past the first stage and its record."""

    def record() -> None:
        raise error

    runner = FakeRunner()
    with pytest.raises(type(error)):
        perform(PLAN, runner, print, record)
    assert runner.commands == [LOAD, ("kexec", "-u")]


def test_a_failed_load_touches_nothing_and_leaves_nothing_loaded() -> None:
    runner = FakeRunner({"kexec -a -l": Completed((), 255, stderr="Cannot determine the file type of /k\n")})
    with pytest.raises(RefusedError) as raised:
        perform(PLAN, runner, print)
    assert str(raised.value) == (
        "x was not booted: this kexec-tools does not know such a kernel image (2.0.28 was the first for zboot) "
        "(kexec exited with 255: Cannot determine the file type of /k)"
    )
    assert raised.value.hint == "the command was: kexec -a -l /k"
    assert runner.commands == [LOAD, ("kexec", "-u")]


OFF = "the running kernel does not allow it: it is locked down and boots only signed kernels, or kexec is off"
UNSIGNED = "the running kernel boots only signed kernels, and this one has no signature"
UNREADABLE = "the running kernel boots only signed kernels, and cannot read the signature of this one"
MEMORY = "there is not enough free memory for kernel and initrd"
PLACE = "kernel and initrd do not fit into the places in memory where they belong"


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        ("kexec_file_load failed: Operation not permitted", OFF),
        ("kexec_load failed: Operation not permitted", OFF),
        ("kexec_file_load failed: No data available", UNSIGNED),
        ("kexec_file_load failed: Key was rejected by service", f"{UNSIGNED}, or one that does not fit"),
        (
            "kexec_file_load failed: Required key not available",
            "the kernel is signed with a key that the running kernel does not know",
        ),
        ("kexec_file_load failed: Package not installed", UNREADABLE),
        ("kexec_file_load failed: Bad message", UNREADABLE),
        ("kexec_file_load failed: Accessing a corrupted shared library", UNREADABLE),
        ("kexec_file_load failed: Message too long", UNREADABLE),
        ("kexec_file_load failed: Device or resource busy", "another kernel is being loaded right now"),
        ("kexec_load failed: Device or resource busy", "another kernel is being loaded right now"),
        ("kexec_file_load failed: Cannot allocate memory", MEMORY),
        ("kexec_load failed: Cannot allocate memory", MEMORY),
        ("kexec_file_load failed: Cannot assign requested address", PLACE),
        ("kexec_load failed: Cannot assign requested address", PLACE),
        ("Could not find a free area of memory of 0x7000 bytes...", PLACE),
        ("Invalid memory segment 0x100000 - 0x1ffffff", PLACE),
        (
            "kexec_load failed: Permission denied",
            "a rule of the running kernel (IMA) wants signed kernels, and cannot check this one",
        ),
        (
            "kexec_load failed: Invalid argument",
            "the running kernel refuses it; do kernel and initrd need more than half of all memory?",
        ),
        ("kexec_load failed: Exec format error", "the running kernel does not take this kind of kernel image"),
        ("kexec_load failed: Function not implemented", "the running kernel has no kexec"),
    ],
)
def test_what_kexec_says_of_a_failed_load_is_put_into_words_and_kept(said: str, meaning: str) -> None:
    runner = FakeRunner({"kexec -a -l": Completed((), 255, stderr=f"something before\n{said}\n")})
    with pytest.raises(RefusedError) as raised:
        load(PLAN, runner)
    assert str(raised.value) == f"x was not booted: {meaning} (kexec exited with 255: something before / {said})"


@pytest.mark.parametrize(
    "said", ["kexec_load failed: Is a directory", "failed: Bad message", "mine failed: Bad message"]
)
def test_what_is_not_known_is_said_as_it_is(said: str) -> None:
    runner = FakeRunner({"kexec -a -l": Completed((), 1, stderr=said)})
    with pytest.raises(RefusedError) as raised:
        load(PLAN, runner)
    assert str(raised.value) == f"x was not booted: kexec exited with 1: {said}"


def test_the_table_of_segments_does_not_push_the_reason_out_of_sight() -> None:
    rows = "".join(f"segment[{row}].buf   = 0x55\nsegment[{row}].bufsz = 0x1000\n" for row in range(16))
    said = (
        f"kexec_load failed: Device or resource busy\nentry       = 0x10000 flags = 0x160000\nnr_segments = 16\n{rows}"
    )
    runner = FakeRunner({"kexec -a -l": Completed((), 255, stderr=said)})
    with pytest.raises(RefusedError) as raised:
        load(PLAN, runner)
    assert str(raised.value) == (
        "x was not booted: another kernel is being loaded right now "
        "(kexec exited with 255: kexec_load failed: Device or resource busy)"
    )


def test_what_a_failed_load_says_drives_no_terminal() -> None:
    runner = FakeRunner({"kexec -a -l": Completed((), 1, stderr="no\x1b[2J")})
    with pytest.raises(RefusedError, match="x was not booted: kexec exited with 1: no\N{REPLACEMENT CHARACTER}"):
        load(PLAN, runner)


def test_a_mount_that_stays_is_said_and_does_not_stop_the_boot() -> None:
    runner = FakeRunner({"umount /a": Completed((), 32, stderr="target is busy")})
    said: list[str] = []
    perform(PLAN, runner, said.append)
    assert runner.commands[-1] == ("kexec", "-e")
    assert said == ["chainboot: umount exited with 32: target is busy; going on"]


def test_a_failed_jump_leaves_nothing_loaded() -> None:
    runner = FakeRunner({"kexec -e": Completed((), 1, stderr="Nothing has been loaded!")})
    with pytest.raises(RefusedError, match="x was not booted: kexec exited with 1: Nothing has been loaded!"):
        perform(PLAN, runner, print)
    assert runner.commands[-1] == ("kexec", "-u")


def test_no_step_is_waited_for_for_ever() -> None:
    """A disk that dies meanwhile would otherwise leave a machine that nobody can reach."""
    runner = FakeRunner({"kexec -e": Completed((), 1)})
    with pytest.raises(RefusedError):
        perform(PLAN, runner, print)
    limits = dict(zip(runner.commands, runner.timeouts, strict=True))
    assert set(limits) == {LOAD, ("umount", "/a"), ("umount", "/b"), ("kexec", "-e"), ("kexec", "-u")}
    assert all(limit is not None and limit > 0 for limit in limits.values())
    assert (limits[LOAD] or 0) >= 300, "an initrd of half a gigabyte over a slow link"
    assert (limits["umount", "/a"] or 0) <= 30, "nobody can log in any more at that time"


@pytest.mark.parametrize(("hangs", "outcome"), [("umount", "jumps"), ("kexec -e", "stays"), ("kexec -a -l", "stays")])
def test_a_step_that_hangs_is_one_that_failed(hangs: str, outcome: str) -> None:
    runner = FakeRunner()

    def hanging(argv: Sequence[str], *, check: bool, timeout: float | None = None) -> Completed:
        done = runner(argv, check=check, timeout=timeout)
        if " ".join(argv).startswith(hangs):
            raise ProcessError(f"{argv[0]} did not finish within {timeout:g} s")
        return done

    said: list[str] = []
    if outcome == "jumps":
        perform(PLAN, hanging, said.append)
        assert runner.commands == [LOAD, ("umount", "/a"), ("umount", "/b"), ("kexec", "-e")]
        assert said == ["chainboot: umount did not finish within 20 s; going on"] * 2
    else:
        with pytest.raises(RefusedError, match="x was not booted: kexec did not finish within "):
            perform(PLAN, hanging, said.append)
        assert runner.commands[-1] == ("kexec", "-u")


SESSIONS = BootPlan(
    "x", "X", "c", (Command(LOAD),), (EndSessions(7), Command(("umount", "/a"))), (Command(("kexec", "-e")),)
)


def test_loading_takes_nothing_down_and_leaving_loads_nothing() -> None:
    runner = FakeRunner()
    load(SESSIONS, runner)
    assert runner.commands == [LOAD]
    leave(SESSIONS, runner, print, lambda step: runner.commands.append(("end-sessions", str(step.patience))))
    assert runner.commands[1:] == [("end-sessions", "7"), ("umount", "/a"), ("kexec", "-e")]


def test_sessions_that_do_not_end_are_said_and_do_not_stop_the_boot() -> None:
    def stubborn(_step: EndSessions) -> None:
        raise ChainbootError("somebody holds on")

    runner = FakeRunner()
    said: list[str] = []
    leave(SESSIONS, runner, said.append, stubborn)
    assert runner.commands == [("umount", "/a"), ("kexec", "-e")]
    assert said == ["chainboot: somebody holds on; going on"]


def test_an_interrupted_load_leaves_nothing_loaded(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    joined = Concatenate((Part(str(tmp_path / "a")),), str(tmp_path / "initrd"))
    plan = BootPlan("x", "X", "c", (joined, Command(LOAD)), (), ())
    commands: list[tuple[str, ...]] = []

    def interrupted(argv: tuple[str, ...], *, check: bool, timeout: float | None = None) -> Completed:
        commands.append(tuple(argv))
        if tuple(argv) == LOAD:
            raise KeyboardInterrupt
        return Completed(tuple(argv), 0, str((check, timeout)))

    with pytest.raises(KeyboardInterrupt):
        perform(plan, interrupted, print)
    assert commands == [LOAD, ("kexec", "-u")]
    assert not (tmp_path / "initrd").exists()


@pytest.mark.parametrize("sizes", [(0, 1), (1, 4, 3), (5,), (1 << 20, 3)])
def test_each_initrd_is_padded_to_four_bytes(tmp_path: Path, sizes: tuple[int, ...]) -> None:
    expected = b""
    sources = []
    for number, size in enumerate(sizes):
        source = tmp_path / str(number)
        source.write_bytes(bytes([65 + number]) * size)
        sources.append(Part(str(source)))
        expected += source.read_bytes() + bytes(-size % 4)
    concatenate(Concatenate(tuple(sources), str(tmp_path / "run/initrd")))
    assert (tmp_path / "run/initrd").read_bytes() == expected


def test_an_initrd_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    joined = Concatenate((Part(str(tmp_path / "gone")),), str(tmp_path / "initrd"))
    plan = BootPlan("x", "X", "c", (joined, Command(LOAD)), (), ())
    runner = FakeRunner()
    with pytest.raises(RefusedError, match=r"the initrds could not be joined in .*: No such file or directory"):
        perform(plan, runner, print)
    assert LOAD not in runner.commands
    assert not (tmp_path / "initrd").exists()


def test_unload_asks_the_kernel_first(tmp_path: Path) -> None:
    runner = FakeRunner()
    unload(runner, loaded=False)
    assert runner.commands == []
    unload(runner, loaded=True)
    assert runner.commands == [("kexec", "-u")]
    (tmp_path / "loaded").write_text("1\n")
    assert is_loaded(str(tmp_path / "loaded"))
    assert not is_loaded(str(tmp_path / "none"))


def test_a_real_program_that_fails_is_reported_with_its_words() -> None:
    plan = BootPlan("x", "X", "c", (Command(("sh", "-c", "echo no such kernel >&2; exit 3")),), (), ())
    with pytest.raises(RefusedError, match="x was not booted: sh exited with 3: no such kernel"):
        perform(plan, run, print)
