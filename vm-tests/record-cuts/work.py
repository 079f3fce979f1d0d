"""Runs inside the first stage: writes the record and the default of a disk again and again, and marks each step.

    python3 work.py first-stage|running quiet|noisy MARK_AT

`first-stage` mounts the volume for each write and puts it back, as the menu does; `running` has it mounted all the
time, as a booted system has /boot. `noisy`: somebody else syncs and checkpoints all the while, so that what is dirty
gets to the disk in odd orders. MARK_AT is the byte of the disk at which the marks go, behind the file system.
"""

import array
import contextlib
import fcntl
import os
import signal
import sys
import time

from chainboot.boot.candidate import candidates
from chainboot.boot.change import default_change
from chainboot.boot.discovery import discover
from chainboot.boot.volume import Volume, read_configuration
from chainboot.boot.writable import writable
from chainboot.process import run
from chainboot.trial import store, transition
from chainboot.trial.record import Record

PATH = "/extlinux/extlinux.conf"
BOOT = "/tmp/boot"
HOLE = "/extlinux/a-file-that-leaves-a-hole-behind"
RECORD_STEPS = 20
# Every so many updates of the record the default is changed.
EVERY = 3
# linux/ext4.h: _IOW('f', 43, __u32)
CHECKPOINT = 0x4004662B


def main() -> None:
    how, noise, at = sys.argv[1], sys.argv[2], int(sys.argv[3])
    (found,) = discover(run).configurations  # the other disk has none
    volume = found.volume
    disk = volume.device or ""
    if how == "running":
        run(["umount", volume.root], check=True)
        os.mkdir(BOOT)
        kind = "vfat" if "vfat" in volume.name else "ext4"
        run(["mount", "-t", kind, "-o", "rw", disk, BOOT], check=True)
        volume = Volume(BOOT, "boot")
    with writable(volume, run) as root:
        os.remove(root + HOLE)
    os.sync()
    noisy = make_noise(how, volume) if noise == "noisy" else 0
    mark(disk, at, "begin", "all", 0)
    defaults = 0
    for step in range(1, RECORD_STEPS + 1):
        mark(disk, at, "begin", "record", step)
        write_record(volume, step)
        mark(disk, at, "end", "record", step)
        if step % EVERY == 0:
            defaults += 1
            mark(disk, at, "begin", "default", defaults)
            write_default(volume, defaults)
            mark(disk, at, "end", "default", defaults)
    mark(disk, at, "end", "all", 0)
    if noisy:
        os.kill(noisy, signal.SIGKILL)
        os.waitpid(noisy, 0)
    os.sync()
    print("work: " + "done", flush=True)


def write_record(volume: Volume, step: int) -> None:
    digest = f"{step:016x}"

    def change(record: Record) -> Record:
        started = transition.start(record, digest, 2, 1800000000 + step)
        return transition.bless(started, digest, 1800000000 + step) if step % 2 else started

    with writable(volume, run) as root:
        store.update(root, "/chainboot/trials", change, create=True)


def write_default(volume: Volume, step: int) -> None:
    with writable(volume, run):
        found = candidates([read_configuration(volume, PATH)])
        default_change(found, found[step % 2 + 1], force=True).write()


def mark(disk: str, at: int, what: str, kind: str, number: int) -> None:
    """One sector past the page cache, which is written as it is and flushes nothing."""
    text = f"<{what} {kind} {number}>".encode()
    # O_DIRECT wants the memory aligned. Two sectors full of the same text, of which one is taken.
    sector = text + bytes(512 - len(text))
    buffer = array.array("B", sector * 2)
    skip = -buffer.buffer_info()[0] % 512
    file = os.open(disk, os.O_WRONLY | os.O_DIRECT)
    assert os.pwrite(file, memoryview(buffer)[skip : skip + 512], at) == 512
    os.close(file)


def make_noise(how: str, volume: Volume) -> int:
    child = os.fork()
    if child:
        return child
    while True:
        os.sync()
        if how == "running":
            directory = os.open(volume.root, os.O_RDONLY)
            with contextlib.suppress(OSError):
                fcntl.ioctl(directory, CHECKPOINT, bytes(4))
            os.close(directory)
        time.sleep(0.003)


main()
