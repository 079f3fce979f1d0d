"""Kernel modules in an image: those asked for, all they depend on, and the tables by which modprobe finds them.

The tables are text, which busybox's modprobe reads; kmod's binary indices are not written. Formats: modules.dep(5).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from chainboot.errors import ChainbootError
from chainboot.image.module_index import ModuleIndex
from chainboot.image.spec import KernelModulesSpec
from chainboot.image.sysroot import Sysroot, join
from chainboot.image.tree import ImageTree
from chainboot.process import Runner

KERNEL_MODULES = "kernel modules"


@dataclass(frozen=True, slots=True)
class IncludedModules:
    """What came of a spec: the kernel release, and the optional modules that the sysroot does not have."""

    release: str
    absent: tuple[str, ...]


def add_kernel_modules(
    spec: KernelModulesSpec, sysroot: Sysroot, tree: ImageTree, run: Runner, say: Callable[[str], None]
) -> IncludedModules:
    """Put the modules and their tables into `tree`, uncompressed, for the image is compressed as a whole.

    A module that is built into the kernel counts as present. Raises a `ChainbootError` for a required one that is not.
    """
    release = spec.release or _only_release(sysroot, spec.directory)
    directory = join(spec.directory, release)
    if not sysroot.is_directory(directory):
        raise ChainbootError(f"kernel_modules.release: {directory} is not in the sysroot {sysroot.root}")
    index = ModuleIndex.read(sysroot, directory, release, run, say)
    selection = _Selection(index)
    for wanted in spec.required:
        if not selection.add(wanted, "kernel_modules.required"):
            raise ChainbootError(
                f"kernel_modules.required: the kernel {release} of the sysroot has no module {wanted}",
                hint="neither by name nor by alias, nor built in; is the whole kernel package unpacked?",
            )
    absent = [wanted for wanted in spec.optional if not selection.add(wanted, "kernel_modules.optional")]
    # modprobe looks here and nowhere else, wherever the sysroot keeps its modules.
    target = f"/lib/modules/{release}"
    for name in sorted(selection.because):
        path = join(target, _image_path(index, name))
        tree.add_file(path, 0o644, index.content(name), KERNEL_MODULES, selection.because[name])
    for table, text in _tables(index, selection):
        tree.add_file(join(target, table), 0o644, text.encode(), KERNEL_MODULES, "modprobe")
    return IncludedModules(release, tuple(absent))


def _only_release(sysroot: Sysroot, directory: str) -> str:
    found = sysroot.names(directory)
    if len(found) == 1:
        return found[0]
    held = ", ".join(found) or "no kernel modules"
    raise ChainbootError(
        f"kernel_modules.release: {directory} of the sysroot holds {held}",
        hint="name one of them as kernel_modules.release" if found else "is the kernel package unpacked there?",
    )


@dataclass(slots=True)
class _Selection:
    """The modules taken so far. `because` says of each who needs it."""

    index: ModuleIndex
    because: dict[str, str] = field(default_factory=dict)

    def add(self, wanted: str, because: str) -> bool:
        """Take what `modprobe wanted` would load; False if there is nothing."""
        found = self.index.resolve(wanted)
        waiting = [(name, because) for name in found]
        while waiting:
            name, reason = waiting.pop()
            if name in self.because or name not in self.index.files:
                continue  # taken, or built in
            self.because[name] = reason
            for needed in self.index.depends.get(name, ()):
                if needed not in self.index.files and needed not in self.index.builtin:
                    raise ChainbootError(
                        f"the kernel module {needed} is needed by {name} and is not in the sysroot",
                        hint="is the whole kernel package unpacked?",
                    )
                waiting.append((needed, f"needed by {name}"))
            # Soft ones may be missing: modprobe.d(5).
            for line in self.index.soft.get(name, ()):
                for soft in line.split():
                    if not soft.endswith(":"):
                        waiting += [(module, f"softdep of {name}") for module in self.index.resolve(soft)]
        return bool(found)


def _image_path(index: ModuleIndex, name: str) -> str:
    path = index.files[name]
    return path[: path.index(".ko")] + ".ko"


def _tables(index: ModuleIndex, selection: _Selection) -> tuple[tuple[str, str], ...]:
    names = sorted(selection.because)
    dependencies = [f"{_image_path(index, name)}:{_dependency_list(index, name)}\n" for name in names]
    aliases = sorted({f"alias {pattern} {name}\n" for pattern, name in index.aliases if name in selection.because})
    soft = [f"softdep {name} {line}\n" for name in names for line in index.soft.get(name, ())]
    return (
        ("modules.dep", "".join(dependencies)),
        ("modules.alias", "".join(aliases)),
        ("modules.softdep", "".join(soft)),
        ("modules.builtin", "".join(f"{path}\n" for path in index.builtin_paths)),
    )


def _dependency_list(index: ModuleIndex, name: str) -> str:
    """All that `name` depends on, directly or not, as modules.dep has it: modprobe loads from the last to the first."""
    order: list[str] = []

    def visit(module: str, above: tuple[str, ...]) -> None:
        for needed in index.depends.get(module, ()):
            if needed in above:
                raise ChainbootError(f"the kernel modules {module} and {needed} depend on each other")
            if needed in index.files and needed not in order:
                visit(needed, (*above, needed))
                order.append(needed)

    visit(name, (name,))
    return "".join(f" {_image_path(index, needed)}" for needed in reversed(order))
