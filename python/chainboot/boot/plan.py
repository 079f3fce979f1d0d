"""A boot as data: what will be loaded, taken down and executed. Pure; `--dry-run` prints it, kexec.py runs it."""

from __future__ import annotations

from dataclasses import dataclass

from chainboot import architecture
from chainboot.boot.candidate import Candidate
from chainboot.boot.cmdline import with_parameters
from chainboot.boot.consoles import added
from chainboot.boot.initrd import ALIGNMENT
from chainboot.errors import RefusedError
from chainboot.process import pasteable
from chainboot.settings import RUNTIME
from chainboot.text import printable


@dataclass(frozen=True, slots=True)
class Part:
    """A file, without its first `skip` bytes."""

    path: str
    skip: int = 0


@dataclass(frozen=True, slots=True)
class Concatenate:
    """Write `parts` one after the other into `target`, each padded as the kernel wants it (`initrd.padding`)."""

    parts: tuple[Part, ...]
    target: str

    def describe(self) -> str:
        """The step as it could be pasted, but for the padding."""
        sources = [f"<(tail -c +{part.skip + 1} {pasteable([part.path])})" if part.skip else pasteable([part.path])
                   for part in self.parts]  # fmt: skip
        return f"cat {' '.join(sources)} > {pasteable([self.target])}  # each padded to {ALIGNMENT}"


@dataclass(frozen=True, slots=True)
class Command:
    """Run `argv`; any exit code but 0 is a failure."""

    argv: tuple[str, ...]

    def describe(self) -> str:
        """The step as it could be pasted."""
        return pasteable(self.argv)


@dataclass(frozen=True, slots=True)
class EndSessions:
    """Tell every SSH session, wait at most `patience` seconds until they have ended, then end what is left."""

    patience: int

    def describe(self) -> str:
        """The step in words: there is no program for it."""
        return f"# end the SSH sessions, which are told; after {self.patience} s whatever is left; stop the server"


@dataclass(frozen=True, slots=True)
class WriteRecord:
    """Write `what` to the record of trials at `path` of this machine (see `trial.record`)."""

    path: str
    what: str

    def describe(self) -> str:
        """The step in words: there is no program for it."""
        return f"# write to {self.path}: {self.what}"

    @classmethod
    def of_start(cls, path: str, label: str, trial: tuple[int, int] | None) -> WriteRecord:
        """The step for an entry that is started: `trial` is (k, n) for try k of n, None where it is no trial."""
        return cls(
            path, f"{label} is started" if trial is None else f"try {trial[0]} of {trial[1]} of {label} is spent"
        )


@dataclass(frozen=True, slots=True)
class ArmWatchdog:
    """Start the watchdog of `driver`, which resets the machine after `seconds` without a sign of life."""

    driver: str
    seconds: int

    def describe(self) -> str:
        """The step in words: there is no program for it."""
        return f"# arm the watchdog {self.driver}: it resets the machine after {self.seconds} s without a sign of life"


Step = Concatenate | Command | EndSessions | WriteRecord | ArmWatchdog

# How long sessions have to say goodbye, in seconds: a proper disconnect takes one round trip and a poll.
PATIENCE = 5


@dataclass(frozen=True, slots=True)
class BootPlan:
    """What one boot does, in this order: load, record, teardown, execute.

    Nothing outside memory changes before the load has succeeded, so a failed load leaves the menu alive. `notes` are
    sentences about what differs from the configuration.
    """

    label: str
    title: str
    cmdline: str
    load: tuple[Concatenate | Command, ...]
    teardown: tuple[Command | EndSessions, ...]
    execute: tuple[Command, ...]
    notes: tuple[str, ...] = ()
    record: tuple[WriteRecord | ArmWatchdog, ...] = ()

    def phases(self) -> tuple[tuple[str, tuple[Step, ...]], ...]:
        """The phases by name, in the order in which they run."""
        return (
            ("load", self.load),
            ("record", self.record),
            ("teardown", self.teardown),
            ("execute", self.execute),
        )

    def describe(self) -> str:
        """Exactly what would run, for a person: the output of `--dry-run`. Ends in a line feed."""
        lines = [f"boot {self.label}: {self.title}", *(f"  note: {note}" for note in self.notes)]
        for name, steps in self.phases():
            lines += [f"  {name}:", *(f"    {step.describe()}" for step in steps)] if steps else []
        return "".join(f"{printable(line)}\n" for line in lines)


