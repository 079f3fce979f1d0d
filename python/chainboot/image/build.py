"""From an image spec and a sysroot to a first-stage initrd.

The order of the steps and nothing else: links first, because they decide where everything after them lands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from chainboot.boot.kernel_config import kexec_missing
from chainboot.errors import ChainbootError
from chainboot.image.access import AddedFile, access_notes
from chainboot.image.archive import Compression, check_level, write_archive
from chainboot.image.cpio import Device, pack
from chainboot.image.kernel_modules import add_kernel_modules
from chainboot.image.linkage import Linker
from chainboot.image.programs import add_programs
from chainboot.image.python import add_python
from chainboot.image.report import ImageReport, group_sizes, manifest_json
from chainboot.image.spec import FileSpec, ImageSpec, PythonSpec, SourceFile, SysrootFile, TextFile
from chainboot.image.sysroot import Sysroot
from chainboot.image.tree import Entry, ImageTree
from chainboot.process import Runner

FILES = "files"


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """An image that is complete, and not yet written. `release` is the kernel its modules are for."""

    entries: tuple[Entry, ...]
    release: str | None
    notes: tuple[str, ...]


def build(
    spec_path: Path,
    sysroot: Path,
    output: Path,
    *,
    compression: Compression,
    level: int | None,
    packages: Mapping[str, Path],
    manifest: Path | None,
    run: Runner,
    say: Callable[[str], None],
    additions: Sequence[AddedFile] = (),
    architecture: str | None = None,
    store: Path | None = None,
) -> ImageReport:
    """Build the image that the JSON file `spec_path` describes from `sysroot` and write it to `output`.

    `architecture` is one of those the spec is for; without it the first of them is meant. `store` is a directory of
    this machine that the sysroot's symbolic links may lead to, see `Sysroot`.

    `packages` gives or overrides the directories of the spec's Python packages. `additions` are files beyond the
    spec, see access.py. `manifest` gets a JSON list of everything in the image. Raises a `ChainbootError` that names
    what is missing and who needs it; then nothing is written.
    """
    check_level(compression, level)
    try:
        text = spec_path.read_text(encoding="utf-8")
    except OSError as error:
        raise ChainbootError(f"the image spec {spec_path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ChainbootError(f"the image spec {spec_path} is not UTF-8") from error
    spec = ImageSpec.from_json(text, spec_path.name, architecture)
    image = build_image(spec, spec_path.parent, Sysroot.open(sysroot, store), packages, run, say, additions)
    how = (
        compression.value
        if compression is Compression.NONE
        else f"{compression.value} -{level or _highest(compression)}"
    )
    say(f"writing {len(image.entries)} entries ({how})")
    written = write_archive(pack((entry.path, entry.node) for entry in image.entries), output, compression, level, run)
    report = ImageReport(
        output=output,
        architecture=spec.architecture.name,
        release=image.release,
        compression=how,
        groups=group_sizes(image.entries),
        unpacked=written.unpacked,
        packed=written.packed,
        sha256=written.sha256,
        notes=image.notes,
    )
    if manifest is not None:
        try:
            manifest.write_text(manifest_json(image.entries, report), encoding="utf-8")
        except OSError as error:
            raise ChainbootError(f"{manifest} cannot be written: {error.strerror}") from error
    return report


def build_image(
    spec: ImageSpec,
    directory: Path,
    sysroot: Sysroot,
    packages: Mapping[str, Path],
    run: Runner,
    say: Callable[[str], None],
    additions: Sequence[AddedFile] = (),
) -> BuiltImage:
    """The entries of the image; `directory` is what relative paths in the spec start from. Writes nothing."""
    tree = ImageTree(spec.architecture)
    tree.add_links((link.target, link.to, f"links[{index}]") for index, link in enumerate(spec.links))
    for index, wanted in enumerate(spec.directories):
        tree.add_directory(wanted.path, wanted.mode, f"directories[{index}]")
    for index, node in enumerate(spec.device_nodes):
        tree.add_device(node.path, Device(node.mode, node.kind, node.major, node.minor), f"device_nodes[{index}]")
    for file in spec.files:
        tree.add_file(file.target, file.mode, _content(file, directory, sysroot), FILES, file.place)
    for added in additions:
        tree.add_file(added.target, added.mode, added.data, FILES, added.because)
    linker = Linker(sysroot, tree)
    notes = add_programs(spec.executables, sysroot, linker, tree)
    if spec.python is not None:
        notes += add_python(spec.python, sysroot, linker, _packages(spec.python, directory, packages), say)
    release: str | None = None
    if spec.kernel_modules is not None:
        included = add_kernel_modules(spec.kernel_modules, sysroot, tree, run, say)
        release = included.release
        if included.absent:
            notes.append(f"optional kernel modules that {release} does not have: {', '.join(included.absent)}")
        config = f"/boot/config-{release}"
        if sysroot.is_file(config):
            lacking = kexec_missing(sysroot.read(config).decode("utf-8", "replace"))
            notes += [f"{config}: {lacking}"] if lacking else []
    notes += access_notes(tree)
    return BuiltImage(tree.entries(), release, tuple(notes))


def _highest(compression: Compression) -> int:
    return compression.levels[-1]


def _content(file: FileSpec, directory: Path, sysroot: Sysroot) -> bytes:
    match file.content:
        case TextFile(text):
            return text.encode()
        case SysrootFile(path):
            return sysroot.read(sysroot.the_file(path, f"{file.place}.sysroot"))
        case SourceFile(path):
            try:
                return (directory / path).read_bytes()
            except OSError as error:
                raise ChainbootError(f"{file.place}.source: {path} cannot be read: {error.strerror}") from error
        case _:
            assert_never(file.content)


def _packages(spec: PythonSpec, directory: Path, given: Mapping[str, Path]) -> dict[str, Path]:
    """Where each package of the spec is: what the caller gives comes before what the spec says."""
    unknown = sorted(set(given) - {package.name for package in spec.packages})
    if unknown:
        raise ChainbootError(f"the image spec has no Python package {', '.join(unknown)} to give a directory for")
    found: dict[str, Path] = {}
    for package in spec.packages:
        if package.name in given:
            found[package.name] = given[package.name]
        elif package.path is not None:
            found[package.name] = directory / package.path
        else:
            raise ChainbootError(
                f"{package.place}: the image spec does not say where the Python package {package.name} is",
                hint=f"give --package {package.name}=DIRECTORY",
            )
    return found
