"""What an image holds, as a person or a Nix expression wrote it down: `ImageSpec`, read from JSON.

Knows the format and its rules (docs/image-spec.md); reads no file and looks into no sysroot.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from chainboot.architecture import ARCHITECTURES, Architecture, find
from chainboot.image.json_value import JsonValue


@dataclass(frozen=True, slots=True)
class DirectorySpec:
    """An empty directory. `path` is absolute in the image; `mode` holds permission bits."""

    path: str
    mode: int


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of the project: a path relative to the spec's own directory."""

    path: str


@dataclass(frozen=True, slots=True)
class SysrootFile:
    """A file of the sysroot: an absolute path, in which globs must match exactly one file."""

    path: str


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file given in the spec itself."""

    text: str


@dataclass(frozen=True, slots=True)
class FileSpec:
    """One file: where it goes, its permission bits, and what is in it. `place` is its JSON path, for errors."""

    place: str
    target: str
    mode: int
    content: SourceFile | SysrootFile | TextFile


@dataclass(frozen=True, slots=True)
class LinkSpec:
    """A symbolic link at `target` that says `to`. A link to a directory also sorts what is put below it."""

    target: str
    to: str


@dataclass(frozen=True, slots=True)
class DeviceSpec:
    """A device node, needed only for what the kernel opens before devtmpfs is mounted."""

    path: str
    kind: str  # "c" or "b", as mknod(1) has it
    major: int
    minor: int
    mode: int


@dataclass(frozen=True, slots=True)
class ExecutableSpec:
    """An ELF file of the sysroot that comes with every library it needs. `target` is None for the same path.

    `links` are further paths that lead to it. An `optional` one may be missing from the sysroot, links and all.
    """

    place: str
    path: str
    target: str | None
    links: tuple[str, ...] = ()
    optional: bool = False


@dataclass(frozen=True, slots=True)
class PackageSpec:
    """A Python package outside the sysroot: the directory that holds its `__init__.py`, or None if the caller says."""

    place: str
    name: str
    path: str | None


@dataclass(frozen=True, slots=True)
class PythonSpec:
    """The interpreter, other paths that lead to it, and what it must be able to import: docs/image-spec.md."""

    interpreter: str
    modules: tuple[str, ...]
    packages: tuple[PackageSpec, ...]
    exclude: tuple[str, ...]
    data: tuple[str, ...]
    optimize: int
    links: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KernelModulesSpec:
    """Kernel modules by name or alias, as modprobe takes them. `release` is None for the only one in `directory`.

    What the spec names for other machines only is not in it.
    """

    directory: str
    release: str | None
    required: tuple[str, ...]
    optional: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """Everything in one image for one machine. `name` is the spec file's name as errors show it."""

    name: str
    architecture: Architecture
    directories: tuple[DirectorySpec, ...] = ()
    files: tuple[FileSpec, ...] = ()
    links: tuple[LinkSpec, ...] = ()
    device_nodes: tuple[DeviceSpec, ...] = ()
    executables: tuple[ExecutableSpec, ...] = ()
    python: PythonSpec | None = None
    kernel_modules: KernelModulesSpec | None = None

    @classmethod
    def from_json(cls, text: str, name: str, architecture: str | None = None) -> ImageSpec:
        """Read a spec from JSON; `name` is the file's name for errors, which name the place: `files[3].mode: ...`.

        `architecture` is one that the spec allows; without it the first of them is taken.
        """
        root = JsonValue.parse(text, name)
        members = root.members(
            ["architecture", "directories", "files", "links", "device_nodes", "executables", "python", "kernel_modules"]
        )
        python = members.get("python")
        modules = members.get("kernel_modules")
        machine = _architecture(_required(root, members, "architecture"), architecture)
        return cls(
            name=name,
            architecture=machine,
            directories=tuple(_directory(item) for item in _items(members, "directories")),
            files=tuple(_file(item) for item in _items(members, "files")),
            links=tuple(_link(item) for item in _items(members, "links")),
            device_nodes=tuple(_device(item) for item in _items(members, "device_nodes")),
            executables=tuple(_executable(item) for item in _items(members, "executables")),
            python=_python(python) if python else None,
            kernel_modules=_kernel_modules(modules, machine) if modules else None,
        )


def _required(whole: JsonValue, members: dict[str, JsonValue], key: str) -> JsonValue:
    if key not in members:
        whole.refuse(f"{key!r} is missing")
    return members[key]


def _items(members: dict[str, JsonValue], key: str) -> tuple[JsonValue, ...]:
    return members[key].items() if key in members else ()


def _strings(members: dict[str, JsonValue], key: str) -> tuple[str, ...]:
    return members[key].strings() if key in members else ()


def _architecture(value: JsonValue, wanted: str | None) -> Architecture:
    allowed = {row.name: row for row in map(_machine, value.items() if isinstance(value.raw, list) else (value,))}
    if not allowed:
        value.refuse("no architecture is named")
    if wanted is not None and wanted not in allowed:
        value.refuse(f"the spec is not for {wanted}", hint=f"it is for: {', '.join(allowed)}")
    return allowed[wanted or next(iter(allowed))]


def _machine(value: JsonValue) -> Architecture:
    row = find(value.string())
    if row is None:
        known = ", ".join(row.name for row in ARCHITECTURES)
        value.refuse(f"unknown architecture {value.string()!r}", hint=f"known are: {known}")
    return row


