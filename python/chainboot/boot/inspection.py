"""What `chainboot check` says about configurations: the linter's findings, and those that take a look at the files.

Each distinct file is opened once, however many entries name it: the generations of a NixOS share theirs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from chainboot.boot.candidate import BootFile, Candidate, look_at
from chainboot.boot.initrd import HEAD_SIZE, is_initrd
from chainboot.boot.kernel import KernelImage
from chainboot.boot.volume import Configuration, PathError, Volume, normalise
from chainboot.errors import Diagnostic, SourcePosition
from chainboot.extlinux.entry import BootEntry
from chainboot.extlinux.lint import lint
from chainboot.extlinux.parser import SIZE_LIMIT, Directive, Document, parse
from chainboot.extlinux.report import Report, value_position
from chainboot.extlinux.sections import Section, divide

# Of an initrd, which may be behind a U-Boot header.
_START_SIZE = 64 + HEAD_SIZE


def findings(
    configurations: Iterable[Configuration], among: Sequence[Candidate], machine: str
) -> tuple[Diagnostic, ...]:
    """Every finding about the configurations and their entries, by place in the file.

    `machine` is the architecture of this machine, as uname(2) has it; the configuration may be for another one.
    """
    by_configuration: dict[int, list[Candidate]] = {}
    for candidate in among:
        by_configuration.setdefault(id(candidate.configuration), []).append(candidate)
    inspections = [
        _Inspection(configuration, by_configuration.get(id(configuration), [])) for configuration in configurations
    ]
    kernels = [kernel for inspection in inspections for kernel in inspection.kernels]
    expected = _expected_machine([machine_of for _, machine_of in kernels], machine)
    found: list[Diagnostic] = []
    whole = Report()
    if expected is not None and expected != machine and all(machine_of == expected for _, machine_of in kernels):
        whole.add("foreign-machine", f"every kernel is for {expected}; this machine is {machine}")
    if among and not any(inspection.usable for inspection in inspections):
        whole.add("nothing-bootable", "no entry of this machine can be booted")
    for inspection in inspections:
        if expected is not None:
            inspection.compare_machines(expected, machine)
        found += sorted(inspection.findings(), key=_place)
    return (*whole.diagnostics, *found)


def _place(diagnostic: Diagnostic) -> tuple[str, int, int]:
    position = diagnostic.position
    return (position.file, position.line, position.column) if position else ("", 0, 0)


def _expected_machine(machines: Sequence[str], host: str) -> str | None:
    """What the kernels should be for: this machine where any of them is, else what most of them are."""
    if not machines or host in machines:
        return host if machines else None
    return Counter(machines).most_common(1)[0][0]


class _Inspection:
    """One configuration with its entries. `kernels` are the entries whose kernel says what it is for."""

    def __init__(self, configuration: Configuration, candidates: Sequence[Candidate]) -> None:
        self.kernels: list[tuple[tuple[Candidate, Directive | SourcePosition], str]] = []
        self.usable = 0
        self._configuration = configuration
        sections = divide(_document(configuration), configuration.read_include)
        self._report = Report(sections.documents)
        self._lint = lint(sections, configuration.read_include, configuration.menu)
        self._images: dict[str, KernelImage] = {}
        self._initrds: dict[tuple[str, int], str | None] = {}
        self._missing: dict[str, str | None] = {}
        if not configuration.menu.entries:
            self._report.add("no-entries", f"{configuration.path} has no boot entry")
        for section, candidate in zip(sections.labels(), candidates, strict=False):
            self._entry(section, candidate)

    def findings(self) -> list[Diagnostic]:
        """What parser, evaluation, linter and this inspection have found, unsorted."""
        return [*self._configuration.menu.diagnostics, *self._lint, *self._report.diagnostics]

    def compare_machines(self, expected: str, host: str) -> None:
        """Report every kernel that is not for `expected`."""
        for (candidate, at), machine in self.kernels:
            if machine != expected:
                others = f"this machine is {host}" if expected == host else f"most others are for {expected}"
                path = candidate.kernel.path if candidate.kernel else ""
                message = f"{candidate.entry.label}: {path} is for {machine}, {others}"
                self._report.add("other-machine", message, at)

    def _entry(self, section: Section, candidate: Candidate) -> None:
        entry, kernel = candidate.entry, candidate.kernel
        if entry.reasons:
            return  # lint has said so
        good = True
        for role, at, file, value in _files(section, candidate):
            if file.problem:
                good = False
                message = f"{entry.label} cannot be booted: {role}: {file.problem}"
                self._report.add("missing-file", message, at, "paths start at the configuration, or at its file system")
            elif value.startswith("/") and not self._is_written(file, value):
                message = f"{value.split()[0]} is not there, and {file.path} is taken instead"
                self._report.add("other-layout", message, at, "a boot loader would not find it: write the other path")
            if role == "initrd" and not file.problem:
                good = self._initrd(entry, at, file) and good
        if kernel is not None and not kernel.problem:
            at = section.last(entry.kernel_keyword) or entry.position
            good = self._kernel(section, candidate, kernel, at) and good
        self.usable += good
        self._device_tree(section, candidate)

    def _is_written(self, file: BootFile, value: str) -> bool:
        names = (value, value.split()[0], *value.split(","))
        return any(normalise(self._configuration.absolute(name.strip())) == file.path for name in names)

    def _kernel(self, section: Section, candidate: Candidate, kernel: BootFile, at: Directive | SourcePosition) -> bool:
        label = candidate.entry.label
        image = self._image(kernel)
        if image.problem:
            code = "not-a-kernel" if image.kind == "nothing" else "unusable-kernel"
            self._report.add(code, f"{label} cannot be booted: {kernel.path}: {image.problem}", at)
            return False
        if image.machine is not None:
            self.kernels.append(((candidate, at), image.machine))
        length = len(candidate.cmdline.encode("utf-8", "surrogateescape"))
        if image.command_line_limit is not None and length > image.command_line_limit:
            message = f"the command line of {label} has {length} bytes; its kernel takes {image.command_line_limit}"
            self._report.add("command-line-too-long", message, section.last("APPEND") or candidate.entry.position)
            return False
        return True

    def _image(self, kernel: BootFile) -> KernelImage:
        if kernel.path not in self._images:
            try:
                self._images[kernel.path] = look_at(self._configuration.volume, kernel)
            except PathError as error:
                self._images[kernel.path] = KernelImage(None, "nothing", problem=error.message)
        return self._images[kernel.path]

    def _initrd(self, entry: BootEntry, at: Directive | SourcePosition, file: BootFile) -> bool:
        if file.size <= file.skip:
            self._report.add("empty-initrd", f"{entry.label} cannot be booted: {file.path} is empty", at)
            return False
        key = (file.path, file.skip)
        if key not in self._initrds:
            self._initrds[key] = _odd(self._configuration.volume, file)
        odd = self._initrds[key]
        if odd is not None:
            self._report.add("odd-initrd", f"{entry.label}: {odd}", at, "is it the initrd of another boot loader?")
        return True

    def _device_tree(self, section: Section, candidate: Candidate) -> None:
        entry = candidate.entry
        if candidate.fdt is not None and candidate.fdt.problem:
            at = section.last("FDT", "DEVICETREE") or entry.position
            self._report.add("missing-device-tree", f"{entry.label}: {candidate.fdt.problem}", at)
        directory = (entry.fdtdir,) if entry.fdtdir else ()
        for keywords, values in (
            (("FDTDIR", "DEVICETREEDIR"), directory),
            (("FDTOVERLAYS", "DEVICETREE-OVERLAY"), entry.fdtoverlays),
        ):
            for value in values:
                why = self._lost(value)
                if why is not None:
                    at = section.last(*keywords) or entry.position
                    self._report.add("device-tree-skipped", f"{entry.label}: {why}", at, "U-Boot goes on without it")

    def _lost(self, value: str) -> str | None:
        """Why a path leads nowhere; None where it leads to something."""
        if value not in self._missing:
            self._missing[value] = None
            for path in self._configuration.alternatives(value):
                try:
                    self._configuration.volume.follow(path)
                    self._missing[value] = None
                    break
                except PathError as error:
                    self._missing[value] = self._missing[value] or error.message
        return self._missing[value]


def _files(section: Section, candidate: Candidate) -> Iterable[tuple[str, Directive | SourcePosition, BootFile, str]]:
    """Kernel and initrds: what each is, the place that names it, the file, and the value there."""
    entry = candidate.entry
    if candidate.kernel is not None:
        yield "kernel", section.last(entry.kernel_keyword) or entry.position, candidate.kernel, entry.kernel or ""
    at = section.last("INITRD") or _word_position(section) or entry.position
    for initrd in candidate.initrds:
        yield "initrd", at, initrd, entry.initrd or ""


def _word_position(section: Section) -> SourcePosition | None:
    """Where the last `initrd=` of APPEND stands."""
    append = section.last("APPEND")
    if append is None or append.value is None:
        return None
    position = value_position(append)
    return SourcePosition(position.file, position.line, position.column + max(append.value.rfind("initrd="), 0))


def _odd(volume: Volume, file: BootFile) -> str | None:
    """What is strange about the first bytes of an initrd; None where nothing is."""
    try:
        head = volume.read(file.path, _START_SIZE)[file.skip :]
    except PathError as error:
        return error.message
    if is_initrd(head):
        return None
    return f"{file.path} is neither a cpio archive nor compressed as the kernel knows it"


def _document(configuration: Configuration) -> Document:
    """The configuration's own file once more; nothing, where it has vanished since it was read."""
    try:
        return parse(configuration.volume.read(configuration.path, SIZE_LIMIT + 1), configuration.path)
    except PathError:
        return Document(configuration.path, (), ())
