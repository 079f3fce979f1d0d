"""Carries out a BootPlan: loads, takes down, jumps. What it records between loading and taking down is done by whoever
keeps the records (`session.attempts`).

The order is load, record, teardown, execute, each step checked. Whatever fails, nothing stays loaded: a loaded image
would turn a later `reboot` into a kexec (systemd#41211). What kexec-tools says of a failed load is put into words.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from chainboot.boot import farewell
from chainboot.boot.initrd import padding
from chainboot.boot.plan import BootPlan, Command, Concatenate, EndSessions
from chainboot.errors import ChainbootError, RefusedError
from chainboot.process import Completed, Runner, pasteable

LOADED = "/sys/kernel/kexec_loaded"

# A disk that dies meanwhile must not leave a machine that nobody can reach any more. Seconds: for one load, whose
# initrd may come over a slow link; for one umount; and for the jump, or a shutdown that `systemctl kexec` only begins.
_LOAD_S = 600.0
_TEARDOWN_S = 20.0
_EXECUTE_S = 60.0


def perform(plan: BootPlan, run: Runner, say: Callable[[str], None], record: Callable[[], None] = lambda: None) -> None:
    """Boot. Returns only where the jump is left to others (`systemctl kexec`, a fake runner in tests).

    `record` does the phase of that name. Raises `RefusedError` with the step that failed and why; the target kernel is
    unloaded again.
    """
    load(plan, run)
    with _undone(plan, run):
        record()
    leave(plan, run, say)


def load(plan: BootPlan, run: Runner) -> None:
    """The first half of `perform`: after it the target kernel is loaded and nothing else has changed."""
    with _undone(plan, run):
        for step in plan.load:
            if isinstance(step, Command):
                _load(step, run)
            else:
                _take(step, run, _LOAD_S)


def leave(
    plan: BootPlan,
    run: Runner,
    say: Callable[[str], None],
    end_sessions: Callable[[EndSessions], None] = farewell.end_sessions,
) -> None:
    """The second half: take down and jump. Call it from a process that none of the sessions owns which it ends."""
    with _undone(plan, run):
        for step in plan.teardown:
            # Only sessions and read-only mounts are taken down here: one that stays is worth a word, not the boot.
            try:
                if isinstance(step, EndSessions):
                    end_sessions(step)
                else:
                    _take(step, run, _TEARDOWN_S)
            except ChainbootError as error:
                say(f"chainboot: {error.message}; going on")
        for step in plan.execute:
            _take(step, run, _EXECUTE_S)


@contextmanager
def _undone(plan: BootPlan, run: Runner) -> Iterator[None]:
    """Whatever fails inside, nothing stays loaded, and the reason names the entry."""
    try:
        yield
    except BaseException as error:
        with suppress(ChainbootError):  # what failed first is what the person must hear
            unload(run, loaded=True)
        _remove_joined(plan)
        if isinstance(error, ChainbootError):
            raise RefusedError(f"{plan.label} was not booted: {error.message}", hint=error.hint) from error
        raise


def unload(run: Runner, *, loaded: bool | None = None) -> Completed | None:
    """Forget a loaded kernel. Asks the running kernel whether there is one, unless `loaded` says so."""
    if loaded is None:
        loaded = is_loaded()
    return run(["kexec", "-u"], check=False, timeout=_TEARDOWN_S) if loaded else None


def is_loaded(path: str = LOADED) -> bool:
    """Whether a kernel is loaded and would be started by the next `kexec -e` or reboot."""
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip() == "1"
    except OSError:
        return False


def _take(step: Concatenate | Command, run: Runner, seconds: float) -> None:
    if isinstance(step, Concatenate):
        try:
            concatenate(step)
        except OSError as error:
            raise RefusedError(f"the initrds could not be joined in {step.target}: {error.strerror}") from error
    else:
        run(step.argv, check=True, timeout=seconds)


# What errors of the two system calls mean here, by (call, errno). `kexec -a` (kexec.c of kexec-tools 2.0.25) goes on
# from kexec_file_load to kexec_load after ENOSYS, EINVAL, ENOEXEC and ENOTSUP, and then the second call's error is the
# one that is said. After EPERM, EBUSY or a bad signature it gives up, as a kernel that wants signatures means it.
# Sources: kernel/kexec.c and kexec_core.c (EPERM, EBUSY; EINVAL: half of the memory), kexec_file.c,
# arch/s390/kernel/machine_kexec_file.c and crypto/asymmetric_keys (signatures), ima_main.c (EACCES).
_UNSIGNED = "the running kernel boots only signed kernels, and this one has no signature"
_UNREADABLE = "the running kernel boots only signed kernels, and cannot read the signature of this one"
_NOT_ALLOWED = "the running kernel does not allow it: it is locked down and boots only signed kernels, or kexec is off"
_BUSY = "another kernel is being loaded right now"
_NO_MEMORY = "there is not enough free memory for kernel and initrd"
_NO_PLACE = "kernel and initrd do not fit into the places in memory where they belong"
_MEANINGS = {
    ("kexec_file_load", errno.EPERM): _NOT_ALLOWED,
    ("kexec_file_load", errno.ENODATA): _UNSIGNED,
    ("kexec_file_load", errno.EKEYREJECTED): f"{_UNSIGNED}, or one that does not fit",
    ("kexec_file_load", errno.ENOKEY): "the kernel is signed with a key that the running kernel does not know",
    ("kexec_file_load", errno.ENOPKG): _UNREADABLE,
    ("kexec_file_load", errno.EBADMSG): _UNREADABLE,
    ("kexec_file_load", errno.ELIBBAD): _UNREADABLE,
    ("kexec_file_load", errno.EMSGSIZE): _UNREADABLE,
    ("kexec_file_load", errno.EBUSY): _BUSY,
    ("kexec_file_load", errno.ENOMEM): _NO_MEMORY,
    ("kexec_file_load", errno.EADDRNOTAVAIL): _NO_PLACE,
    ("kexec_load", errno.EPERM): _NOT_ALLOWED,
    ("kexec_load", errno.EACCES): "a rule of the running kernel (IMA) wants signed kernels, and cannot check this one",
    ("kexec_load", errno.EBUSY): _BUSY,
    ("kexec_load", errno.ENOMEM): _NO_MEMORY,
    ("kexec_load", errno.EADDRNOTAVAIL): _NO_PLACE,
    (
        "kexec_load",
        errno.EINVAL,
    ): "the running kernel refuses it; do kernel and initrd need more than half of all memory?",
    ("kexec_load", errno.ENOEXEC): "the running kernel does not take this kind of kernel image",
    ("kexec_load", errno.ENOSYS): "the running kernel has no kexec",
}

# The same of what kexec-tools finds by itself, by how its line starts.
_FINDINGS = (
    (
        "Cannot determine the file type",
        "this kexec-tools does not know such a kernel image (2.0.28 was the first for zboot)",
    ),
    ("Could not find a free area of memory", _NO_PLACE),
    ("Invalid memory segment", _NO_PLACE),
)

# What follows a failed kexec_load is a table of addresses, which would push the reason out of sight.
_NOISE = ("entry ", "nr_segments ", "segment[")


def _load(step: Command, run: Runner) -> None:
    """Run a command of the load phase; raises `RefusedError` with its words, and before them what they mean."""
    done = run(step.argv, check=False, timeout=_LOAD_S)
    if done.returncode == 0:
        return
    said = [line.strip() for line in (done.stderr or done.stdout).splitlines()]
    said = [line for line in said if not line.startswith(_NOISE)]
    reason = Completed(done.argv, done.returncode, stderr="\n".join(said)).reason()
    meaning = next((known for known in map(_meaning, said) if known), None)
    raise RefusedError(f"{meaning} ({reason})" if meaning else reason, hint=f"the command was: {pasteable(step.argv)}")


def _meaning(line: str) -> str | None:
    """What a line that kexec printed means; None where nothing is known of it."""
    for start, meaning in _FINDINGS:
        if line.startswith(start):
            return meaning
    call, _, why = line.partition(" failed: ")
    return next(
        (meaning for (of, number), meaning in _MEANINGS.items() if (of, os.strerror(number)) == (call, why)), None
    )


def concatenate(step: Concatenate) -> None:
    """Write the sources into the target; raises OSError. The kernel copies (sendfile), Python holds nothing."""
    os.makedirs(os.path.dirname(step.target), mode=0o700, exist_ok=True)
    with open(step.target, "wb", buffering=0) as target:
        for part in step.parts:
            with open(part.path, "rb", buffering=0) as file:
                offset = part.skip
                while sent := os.sendfile(target.fileno(), file.fileno(), offset, 1 << 24):
                    offset += sent
            target.write(padding(offset - part.skip))


def _remove_joined(plan: BootPlan) -> None:
    """A joined initrd may be as large as the memory that is left."""
    for step in plan.load:
        if isinstance(step, Concatenate):
            with suppress(OSError):
                os.unlink(step.target)
