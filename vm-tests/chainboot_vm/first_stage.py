"""The initrd that is tested, and variants of it that lack something.

Knows the image builder and where its inputs are in this repository; knows nothing of what the image does.
`python -m chainboot_vm.first_stage` builds it and prints what fills it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import lark

from chainboot.errors import ChainbootError
from chainboot.image.access import AddedFile, access_files
from chainboot.image.archive import Compression, write_archive
from chainboot.image.build import build, build_image
from chainboot.image.cpio import pack
from chainboot.image.spec import ImageSpec
from chainboot.process import Runner, run
from chainboot_vm.architecture import architecture
from chainboot_vm.artifacts import BUILD, REPOSITORY, key_of, key_of_files, once
from chainboot_vm.sysroot import Sysroot, fetch

LIBRARY = REPOSITORY / "python" / "chainboot"
SPEC = REPOSITORY / "python" / "first-stage" / "image-spec.json"

# A variant is booted once or twice, so it is compressed for a quick build.
_VARIANT_LEVEL = 3


@dataclass(frozen=True, slots=True)
class Variant:
    """An image. `without` are parts of paths: what contains one of them is left out after the image was built."""

    name: str
    without: tuple[str, ...] = ()
    spec: Path = SPEC


COMPLETE = Variant("first-stage")


def initrd(
    sysroot: Sysroot,
    variant: Variant = COMPLETE,
    *,
    build_directory: Path = BUILD,
    runner: Runner = run,
    say: Callable[[str], None],
) -> Path:
    """The initrd of `variant`, built below `build_directory` unless it is there and nothing it is made of changed.

    Beside the complete one are its report (`.txt`) and its manifest (`.json`). A complete one that came with the
    sysroot is taken as it is, and has neither. Raises `ChainbootError`.
    """
    if variant == COMPLETE and sysroot.complete is not None:
        return sysroot.complete
    spec = ImageSpec.from_json(variant.spec.read_text(), variant.spec.name, sysroot.architecture.name)
    packages = {"chainboot": LIBRARY, "lark": Path(lark.__file__).parent} if spec.python else {}
    key = key_of(repr(variant), sysroot.key, key_of_files(variant.spec.parent, *packages.values()))
    target = build_directory / f"{variant.name}-{sysroot.architecture.name}.initrd"

    def make_complete(fresh: Path) -> None:
        say("building the first stage")
        manifest = target.with_suffix(".json")
        made = build(
            variant.spec,
            sysroot.root,
            fresh,
            compression=Compression.ZSTD,
            level=None,
            packages=packages,
            manifest=manifest,
            run=runner,
            say=say,
            architecture=sysroot.architecture.name,
            store=sysroot.store,
        )
        target.with_suffix(".txt").write_text(made.describe().replace(str(fresh), str(target)) + "\n")

    def make_variant(fresh: Path) -> None:
        say(f"building the first stage without {', '.join(variant.without)}")
        image = build_image(spec, variant.spec.parent, sysroot.open(), packages, runner, lambda _: None)
        kept = [entry for entry in image.entries if not any(part in entry.path for part in variant.without)]
        for part in variant.without:
            if not any(part in entry.path for entry in image.entries):
                raise ChainbootError(f"the image has nothing whose path contains {part!r}, so it can not lack it")
        nodes = ((entry.path, entry.node) for entry in kept)
        write_archive(pack(nodes), fresh, Compression.ZSTD, _VARIANT_LEVEL, runner)

    return once(target, key, make_variant if variant.without else make_complete)


def own_initrd(sysroot: Sysroot, additions: Sequence[AddedFile], *, say: Callable[[str], None]) -> Path:
    """The complete image with somebody's keys and settings in it, made anew each time. Raises `ChainbootError`."""
    say("building the first stage with your keys and settings")
    target = BUILD / f"own-first-stage-{sysroot.architecture.name}.initrd"
    made = build(
        SPEC,
        sysroot.root,
        target,
        compression=Compression.ZSTD,
        level=None,
        packages={"chainboot": LIBRARY, "lark": Path(lark.__file__).parent},
        manifest=target.with_suffix(".json"),
        run=run,
        say=say,
        additions=additions,
        architecture=sysroot.architecture.name,
        store=sysroot.store,
    )
    target.with_suffix(".txt").write_text(made.describe() + "\n")
    return target


def main() -> None:
    """`python -m chainboot_vm.first_stage [ARCHITECTURE]`; the environment has what `make image` was given."""
    given = {name: os.environ.get(name, "").split() for name in ("AUTHORIZED_KEYS", "HOST_KEY", "SETTINGS")}
    try:
        keys = [Path(name).expanduser() for name in given["AUTHORIZED_KEYS"]]
        host_key = Path(given["HOST_KEY"][0]).expanduser() if given["HOST_KEY"] else None
        additions = access_files(keys, host_key, given["SETTINGS"])
        sysroot = fetch(architecture(sys.argv[1] if len(sys.argv) > 1 else "x86_64"), say=print)
        made = own_initrd(sysroot, additions, say=print) if additions else initrd(sysroot, say=print)
    except ChainbootError as error:
        sys.exit(f"error: {error}" + (f"\n(hint) {error.hint}" if error.hint else ""))
    print(made.with_suffix(".txt").read_text(), end="")
    print(f"its kernel, which its modules are for: {sysroot.kernel}")


if __name__ == "__main__":
    main()