def make_plan(
    candidate: Candidate,
    *,
    cmdline: str | None = None,
    machine: str,
    runtime: str = RUNTIME,
    unmount: tuple[str, ...] = (),
    sessions: bool = False,
    systemd: bool = False,
    words: str = "",
    record: tuple[WriteRecord | ArmWatchdog, ...] = (),
    remarks: tuple[str, ...] = (),
) -> BootPlan:
    """The plan to boot `candidate`; raises `RefusedError` with the reasons where it has no kernel or initrd.

    `cmdline` replaces the entry's own. `unmount` are mount points to take down. With `sessions` the SSH sessions are
    ended before that: `kexec -e` takes the interfaces down, and a client that was not told hangs. With `systemd` the
    running system is shut down in order (`systemctl kexec`) instead of being left by `kexec -e`. `words` are added to
    the command line; `record` and `remarks` are what a trial writes, and what a person should know of it.
    """
    if candidate.reasons or candidate.kernel is None:
        why = "; ".join(candidate.reasons)
        raise RefusedError(f"{candidate.entry.label} cannot be booted: {why}", position=candidate.entry.position)
    own = candidate.boot_cmdline if cmdline is None else cmdline
    cmdline = with_parameters(own, words) if words else own
    load: list[Concatenate | Command] = []
    initrds = [file.host for file in candidate.initrds]
    if len(initrds) > 1 or any(file.skip for file in candidate.initrds):
        # kexec-tools keeps only the last --initrd, so several become one file, in the order given
        # (microcode first, as the configuration has it).
        parts = tuple(Part(file.host, file.skip) for file in candidate.initrds)
        load.append(Concatenate(parts, f"{runtime}/initrd"))
        initrds = [f"{runtime}/initrd"]
    # -a: kexec_file_load, which signature checks need, and kexec_load where the kernel has no other (kexec(8)).
    argv = ["kexec", "-a", "-l", candidate.kernel.host]
    argv += [f"--initrd={path}" for path in initrds]
    row = architecture.find(machine)
    if candidate.fdt is not None and candidate.fdt.host and row is not None and row.device_tree:
        argv.append(f"--dtb={candidate.fdt.host}")
    argv.append(f"--command-line={cmdline}")
    load.append(Command(tuple(argv)))
    return BootPlan(
        label=candidate.entry.label,
        title=candidate.entry.title,
        cmdline=cmdline,
        load=tuple(load),
        teardown=teardown(unmount, sessions=sessions),
        execute=(Command(("systemctl", "kexec")) if systemd else Command(("kexec", "-e")),),
        notes=tuple(filter(None, [added(candidate, own), *remarks])),
        record=record,
    )


def teardown(unmount: tuple[str, ...], *, sessions: bool) -> tuple[Command | EndSessions, ...]:
    """What is taken down before the machine leaves, in order."""
    ended = (EndSessions(PATIENCE),) if sessions else ()
    return (*ended, *(Command(("umount", path)) for path in unmount))


# Verb to program of busybox. -f: there is no init that would do it in order.
POWER = {"reboot": ("reboot", "-f"), "poweroff": ("poweroff", "-f")}


def make_power_plan(verb: str) -> BootPlan:
    """The plan to restart the machine or switch it off: `verb` is a key of `POWER`.

    Volumes stay mounted: they are read-only, and taking down one on a dying disk could hang.

    Unload a loaded kernel before: it would turn the reboot into a kexec (systemd#41211).
    """
    return BootPlan(
        label=verb,
        title="the machine restarts" if verb == "reboot" else "the machine switches itself off",
        cmdline="",
        load=(),
        teardown=teardown((), sessions=True),
        execute=(Command(POWER[verb]),),
    )
