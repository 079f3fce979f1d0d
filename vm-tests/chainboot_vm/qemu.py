"""The QEMU command line of a machine, without its consoles.

Knows QEMU's options and its monitor's commands; starts nothing. It adds no -serial, -monitor or -qmp: the NixOS test
driver and our own `QemuMachine` each add theirs, and `make demo` adds this terminal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chainboot.errors import ChainbootError
from chainboot_vm.architecture import Architecture
from chainboot_vm.artifacts import program

MEMORY_MIB = 512

# Without KVM everywhere, so that every machine tests the same thing. QEMU's default translation cache is a quarter of
# the host's memory for each machine; 32 MiB is as fast for one small guest.
ACCELERATION = ("-accel", "tcg,tb-size=32")


@dataclass(frozen=True, slots=True)
class Drive:
    """A disk image as QEMU is given it. One that is not attached can be plugged in later with `plug`.

    What a guest writes to one that is `kept` is in the image afterwards; every write is also added to the file
    `recorded`, if there is one, in the order and with the flushes in which the guest makes them (write_log.py). A guest
    can write nothing to one that is `read_only`.
    """

    image: Path
    attached: bool = True
    kept: bool = False
    recorded: Path | None = None
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Network:
    """A network card and the router at the other end of its cable: QEMU's own, which has a DHCP server.

    One that is not `routed` has a carrier and nobody who answers, until `route` gives it the router. A port of this
    machine leads to port `guest_port` of `guest_address` (the empty one is the first that the DHCP server hands out);
    `host_port` 0 lets QEMU pick a free one, which `forwarded_port` reads. With `isolated` the guest reaches nothing
    outside, not even the host, and the DHCP server names no gateway.
    """

    routed: bool = True
    guest_port: int = 22
    guest_address: str = ""
    host_port: int = 0
    isolated: bool = False


def command_line(
    arch: Architecture,
    *,
    kernel: Path | None,
    initrd: Path | None = None,
    append: str = "",
    drives: Sequence[Drive],
    networks: Sequence[Network] = (),
    memory_mib: int = MEMORY_MIB,
    acceleration: Sequence[str] = ACCELERATION,
    hardware: Sequence[str] = (),
) -> tuple[str, ...]:
    """The argv that boots `kernel` and `initrd` with `append` as kernel command line; `hardware` are further arguments.

    Without a kernel the machine's own firmware starts what the boot loader has put on the first drive.
    Disk images are opened with snapshot=on unless they are kept: what a guest writes is gone when QEMU ends, so one
    image serves any number of machines. Raises `NotFoundError` when QEMU is not installed.
    """
    argv = [program(arch.qemu), *arch.machine, *acceleration, "-m", str(memory_mib)]
    argv += ["-nodefaults", "-no-user-config", "-display", "none", *hardware]
    if kernel is not None:
        argv += ["-kernel", str(kernel), "-initrd", str(initrd), "-append", append]
    for number, drive in enumerate(drives):
        argv += _block_device(number, drive)
        if drive.attached:
            first = ",bootindex=0" if kernel is None and number == 0 else ""
            argv += ["-device", f"{arch.disk_device},drive=disk{number}{first}"]
    for number, network in enumerate(networks):
        cable = _router(number) if network.routed else _hub_end(number)
        argv += ["-netdev", _user(number, network) if network.routed else f"hubport,id={cable},hubid={number}"]
        argv += ["-device", f"{arch.network_device},id={_card(number)},netdev={cable},mac=52:54:00:c4:b0:{number:02x}"]
    return tuple(argv)


def _block_device(number: int, drive: Drive) -> list[str]:
    image = str(drive.image).replace(",", ",,")  # qemu(1): a comma in an option's value is doubled
    if drive.recorded is None:
        # What the guest flushes is not flushed here: no test takes the power from this machine.
        further = ("" if not drive.kept else ",cache=unsafe") + (",read-only=on" if drive.read_only else "")
        return ["-drive", f"if=none,id=disk{number},format=raw,snapshot={_on(not drive.kept)}{further},file={image}"]
    log = str(drive.recorded).replace(",", ",,")
    return [
        *("-blockdev", f"driver=file,node-name=image{number},filename={image}"),
        *("-blockdev", f"driver=file,node-name=log{number},filename={log}"),
        *("-blockdev", f"driver=blklogwrites,node-name=disk{number},file=image{number},log=log{number}"),
    ]


def clock(start: str) -> tuple[str, ...]:
    """The arguments for a machine whose clock says `start` (ISO 8601, UTC) when it is switched on."""
    return ("-rtc", f"base={start}")


def panic_store(file: Path) -> tuple[str, ...]:
    """The arguments for the ERST (ACPI) of a PC's firmware, where the kernel leaves what it said when it panicked."""
    name = str(file).replace(",", ",,")
    memory = f"memory-backend-file,id=erst,mem-path={name},size=0x10000,share=on"
    return ("-object", memory, "-device", "acpi-erst,memdev=erst")


