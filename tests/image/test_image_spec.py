"""The image spec: what is read, and the exact words in which the rest is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chainboot.architecture import S390X, X86_64
from chainboot.errors import ChainbootError
from chainboot.image.spec import (
    DeviceSpec,
    DirectorySpec,
    ExecutableSpec,
    FileSpec,
    ImageSpec,
    KernelModulesSpec,
    LinkSpec,
    PackageSpec,
    PythonSpec,
    SourceFile,
    SysrootFile,
    TextFile,
)

FIRST_STAGE = Path(__file__).parents[2] / "python" / "first-stage" / "image-spec.json"


def test_everything_that_can_be_said() -> None:
    text = """{
      "architecture": "s390x",
      "directories": ["/dev", {"path": "/tmp", "mode": "1777"}],
      "files": [
        {"target": "/init", "source": "init", "mode": "0755"},
        {"target": "/etc/x", "sysroot": "/etc/*.conf"},
        {"target": "/etc/empty", "text": ""}
      ],
      "links": [{"target": "/bin", "to": "usr/bin"}],
      "device_nodes": [{"path": "/dev/console", "kind": "c", "major": 5, "minor": 1}],
      "executables": [
        "/bin/a", {"path": "/bin/b", "target": "/bin/c", "links": ["/bin/d", "/bin/e"], "optional": true}
      ],
      "python": {
        "interpreter": "/usr/bin/python3.??", "modules": ["m.n"], "exclude": ["e"], "data": ["p/*.lark"],
        "links": ["/usr/bin/python3"],
        "packages": [{"name": "p", "path": "../p"}, {"name": "q"}], "optimize": 2
      },
      "kernel_modules": {"release": "6.1", "required": ["ext4"], "optional": ["isofs"]}
    }"""
    assert ImageSpec.from_json(text, "spec.json") == ImageSpec(
        name="spec.json",
        architecture=S390X,
        directories=(DirectorySpec("/dev", 0o755), DirectorySpec("/tmp", 0o1777)),
        files=(
            FileSpec("files[0]", "/init", 0o755, SourceFile("init")),
            FileSpec("files[1]", "/etc/x", 0o644, SysrootFile("/etc/*.conf")),
            FileSpec("files[2]", "/etc/empty", 0o644, TextFile("")),
        ),
        links=(LinkSpec("/bin", "usr/bin"),),
        device_nodes=(DeviceSpec("/dev/console", "c", 5, 1, 0o600),),
        executables=(
            ExecutableSpec("executables[0]", "/bin/a", None),
            ExecutableSpec("executables[1]", "/bin/b", "/bin/c", ("/bin/d", "/bin/e"), optional=True),
        ),
        python=PythonSpec(
            interpreter="/usr/bin/python3.??",
            links=("/usr/bin/python3",),
            modules=("m.n",),
            packages=(PackageSpec("python.packages[0]", "p", "../p"), PackageSpec("python.packages[1]", "q", None)),
            exclude=("e",),
            data=("p/*.lark",),
            optimize=2,
        ),
        kernel_modules=KernelModulesSpec("/lib/modules", "6.1", ("ext4",), ("isofs",)),
    )


def test_the_spec_of_the_first_stage_can_be_read() -> None:
    spec = ImageSpec.from_json(FIRST_STAGE.read_text(), FIRST_STAGE.name)
    assert any(file.target == "/init" and file.mode == 0o755 for file in spec.files)


@pytest.mark.parametrize(
    ("member", "value", "words"),
    [
        ("architecture", "vax", "s: architecture: unknown architecture 'vax'"),
        ("architecture", 7, "s: architecture: a string is wanted, and this is a number"),
        ("size", 1, "s: unknown key 'size'"),
        ("files", {}, "s: files: an array is wanted, and this is an object"),
        ("files", [{"target": "/a"}], "s: files[0]: exactly one of 'source', 'sysroot' and 'text' is wanted"),
        (
            "files",
            [{"target": "/a", "text": "", "source": "b"}],
            "s: files[0]: exactly one of 'source', 'sysroot' and 'text' is wanted",
        ),
        ("files", [{"text": ""}], "s: files[0]: 'target' is missing"),
        (
            "executables",
            [{"path": "/a", "optional": 1}],
            "s: executables[0].optional: true or false is wanted, and this is a number",
        ),
        (
            "executables",
            [{"path": "/a", "links": ["b"]}],
            "s: executables[0].links[0]: 'b' is not an absolute path",
        ),
        ("files", [{"target": "a", "text": ""}], "s: files[0].target: 'a' is not an absolute path"),
        ("files", [{"target": "/a/../b", "text": ""}], "s: files[0].target: '/a/../b' holds '..'"),
        ("files", [{"target": "/", "text": ""}], "s: files[0].target: the root directory itself is always there"),
        ("files", [{"target": "", "text": ""}], "s: files[0].target: must not be empty"),
        ("files", [{"target": "/a\0b", "text": ""}], "s: files[0].target: must not contain a NUL character"),
        (
            "files",
            [{"target": "/a", "text": "", "mode": "rwx"}],
            "s: files[0].mode: 'rwx' is not three or four octal digits",
        ),
        (
            "files",
            [{"target": "/a", "text": "", "mode": 493}],
            "s: files[0].mode: a string is wanted, and this is a number",
        ),
        ("files", [{"target": "/a", "text": None}], "s: files[0].text: a string is wanted, and this is null"),
        ("directories", [["/a"]], "s: directories[0]: an object is wanted, and this is an array"),
        (
            "device_nodes",
            [{"path": "/dev/x", "kind": "p", "major": 1, "minor": 1}],
            "s: device_nodes[0].kind: 'p' is neither 'c' nor 'b'",
        ),
        (
            "device_nodes",
            [{"path": "/dev/x", "kind": "c", "major": 4096, "minor": 1}],
            "s: device_nodes[0].major: 4096 is not from 0 to 4095",
        ),
        (
            "device_nodes",
            [{"path": "/dev/x", "kind": "c", "major": True, "minor": 1}],
            "s: device_nodes[0].major: a whole number is wanted, and this is true or false",
        ),
        ("python", {}, "s: python: 'interpreter' is missing"),
        (
            "python",
            {"interpreter": "/p", "modules": ["a-b"]},
            "s: python.modules[0]: 'a-b' is not the name of a Python module",
        ),
        ("python", {"interpreter": "/p", "optimize": 3}, "s: python.optimize: 3 is not from 0 to 2"),
        (
            "python",
            {"interpreter": "/p", "packages": [{"name": "a.b"}]},
            "s: python.packages[0].name: 'a.b' is not the name of a top-level Python package",
        ),
        ("kernel_modules", {"release": "../x"}, "s: kernel_modules.release: '../x' is not a kernel release"),
        (
            "kernel_modules",
            {"required": "ext4"},
            "s: kernel_modules.required: an array is wanted, and this is a string",
        ),
    ],
)
def test_what_is_wrong_is_named_by_its_place(member: str, value: object, words: str) -> None:
    with pytest.raises(ChainbootError) as refused:
        ImageSpec.from_json(json.dumps({"architecture": "x86_64", member: value}), "s")
    assert str(refused.value) == words.replace("\0", "\N{REPLACEMENT CHARACTER}")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "s:1:2: not JSON: Expecting property name enclosed in double quotes"),
        ('{\n"a": nil}', "s:2:6: not JSON: Expecting value"),
        ("", "s:1:1: not JSON: Expecting value"),
        ("[]", "s: an object is wanted, and this is an array"),
        ("{}", "s: 'architecture' is missing"),
        (
            '{"architecture": "x86_64", "architecture": "s390x"}',
            "s: the key 'architecture' is given twice in one object",
        ),
        ("[" * 100_000, "s: nested too deeply to be read"),
    ],
)
def test_what_is_no_spec_at_all(text: str, words: str) -> None:
    with pytest.raises(ChainbootError) as refused:
        ImageSpec.from_json(text, "s")
    assert str(refused.value) == words


def test_one_spec_for_two_machines() -> None:
    text = json.dumps(
        {
            "architecture": ["x86_64", "s390x"],
            "kernel_modules": {
                "required": ["ext4"],
                "x86_64": {"required": ["ahci"]},
                "s390x": {"required": ["zfcp"], "optional": ["ism"]},
            },
        }
    )
    first, second = ImageSpec.from_json(text, "s"), ImageSpec.from_json(text, "s", "s390x")
    assert first.architecture is X86_64
    assert first.kernel_modules and first.kernel_modules.required == ("ext4", "ahci")
    assert second.architecture is S390X
    assert second.kernel_modules and second.kernel_modules.required == ("ext4", "zfcp")
    assert second.kernel_modules.optional == ("ism",)
    with pytest.raises(ChainbootError, match=r"^s: architecture: the spec is not for aarch64$") as refused:
        ImageSpec.from_json(text, "s", "aarch64")
    assert refused.value.hint == "it is for: x86_64, s390x"


def test_a_module_list_for_a_machine_that_does_not_exist() -> None:
    text = json.dumps({"architecture": "x86_64", "kernel_modules": {"vax": {"required": ["ahci"]}}})
    with pytest.raises(ChainbootError, match="vax"):
        ImageSpec.from_json(text, "s")
