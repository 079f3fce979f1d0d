"""Entering the system of an entry, as data: what is mounted, run and taken down. Pure; enter.py carries it out.

The commands are those that busybox and util-linux have in common.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chainboot.boot.discovery import FILE_SYSTEMS, mount_arguments
from chainboot.boot.fstab import Device
from chainboot.boot.plan import Command
from chainboot.boot.root import Mount, Root
from chainboot.boot.volume import Volume
from chainboot.errors import RefusedError
from chainboot.process import pasteable
from chainboot.settings import RUNTIME
from chainboot.text import printable

TARGET = f"{RUNTIME}/root"


@dataclass(frozen=True, slots=True)
class Step:
    """Run `argv`. `mounts` is the place of the system that it mounts something on, "" for none.

    That place must be a real directory; with `create` it is made. With `after` the step is taken only where that
    place was mounted. A step that is not `needed` may fail, in words.
    """

    argv: tuple[str, ...]
    mounts: str = ""
    create: bool = False
    after: str = ""
    needed: bool = True

    def describe(self) -> str:
        """The step as it could be pasted, and what it asks for."""
        notes = [f"{self.mounts} must be a directory, not a link" if len(self.mounts) > 1 else ""]
        notes += ["may fail" if not self.needed else "", f"if {self.after} was mounted" if self.after else ""]
        told = "; ".join(filter(None, notes))
        return pasteable(self.argv) + (f"  # {told}" if told else "")


@dataclass(frozen=True, slots=True)
class EnterPlan:
    """What entering does, in this order: up, inside, down. `volumes` are the mounts of discovery.

    `activate` runs before `command`; both run inside. `down` first unmounts, then restores the read-only mounts.
    """

    label: str
    target: str
    up: tuple[Step, ...]
    activate: tuple[str, ...]
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    unmount: tuple[Command, ...]
    restore: tuple[Command, ...]
    volumes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def describe(self) -> str:
        """Exactly what would run, for a person: the output of `--dry-run`. Ends in a line feed."""
        lines = [f"enter the system of {self.label}", *(f"  remark: {remark}" for remark in self.remarks)]
        lines += ["  up:", *(f"    {step.describe()}" for step in self.up), "  inside:"]
        lines += [f"    {name}={pasteable([value])}" for name, value in self.environment]
        lines += [f"    {pasteable(argv)}" for argv in (self.activate, self.command) if argv]
        lines += ["  down (after what still runs inside was ended, and what else was mounted inside is unmounted):"]
        lines += [f"    {step.describe()}" for step in (*self.unmount, *self.restore)]
        return "".join(f"{printable(line)}\n" for line in lines)


def make_plan(
    root: Root,
    volumes: Sequence[Volume],
    devices: Sequence[Device],
    *,
    loaded: bool,
    command: Sequence[str] = (),
    activate: bool = False,
    target: str = TARGET,
) -> EnterPlan:
    """The plan to enter `root`. `loaded`: a kernel is, and is unloaded first, so that no reboot turns into a kexec.

    `command` replaces the shell. `activate` runs the generation's activation script first, as nixos-enter(8) does.
    It is not the default: it rewrites /etc, users and boot-time links of that system to what this generation says,
    and the generation that a person enters to repair something is often an older one.
    """
    if activate and not root.toplevel:
        raise RefusedError(f"{root.label} is no NixOS generation: there is nothing to activate")
    used = {mount.device: mount for mount in reversed(root.mounts)}
    kinds = {each.path: each.kind for each in devices if each.kind in FILE_SYSTEMS}
    # The parts of one btrfs are one file system, and discovery mounts it by each of them.
    shared = {each.uuid for each in devices if each.path in used and each.kind == "btrfs"}
    views = [each for each in volumes if each.mounted and (each.device in used or each.uuid in shared)]
    views = [each for each in views if each.device in kinds]
    up = [Step(("kexec", "-u"))] if loaded else []
    up += [Step(("umount", view.root)) for view in views]
    up.append(Step(("mkdir", "-p", "-m", "0700", target)))
    bare = root.mounts[0].driver == "tmpfs"  # nothing is in it, so places are made
    for mount in root.mounts:
        where = f"{target}{mount.place}".removesuffix("/")
        up.append(Step(_mount(mount, where), mount.place, bare or mount.needed, needed=mount.needed))
    kernel = [
        Step(("mount", "-t", "proc", "proc", f"{target}/proc"), "/proc", True),
        Step(("mount", "-t", "sysfs", "sysfs", f"{target}/sys"), "/sys", True),
        Step(("mount", "-o", "bind", "/dev", f"{target}/dev"), "/dev", True),
        # Else what is unmounted inside later could be unmounted from the machine's own /dev.
        Step(("mount", "--make-private", f"{target}/dev")),
        Step(("mount", "-o", "bind", "/dev/pts", f"{target}/dev/pts"), "/dev/pts", needed=False),
        Step(("mount", "--make-private", f"{target}/dev/pts"), after="/dev/pts"),
        Step(("mount", "-t", "tmpfs", "-o", "mode=0755,nosuid,nodev", "tmpfs", f"{target}/run"), "/run", True),
    ]
    up += kernel
    if root.toplevel:
        # The login shell's profile looks for its programs there; in a running system activation makes it.
        up.append(Step(("ln", "-s", root.toplevel, f"{target}/run/current-system")))
    bound = []
    for view in views:
        shown = used.get(view.device or "")
        if shown is None or not shown.whole:
            continue
        # Others keep their view of the disk, read-only as it was.
        there = f"{target}{shown.place}".removesuffix("/")
        options = "remount,bind,ro,nodev,nosuid,noexec"
        up.append(Step(("mount", "-o", "bind", there, view.root), after=shown.place, needed=False))
        up.append(Step(("mount", "-o", options, "none", view.root), after=shown.place, needed=False))
        bound.append(view.root)
    places = [step.argv[-1] for step in up if step.mounts]
    inside = ("chroot", target)
    return EnterPlan(
        label=root.label,
        target=target,
        up=tuple(up),
        activate=(*inside, f"{root.toplevel}/activate") if activate else (),
        command=(*inside, *(command or root.command)),
        environment=root.environment,
        unmount=tuple(Command(("umount", path)) for path in (*bound, *deepest_first(places))),
        restore=tuple(
            Command(mount_arguments(view.device.removeprefix("/dev/"), kinds[view.device], view.root))
            for view in views
            if view.device
        ),
        volumes=tuple(each.root for each in volumes if each.mounted),
        remarks=root.remarks,
    )


def _mount(mount: Mount, target: str) -> tuple[str, ...]:
    options = mount.options if "ro" in mount.options else ("rw", *mount.options)
    return ("mount", "-t", mount.driver, "-o", ",".join(options), mount.device, target)


def deepest_first(paths: Iterable[str]) -> list[str]:
    """Mount points in the order in which they can be unmounted; what was mounted later comes first."""
    numbered = sorted(enumerate(paths), key=lambda pair: (pair[1].count("/"), pair[0]), reverse=True)
    return [path for _, path in numbered]
