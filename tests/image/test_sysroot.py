"""Paths in a sysroot: they lead where they would lead on its own machine, and never out of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from image.sysroots import To, write_sysroot

from chainboot.errors import ChainbootError
from chainboot.image.sysroot import Sysroot


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [
        ("/usr/bin/env", "/usr/bin/env"),
        ("/absolute", "/usr/bin/env"),  # a link's `/` is the sysroot
        ("/relative", "/usr/bin/env"),
        ("/escape", "/usr/bin/env"),  # `..` at the root stays at the root
        ("/chain", "/usr/bin/env"),
        ("/directory/env", "/usr/bin/env"),
        ("/usr/../usr/./bin//env", "/usr/bin/env"),
        ("/bin/env", "/usr/bin/env"),  # usrmerge: no /bin in this sysroot
        ("/usr/lib/old", "/lib/old"),  # and the other way round
        ("/through", "/lib/old"),  # also in the target of a link
        ("/loop", None),
        ("/dangling", None),
        ("/usr/bin/env/file", None),
        ("/etc/passwd", None),  # this machine has one
        ("/", "/"),
    ],
)
def test_where_a_path_leads(tmp_path: Path, path: str, leads_to: str | None) -> None:
    sysroot = write_sysroot(
        tmp_path / "root",
        {
            "/usr/bin/env": b"",
            "/absolute": To("/usr/bin/env"),
            "/relative": To("usr/bin/env"),
            "/escape": To("../../../../usr/bin/env"),
            "/chain": To("absolute"),
            "/directory": To("usr/bin"),
            "/lib/old": b"",
            "/through": To("/usr/lib/old"),
            "/loop": To("loop"),
            "/dangling": To("/nowhere"),
        },
    )
    assert sysroot.resolve(path) == leads_to


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    links=st.dictionaries(
        st.sampled_from(["a", "b", "c"]),
        st.lists(st.sampled_from(["..", "a", "b", "c", "d", "secret", "."]), min_size=1, max_size=6).map("/".join),
    ),
    absolute=st.booleans(),
    path=st.lists(st.sampled_from(["..", "a", "b", "c", "d", "secret"]), min_size=1, max_size=6).map("/".join),
)
def test_no_path_leaves_the_sysroot(
    tmp_path_factory: pytest.TempPathFactory, links: dict[str, str], absolute: bool, path: str
) -> None:
    base = tmp_path_factory.mktemp("outside")
    (base / "secret").write_text("outside")
    slash = "/" if absolute else ""
    sysroot = write_sysroot(
        base / "root", {"/d/secret": "inside", **{f"/{name}": To(slash + to) for name, to in links.items()}}
    )
    found = sysroot.resolve(f"/{path}")
    if found is not None:
        assert sysroot.host(found).resolve() == sysroot.host(found)  # no link is left in it
        assert sysroot.host(found).is_relative_to(base / "root")


def test_globs(tmp_path: Path) -> None:
    sysroot = write_sysroot(
        tmp_path / "root",
        {"/usr/bin/python3.11": b"x", "/usr/bin/python3": To("python3.11"), "/usr/bin/.hidden": b"", "/lib/b": b""},
    )
    assert sysroot.glob("/usr/bin/*") == ("/usr/bin/python3", "/usr/bin/python3.11")
    assert sysroot.glob("/bin/python3.??") == ("/usr/bin/python3.11",)
    assert sysroot.glob("/usr/*/b") == ()
    assert sysroot.the_file("/usr/bin/python3.*", "here") == "/usr/bin/python3.11"
    # two names of one file are one match
    assert sysroot.the_file("/usr/bin/python3*", "here") == "/usr/bin/python3"


def test_a_merged_machine_keeps_the_name_that_was_asked_for(tmp_path: Path) -> None:
    sysroot = write_sysroot(tmp_path / "root", {"/usr/bin/a": b"", "/bin": To("usr/bin")})
    assert sysroot.the_file("/usr/bin/?", "here") == "/usr/bin/a"
    assert sysroot.the_file("/bin/?", "here") == "/bin/a"


def test_a_pattern_must_match_one_file(tmp_path: Path) -> None:
    sysroot = write_sysroot(tmp_path / "root", {"/bin/a1": b"", "/bin/a2": b"", "/bin/d/file": b""})
    with pytest.raises(ChainbootError) as several:
        sysroot.the_file("/bin/a*", "executables[2]")
    assert str(several.value) == "executables[2]: /bin/a* matches 2 files: /bin/a1, /bin/a2"
    with pytest.raises(ChainbootError) as none:
        sysroot.the_file("/bin/b", "executables[3]")
    assert str(none.value) == f"executables[3]: /bin/b is not in the sysroot {tmp_path / 'root'}"
    with pytest.raises(ChainbootError):
        sysroot.the_file("/bin/d", "a directory is no file")


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ChainbootError) as refused:
        Sysroot.open(tmp_path / "none")
    assert str(refused.value) == f"the sysroot {tmp_path / 'none'} is not a directory"
    with pytest.raises(ChainbootError) as unread:
        write_sysroot(tmp_path / "root", {}).read("/a")
    assert str(unread.value) == f"/a is not a file of the sysroot {tmp_path / 'root'}"


def test_links_into_a_store_lead_to_files_of_this_machine(tmp_path: Path) -> None:
    """The store of a Nix build: the sysroot has links to it, and its files name each other by absolute paths."""
    store = tmp_path / "store"
    write_sysroot(
        store,
        {
            "/1-app/bin/app": b"app",
            "/1-app/sbin": To("bin"),
            "/1-app/share": To(f"{store}/2-data/share"),
            "/2-data/share/x.txt": b"x",
            "/2-data/out": To("../../beside"),
            "/2-data/etc": To("/etc/passwd"),
        },
    )
    (tmp_path / "beside").write_text("not in the store")
    root = write_sysroot(tmp_path / "root", {"/usr/bin/app": To(f"{store}/1-app/sbin/app"), "/etc/hosts": b""}).root
    sysroot = Sysroot.open(root, store)
    assert sysroot.resolve("/usr/bin/app") == f"{store}/1-app/bin/app"
    assert sysroot.read("/bin/app") == b"app"
    assert sysroot.read(f"{store}/1-app/share/x.txt") == b"x"
    assert sysroot.names(f"{store}/1-app") == ("bin", "sbin", "share")
    assert sysroot.glob(f"{store}/*-app/*/a?p") == (f"{store}/1-app/bin/app", f"{store}/1-app/sbin/app")
    assert sysroot.the_file("/usr/bin/a*", "here") == "/usr/bin/app"
    # what leads out of the store is looked for in the sysroot, as everything else
    assert sysroot.resolve(f"{store}/2-data/out") is None
    assert sysroot.resolve(f"{store}/2-data/etc") is None
    assert sysroot.resolve(f"{store}/../beside") is None
    assert sysroot.resolve("/etc/hosts") == "/etc/hosts"
    assert Sysroot.open(root).resolve("/usr/bin/app") is None


@pytest.mark.parametrize("store", ["/", "/nowhere"])
def test_a_store_that_is_none(tmp_path: Path, store: str) -> None:
    with pytest.raises(ChainbootError, match=f"the store {store} is not a directory below /"):
        Sysroot.open(tmp_path, Path(store))