def watchdog(arch: Architecture) -> tuple[str, ...]:
    """The arguments for a watchdog, which resets the machine when nothing feeds it."""
    return ("-device", arch.watchdog_device, "-action", "watchdog=reset")


def load_parameter(value: str) -> tuple[str, ...]:
    """The monitor commands that reset an IBM Z with `value` as its LOADPARM: the number of an entry of zipl's menu."""
    return (f"qom-set /machine loadparm {value}", "system_reset")


def plug(number: int) -> str:
    """The monitor command that attaches drive `number` (counting from 0) to a running machine."""
    # QEMU's own name for the disk of whatever bus the machine has.
    return f"device_add virtio-blk,drive=disk{number}"


def route(number: int, network: Network) -> tuple[str, ...]:
    """The monitor commands that put the router at the other end of card `number` (counting from 0), which had none."""
    router = _router(number)
    return (
        f"netdev_add {_user(number, network)}",
        f"netdev_add hubport,id={router}-port,hubid={number},netdev={router}",
        # What the guest sent while nobody was at the other end is stuck, and all that follows behind it; a pause of the
        # machine is what makes QEMU let go of it.
        "stop",
        "cont",
    )


def carrier(number: int, up: bool) -> str:
    """The monitor command that pulls the cable out of card `number` (counting from 0), or puts it back."""
    return f"set_link {_card(number)} {_on(up)}"


def forwarded_port(number: int, usernet: str) -> int | None:
    """The port of this machine that leads to card `number` (counting from 0).

    `usernet` is the monitor's answer to `info usernet`. None while that card has no router.
    """
    section = ""
    for line in usernet.splitlines():
        if line.rstrip().endswith(":"):
            section = line
        words = line.split()
        if section.endswith(f"({_router(number)}):") and words[:1] == ["TCP[HOST_FORWARD]"]:
            return int(words[3])
    return None


def consoles(arch: Architecture, count: int) -> str:
    """The `console=` parameters for `count` serial consoles; the kernel's /dev/console is the last one named."""
    names = (arch.console, *arch.further_consoles)[:count]
    return " ".join(f"console={name}" for name in reversed(names))


def console_devices(arch: Architecture, count: int, *, line: bool = False) -> tuple[tuple[str, ...], ...]:
    """The arguments for each of `count` serial consoles and, with `line`, for one more that knows lines only.

    In each of them `{}` stands for the character device. Raises `ChainbootError` where the machine has no such console.
    """
    given = (("-serial", "chardev:{}"), *(arch.further_device for _ in range(1, count)))
    if not line:
        return given
    if arch.line_console is None:
        raise ChainbootError(f"{arch.name} has no console that knows lines only")
    return (*given, arch.line_console.device)


# What the router advertises. QEMU's own default is a site-local prefix, which nobody has used since RFC 3879.
IPV6_PREFIX = "fd00:c4b0::"


def _user(number: int, network: Network) -> str:
    forward = f"hostfwd=tcp:127.0.0.1:{network.host_port}-{network.guest_address}:{network.guest_port}"
    return f"user,id={_router(number)},restrict={_on(network.isolated)},ipv6-prefix={IPV6_PREFIX},{forward}"


def _router(number: int) -> str:
    return f"router{number}"


def _hub_end(number: int) -> str:
    return f"cable{number}"


def _card(number: int) -> str:
    return f"card{number}"


def _on(yes: bool) -> str:
    return "on" if yes else "off"
