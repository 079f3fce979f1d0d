"""What forbids this boot, in words, before anything is touched. Pure but for what the caller hands in.

An objection means that nothing, or not this entry, can be booted; a remark that something may be refused later.
"""

from __future__ import annotations

from chainboot.boot.candidate import Candidate
from chainboot.boot.host import Host
from chainboot.boot.kernel import KernelImage
from chainboot.boot.volume import PathError


def objections(candidate: Candidate, cmdline: str, host: Host) -> tuple[str, ...]:
    """Why `candidate` cannot be booted on `host` with this command line; empty where nothing speaks against it."""
    if candidate.reasons:
        return candidate.reasons
    try:
        image = candidate.image()
    except PathError as error:
        return (f"kernel: {error.message}",)
    return (*_image_objections(candidate, image, cmdline, host), *_memory_objection(candidate, image, host))


def host_objections(host: Host) -> tuple[str, ...]:
    """Why this machine cannot kexec at all, and so can boot nothing; empty where it can."""
    if not host.kexec_supported:
        return (
            "the running kernel has no kexec (no /sys/kernel/kexec_loaded): "
            "start this machine with one that has CONFIG_KEXEC or CONFIG_KEXEC_FILE",
        )
    if host.kexec_disabled:
        return ("kexec is switched off until the next boot (kernel.kexec_load_disabled is 1)",)
    if host.loads_left == 0:
        return ("kexec is switched off until the next boot (kernel.kexec_load_limit_reboot is 0)",)
    if not host.root:
        return ("only root may load a kernel",)
    return ()


def host_remarks(host: Host) -> tuple[str, ...]:
    """What this machine will refuse to boot, though it can kexec: to be known before an entry is chosen.

    Sources: kernel_lockdown(7) (kexec_load is off, kexec_file_load wants a signature), arch/s390/kernel/
    machine_kexec_file.c (signatures are verified after a secure IPL), kernel/kexec_core.c, kexec_load_permitted (an
    unload counts as a load).
    """
    if host_objections(host):
        return ()
    found: list[str] = []
    if host.lockdown:
        found.append(
            f"the running kernel is locked down ({host.lockdown}): it boots only signed kernels that it trusts"
        )
    if host.secure_ipl:
        found.append("this machine was started by secure IPL: it boots only signed kernels that it trusts")
    if host.loads_left is not None:
        times = "once more" if host.loads_left == 1 else f"{host.loads_left} times more"
        found.append(f"a kernel can be loaded or unloaded {times} (kernel.kexec_load_limit_reboot)")
    return tuple(found)


def _image_objections(candidate: Candidate, image: KernelImage, cmdline: str, host: Host) -> tuple[str, ...]:
    path = candidate.kernel.path if candidate.kernel else "the kernel"
    if image.problem:
        return (f"kernel: {path}: {image.problem}",)
    if image.machine is not None and image.machine != host.machine:
        return (f"kernel: {path} is for {image.machine}, this machine is {host.machine}",)
    length = len(cmdline.encode("utf-8", "surrogateescape"))
    if image.command_line_limit is not None and length > image.command_line_limit:
        return (f"the command line has {length} bytes, and this kernel takes {image.command_line_limit}",)
    return ()


def _memory_objection(candidate: Candidate, image: KernelImage, host: Host) -> tuple[str, ...]:
    """Kernel and initrds are copied into memory before the jump: what does not fit fails late and unclearly.

    Source of the half: kernel/kexec_core.c, sanity_check_segment_list ("no more than half of memory will be consumed"),
    which says only EINVAL. MemTotal is what it halves.
    """
    initrds = sum(file.size for file in candidate.initrds)
    kernel = candidate.kernel.size if candidate.kernel else 0
    needed = kernel + initrds
    # Of an ELF file the debugging information is read, and not put into memory for the jump.
    placed = initrds if image.kind == "vmlinux" else needed
    if host.memory_total is not None and placed > host.memory_total // 2:
        return (
            f"kernel and initrd need {_mib(placed)} of memory, and kexec takes no more than half "
            f"of this machine's {_mib(host.memory_total)}",
        )
    if host.memory_available is None or needed <= host.memory_available:
        return ()
    return (f"kernel and initrd need {_mib(needed)} of memory, {_mib(host.memory_available)} are free",)


def _mib(size: int) -> str:
    return f"{size >> 20} MiB"
