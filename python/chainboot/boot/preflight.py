"""What forbids this boot, in words, before anything is touched. Pure but for what the caller hands in."""

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
    return (*_image_objections(candidate, image, cmdline, host), *_memory_objection(candidate, host))


def host_objections(host: Host) -> tuple[str, ...]:
    """Why this machine cannot kexec at all."""
    if not host.kexec_supported:
        return ("the running kernel has no kexec (no /sys/kernel/kexec_loaded)",)
    if host.kexec_disabled:
        return ("kexec is switched off until the next boot (kernel.kexec_load_disabled is 1)",)
    if not host.root:
        return ("only root may load a kernel",)
    return ()


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


def _memory_objection(candidate: Candidate, host: Host) -> tuple[str, ...]:
    """Kernel and initrds are copied into memory before the jump: what does not fit fails late and unclearly."""
    files = (candidate.kernel, *candidate.initrds)
    needed = sum(file.size for file in files if file is not None)
    if host.memory_available is None or needed <= host.memory_available:
        return ()
    return (f"kernel and initrd need {needed >> 20} MiB of memory, {host.memory_available >> 20} MiB are free",)