def _absolute(value: JsonValue) -> str:
    path = value.string()
    if not path.startswith("/"):
        value.refuse(f"{path!r} is not an absolute path")
    if ".." in PurePosixPath(path).parts:
        value.refuse(f"{path!r} holds '..'")
    return path


def _image_path(value: JsonValue) -> str:
    path = _absolute(value)
    if PurePosixPath(path).parts in (("/",), ("//",)):
        value.refuse("the root directory itself is always there")
    return path


def _mode(members: dict[str, JsonValue], default: int) -> int:
    value = members.get("mode")
    if value is None:
        return default
    digits = value.string()
    if len(digits) not in (3, 4) or not set(digits) <= set("01234567"):
        value.refuse(f"{digits!r} is not three or four octal digits", hint='JSON has no octal numbers: write "0755"')
    return int(digits, 8)


def _directory(value: JsonValue) -> DirectorySpec:
    if isinstance(value.raw, str):
        return DirectorySpec(_image_path(value), 0o755)
    members = value.members(["path", "mode"])
    return DirectorySpec(_image_path(_required(value, members, "path")), _mode(members, 0o755))


def _file(value: JsonValue) -> FileSpec:
    members = value.members(["target", "mode", "source", "sysroot", "text"])
    contents: list[SourceFile | SysrootFile | TextFile] = []
    if "source" in members:
        contents.append(SourceFile(members["source"].string()))
    if "sysroot" in members:
        contents.append(SysrootFile(_absolute(members["sysroot"])))
    if "text" in members:
        contents.append(TextFile(members["text"].text()))
    if len(contents) != 1:
        value.refuse("exactly one of 'source', 'sysroot' and 'text' is wanted")
    target = _image_path(_required(value, members, "target"))
    return FileSpec(value.path, target, _mode(members, 0o644), contents[0])


def _link(value: JsonValue) -> LinkSpec:
    members = value.members(["target", "to"])
    return LinkSpec(_image_path(_required(value, members, "target")), _required(value, members, "to").string())


def _device(value: JsonValue) -> DeviceSpec:
    members = value.members(["path", "kind", "major", "minor", "mode"])
    kind = _required(value, members, "kind")
    if kind.string() not in ("c", "b"):
        kind.refuse(f"{kind.string()!r} is neither 'c' nor 'b'")
    return DeviceSpec(
        path=_image_path(_required(value, members, "path")),
        kind=kind.string(),
        # 12 and 20 bits: dev_t of the kernel, include/linux/kdev_t.h
        major=_required(value, members, "major").integer(0, 0xFFF),
        minor=_required(value, members, "minor").integer(0, 0xFFFFF),
        mode=_mode(members, 0o600),
    )


def _executable(value: JsonValue) -> ExecutableSpec:
    if isinstance(value.raw, str):
        return ExecutableSpec(value.path, _absolute(value), None)
    members = value.members(["path", "target", "links", "optional"])
    return ExecutableSpec(
        place=value.path,
        path=_absolute(_required(value, members, "path")),
        target=_image_path(members["target"]) if "target" in members else None,
        links=tuple(_image_path(item) for item in _items(members, "links")),
        optional=members["optional"].boolean() if "optional" in members else False,
    )


def _python(value: JsonValue) -> PythonSpec:
    members = value.members(["interpreter", "links", "modules", "packages", "exclude", "data", "optimize"])
    return PythonSpec(
        interpreter=_absolute(_required(value, members, "interpreter")),
        modules=tuple(_module_name(item) for item in _items(members, "modules")),
        packages=tuple(_package(item) for item in _items(members, "packages")),
        exclude=tuple(_module_name(item) for item in _items(members, "exclude")),
        data=_strings(members, "data"),
        optimize=members["optimize"].integer(0, 2) if "optimize" in members else 0,
        links=tuple(_image_path(item) for item in _items(members, "links")),
    )


def _module_name(value: JsonValue) -> str:
    name = value.string()
    if not all(part.isidentifier() for part in name.split(".")):
        value.refuse(f"{name!r} is not the name of a Python module")
    return name


def _package(value: JsonValue) -> PackageSpec:
    members = value.members(["name", "path"])
    name = _required(value, members, "name")
    if not name.string().isidentifier():
        name.refuse(f"{name.string()!r} is not the name of a top-level Python package")
    return PackageSpec(value.path, name.string(), members["path"].string() if "path" in members else None)


def _kernel_modules(value: JsonValue, machine: Architecture) -> KernelModulesSpec:
    names = [row.name for row in ARCHITECTURES]
    members = value.members(["directory", "release", "required", "optional", *names])
    only = {name: members[name].members(["required", "optional"]) for name in names if name in members}
    mine = only.get(machine.name, {})
    release = members.get("release")
    if release is not None and ("/" in release.string() or release.string() in (".", "..")):
        release.refuse(f"{release.string()!r} is not a kernel release")
    return KernelModulesSpec(
        directory=_absolute(members["directory"]) if "directory" in members else "/lib/modules",
        release=release.string() if release else None,
        required=_strings(members, "required") + _strings(mine, "required"),
        optional=_strings(members, "optional") + _strings(mine, "optional"),
    )
