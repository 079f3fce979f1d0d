"""What a configuration means: scope, which value wins, the default."""

from __future__ import annotations

import pytest

from chainboot.extlinux.entry import Kind
from chainboot.extlinux.evaluation import ENTRY_LIMIT, INCLUDE_DEPTH, INCLUDE_FILES, resolve
from chainboot.extlinux.findings import DIAGNOSTIC_LIMIT
from chainboot.extlinux.label import TEXT_LIMIT
from chainboot.extlinux.menu import BootMenu, Row
from chainboot.extlinux.parser import LINE_LIMIT, SIZE_LIMIT, Document, parse
from chainboot.extlinux.tree import MENU_DEPTH


def menu(text: str, **files: str) -> BootMenu:
    """The menu of `text`; INCLUDE finds `files`, whose names are given with _ for a dot."""
    by_name = {name.replace("_", "."): content for name, content in files.items()}
    return resolve(
        parse(text.encode(), "extlinux.conf"),
        lambda name: parse(by_name[name].encode(), name) if name in by_name else None,
    )


def codes(found: BootMenu) -> list[str]:
    return [finding.code for finding in found.diagnostics]


THREE = "LABEL a\nLINUX k\nLABEL nixos-42-default\nLINUX k\nLABEL c d\nLINUX k\n"


@pytest.mark.parametrize(
    ("head", "index", "arguments", "warned"),
    [
        ("", 0, "", []),
        ("DEFAULT nixos-42-default\n", 1, "", []),
        ("DEFAULT nixos-42\n", 1, "", ["default-not-found"]),
        ("DEFAULT c d\n", 2, "", []),
        ("DEFAULT a quiet  splash\n", 0, "quiet  splash", []),
        ("DEFAULT gone\n", 0, "", ["default-not-found"]),
        ("DEFAULT a\nDEFAULT c d\n", 2, "", []),
        ("DEFAULT vesamenu.c32\n", 0, "", []),
        ("DEFAULT\n", 0, "", []),
    ],
)
def test_default(head: str, index: int, arguments: str, warned: list[str]) -> None:
    found = menu(head + THREE)
    assert (found.default, found.default_arguments) == (index, arguments)
    assert codes(found) == warned
    after = menu(THREE + head)
    assert after.default == index, "DEFAULT may stand anywhere"


def test_default_that_is_gone_says_what_is_taken_and_where() -> None:
    (finding,) = menu("LABEL a\nLINUX k\n  DEFAULT gone\n").diagnostics
    assert finding.format() == (
        "extlinux.conf:3:3: warning: DEFAULT names no label of this file (gone); a is the default instead "
        "[default-not-found]\n"
        "      DEFAULT gone\n"
        "      ^\n"
        "  (hint) U-Boot boots the first entry here, syslinux tries the name as a file"
    )


def test_menu_default_counts_where_default_is_silent() -> None:
    text = THREE + "LABEL z\nMENU DEFAULT\nLINUX k\nMENU BEGIN\nLABEL y\nMENU DEFAULT\nMENU END\n"
    assert menu(text).default == 3
    assert menu("DEFAULT a\n" + text).default == 0


def test_an_unbootable_entry_is_no_default_by_itself() -> None:
    assert menu("LABEL a\nLABEL b\nLOCALBOOT -1\nLABEL c\nLINUX k\n").default == 2
    assert menu("LABEL a\n").default is None


@pytest.mark.parametrize(
    ("text", "timeout_ds", "warned"),
    [
        ("TIMEOUT 50", 50, []),
        ("TIMEOUT 0", 0, []),
        ("TIMEOUT -10", -10, []),
        ("TIMEOUT 1", 1, []),
        ("TIMEOUT 50 # five seconds", 50, []),
        ("TIMEOUT 50\nTIMEOUT 70", 70, []),
        ("TIMEOUT", None, ["not-a-number"]),
        ("TIMEOUT soon", None, ["not-a-number"]),
        ("TIMEOUT 50\nTIMEOUT soon", 50, ["not-a-number"]),
        ("TIMEOUT " + "9" * 5000, 999999999, []),
        ("", None, []),
    ],
)
def test_timeout_is_kept_as_written(text: str, timeout_ds: int | None, warned: list[str]) -> None:
    found = menu(text)
    assert (found.timeout_ds, codes(found)) == (timeout_ds, warned)


@pytest.mark.parametrize(
    ("text", "append"),
    [
        ("APPEND global\nLABEL a\nAPPEND own\n", "own"),
        ("APPEND global\nLABEL a\n", "global"),
        ("APPEND global\nLABEL a\nAPPEND -\n", ""),
        ("APPEND global\nLABEL a\nAPPEND\n", ""),
        ("LABEL a\nAPPEND one\nAPPEND two\n", "two"),
        ("LABEL a\n", None),
        ("LABEL a\nMENU SEPARATOR\nAPPEND late\n", None),
        ("LABEL a\nTIMEOUT 5\n\n\nAPPEND own\n", "own"),
        ("LABEL a\nUNHEARD of\nAPPEND own\n", "own"),
        ("LABEL a\nTEXT HELP\nAPPEND help\nENDTEXT\nAPPEND own\n", "own"),
    ],
)
def test_append(text: str, append: str | None) -> None:
    assert menu(text).entries[0].append == append


@pytest.mark.parametrize(
    ("text", "initrd", "warned"),
    [
        ("INITRD a,b", "a,b", []),
        ("INITRD a\nINITRD b", "b", ["several-initrds"]),
        ("APPEND x initrd=c y", "c", []),
        ("APPEND initrd=c initrd=d", "d", []),
        ("APPEND initrd=c\nINITRD a", "a", []),
        ("APPEND noinitrd=c initrd=", None, []),
        ("", None, []),
    ],
)
def test_initrd(text: str, initrd: str | None, warned: list[str]) -> None:
    found = menu(f"LABEL x\nLINUX k\n{text}\n")
    assert (found.entries[0].initrd, codes(found)) == (initrd, warned)


def test_kernel_lines_share_a_slot_and_the_last_wins() -> None:
    (entry,) = menu("LABEL x\nKERNEL a.c32\nLINUX b\n").entries
    assert (entry.kind, entry.kernel) == (Kind.LINUX, "b")


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        ("LABEL x\n", ("the entry names no kernel",)),
        ("LABEL x\nLINUX\n", ("the entry names no kernel",)),
        ("LABEL x\nKERNEL m.c32\n", ("it starts a syslinux module (.c32), which only syslinux can run",)),
        ("LABEL x\nLINUX k\nMENU DISABLE\n", ("the configuration disables it",)),
        ("LABEL x\nLINUX k\n", ()),
    ],
)
def test_reasons(text: str, reasons: tuple[str, ...]) -> None:
    assert menu(text).entries[0].reasons == reasons


def test_device_tree_keywords_and_their_aliases() -> None:
    first, second = menu(
        "LABEL a\nFDT t\nFDTDIR d\nFDTOVERLAYS o1  o2\n"
        "LABEL b\nDEVICETREE t\nDEVICETREEDIR d\nDEVICETREE-OVERLAY o1 o2\n"
    ).entries
    assert (first.fdt, first.fdtdir, first.fdtoverlays) == ("t", "d", ("o1", "o2"))
    assert (second.fdt, second.fdtdir, second.fdtoverlays) == ("t", "d", ("o1", "o2"))


def test_menu_label_hotkey_indent_hide_and_help() -> None:
    (entry,) = menu(
        "LABEL x\nMENU LABEL Boot ^Rescue ^system\nMENU INDENT 2\nMENU HIDE\nTEXT HELP\n one\n two\nENDTEXT\nSAY hi\n"
    ).entries
    assert (entry.title, entry.hotkey, entry.indent, entry.hidden) == ("Boot Rescue system", "r", 2, True)
    assert entry.help == (" one", " two")
    assert entry.unknown == ("SAY hi",)


def test_submenus_give_a_path_and_keep_file_order() -> None:
    found = menu(
        "LABEL a\nMENU BEGIN tools\nMENU TITLE Tools\nMENU LABEL ^More\nLABEL b\nMENU BEGIN\nLABEL c\nMENU END\n"
        "MENU END\nLABEL d\nMENU END\nMENU END\nLABEL e\n"
    )
    assert [(entry.label, entry.menu_path) for entry in found.entries] == [
        ("a", ()),
        ("b", ("More",)),
        ("c", ("More", "")),
        ("d", ()),
        ("e", ()),
    ]
    assert found.title is None


def test_duplicate_labels_are_both_kept_and_the_name_means_the_first() -> None:
    found = menu("DEFAULT a\nLABEL a\nLINUX one\nLABEL a\nLINUX two\n")
    assert [entry.kernel for entry in found.entries] == ["one", "two"]
    assert found.default == 0
    assert codes(found) == ["duplicate-label"]
    assert "label a is used again; by name it means the one at extlinux.conf:2:1" in found.diagnostics[0].format()


def test_include_reads_as_if_the_files_were_one() -> None:
    found = menu("INCLUDE entry.cfg\nAPPEND more\nLABEL z\n", entry_cfg="LABEL a\nLINUX k\nAPPEND less\n(\n")
    assert [(entry.label, entry.append) for entry in found.entries] == [("a", "more"), ("z", None)]
    assert [str(finding.position) for finding in found.diagnostics] == ["entry.cfg:4:1"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("INCLUDE gone.cfg\nLABEL a\n", "include-missing"),
        ("INCLUDE loop.cfg\nLABEL a\n", "include-loop"),
        ("MENU INCLUDE\nLABEL a\n", "include-without-file"),
    ],
)
def test_an_include_that_cannot_be_read_costs_itself(text: str, code: str) -> None:
    found = menu(text, loop_cfg="INCLUDE loop.cfg\n")
    assert [entry.label for entry in found.entries] == ["a"]
    assert codes(found) == [code]


def test_includes_end_at_sixteen_levels() -> None:
    files = {f"f{n}": f"LABEL l{n}\nINCLUDE f{n + 1}\n" for n in range(40)}
    found = menu("INCLUDE f0\n", **files)
    assert len(found.entries) == INCLUDE_DEPTH
    assert codes(found) == ["include-depth"]


def test_directives_before_any_label_are_reported() -> None:
    found = menu("LINUX k\nINITRD i\nFDT t\nLABEL\nLINUX k\n")
    assert [entry.label for entry in found.entries] == [""]
    assert codes(found) == ["outside-label", "outside-label", "outside-label", "label-without-name"]


@pytest.mark.parametrize(
    ("text", "requested"),
    [("TIMEOUT 1", False), ("MENU TITLE x", True), ("PROMPT 1", True), ("PROMPT 0", False), ("UI menu.c32", True)],
)
def test_whether_a_menu_was_asked_for(text: str, requested: bool) -> None:
    assert menu(text).menu_requested is requested


def test_the_tree_of_menus_has_every_row_in_its_place() -> None:
    found = menu(
        "MENU TITLE Top\nTIMEOUT 50\nLABEL a\nMENU SEPARATOR\nMENU BEGIN tools\nMENU TITLE ^Tools\nTIMEOUT 90\n"
        "TEXT HELP\nabout tools\nENDTEXT\nLABEL b\nMENU DEFAULT\nMENU BEGIN\nMENU LABEL In^ner\nMENU START\nLABEL c\n"
        "MENU END\nMENU END\nLABEL d\n"
    )
    top, tools, inner = found.menus
    assert top.rows == (Row(entry=0), Row(), Row(menu=1), Row(entry=3))
    assert tools.rows == (Row(entry=1), Row(menu=2))
    assert inner.rows == (Row(entry=2),)
    assert (tools.tag, tools.title, tools.label, tools.hotkey) == ("tools", "^Tools", "Tools", "t")
    assert (inner.tag, inner.title, inner.label, inner.hotkey) == (None, "Inner", "Inner", "n")
    assert (top.timeout_ds, tools.timeout_ds, inner.timeout_ds) == (50, 90, 90)
    assert (tools.help, tools.default, found.start) == (("about tools",), 1, 2)
    assert [entry.menu_path for entry in found.entries] == [(), ("Tools",), ("Tools", "Inner"), ()]


def test_a_tag_after_the_file_makes_a_menu_of_it() -> None:
    found = menu("INCLUDE sub.cfg ^Sub menu\nAPPEND x\nLABEL z\n", sub_cfg="LABEL a\nMENU BEGIN\nLABEL b\n")
    assert [(entry.label, entry.menu_path, entry.append) for entry in found.entries] == [
        ("a", ("^Sub menu",), None),
        ("b", ("^Sub menu", ""), None),
        ("z", (), "x"),
    ]


def test_menus_that_are_too_deep_keep_their_entries_and_their_ends() -> None:
    text = "MENU BEGIN\n" * (MENU_DEPTH + 5) + "LABEL deep\n" + "MENU END\n" * (MENU_DEPTH + 5) + "LABEL top\n"
    found = menu(text)
    assert [len(entry.menu_path) for entry in found.entries] == [MENU_DEPTH, 0]
    assert codes(found) == ["menu-depth"] * 5


@pytest.mark.parametrize(
    ("text", "locks"),
    [
        ("ALLOWOPTIONS 0", ("the configuration asks for command lines that nobody edits",)),
        ("ALLOWOPTIONS 1", ()),
        ("NOESCAPE 1", ("the configuration asks for a menu that nobody escapes",)),
        ("MENU MASTER PASSWD $4$salt$secret", ("the configuration asks for a master password",)),
        ("MENU MASTER", ()),
        ("LABEL a\nMENU PASSWD secret", ("the configuration asks for a password for this entry",)),
    ],
)
def test_locks_are_shown_and_passwords_are_not(text: str, locks: tuple[str, ...]) -> None:
    found = menu(text)
    assert found.locks == locks
    assert "secret" not in repr(found)
    assert codes(found) == ["not-enforced"] * len(locks)


def test_a_password_locks_its_entry_or_its_menu() -> None:
    found = menu("LABEL a\nMENU PASSWD x\nMENU BEGIN\nMENU PASSWD y\nLABEL b\n")
    assert [entry.locked for entry in found.entries] == [True, False]
    assert [each.locked for each in found.menus] == [False, True]


@pytest.mark.parametrize(
    ("text", "masks"),
    [
        ("SYSAPPEND 0x4\nLABEL a\nLABEL b\nSYSAPPEND 3\nLABEL c\n", [4, 3, 4]),
        ("LABEL a\nIPAPPEND 2\nLABEL b\n", [2, 0]),
        ("LABEL a\nSYSAPPEND 010\n", [8]),
    ],
)
def test_sysappend_masks(text: str, masks: list[int]) -> None:
    assert [entry.sysappend for entry in menu(text).entries] == masks


def test_variables_of_u_boot_are_named() -> None:
    text = "$HOME ${console} $(b) ${a b} ${console} ${serial#} ${} ${open"
    (entry,) = menu(f"LABEL a\nLINUX /${{kernel}}\nAPPEND {text}\n").entries
    assert entry.needs_env == ("kernel", "console", "serial#", "b")
    assert entry.append == text


def test_initrds_add_up_where_that_is_asked_for() -> None:
    document = parse(b"LABEL a\nLINUX k\nINITRD ucode\nINITRD initramfs\n", "f")
    found = resolve(document, accumulate_initrds=True)
    assert (found.entries[0].initrd, found.diagnostics) == ("ucode,initramfs", ())


def test_files_that_multiply_are_bounded() -> None:
    found = menu(
        "INCLUDE few\n" * 50, few="INCLUDE many\n" * 50, many="# a line\n" * 1000 + "LABEL x\nMENU SEPARATOR\n"
    )
    assert LINE_LIMIT // 1002 - 1 <= len(found.entries) <= LINE_LIMIT // 1002
    assert "include-limit" in codes(found)


def test_findings_are_bounded() -> None:
    found = menu("(\n" * (DIAGNOSTIC_LIMIT + 5))
    assert len(found.diagnostics) == DIAGNOSTIC_LIMIT + 1
    assert found.diagnostics[-1].code == "too-many-findings"


def test_entries_are_bounded() -> None:
    found = menu("LABEL a\n" * (ENTRY_LIMIT + 2))
    assert len(found.entries) == ENTRY_LIMIT
    assert "entry-limit" in codes(menu("LABEL a\n" * 10 + "".join(f"LABEL l{n}\n" for n in range(ENTRY_LIMIT))))


def test_the_text_of_all_entries_together_is_bounded() -> None:
    found = menu(f"APPEND {'x' * (TEXT_LIMIT // 8)}\n" + "LABEL a\n" * 10)
    assert len(found.entries) == 8
    message = "entry 9 is one too many: it and all that follow were left out"
    assert message in {finding.message for finding in found.diagnostics}


def test_names_of_menus_are_cut_in_the_path_of_an_entry_only() -> None:
    found = menu(f"MENU BEGIN {'x' * 1000}\nLABEL a\n")
    assert (found.entries[0].menu_path, found.menus[1].tag) == (("x" * 80,), "x" * 1000)


def test_included_files_together_are_as_long_as_one_may_be() -> None:
    read: list[str] = []

    def read_include(name: str) -> Document:
        read.append(name)
        return parse(b"#" * (SIZE_LIMIT // 4), name)

    found = resolve(parse(b"".join(b"INCLUDE %d\n" % number for number in range(20)), "f"), read_include)
    assert read == ["0", "1", "2", "3", "4"], "nothing is read once there is too much"
    assert codes(found) == ["include-limit"] * 16
    message = "4 was left out: the included files are too many or too large"
    assert found.diagnostics[0].message == message


def test_a_long_file_is_not_included_without_end() -> None:
    found = menu("INCLUDE long.cfg\n" * 5, long_cfg=f"LABEL a\nSAY {'x' * (SIZE_LIMIT // 3)}\n")
    assert len(found.entries) == 2
    assert "include-limit" in codes(found)
    assert found.diagnostics[0].message.endswith(
        f"long.cfg was left out: with it there would be more than {LINE_LIMIT} lines or {SIZE_LIMIT} characters"
    )


def test_the_number_of_included_files_is_bounded() -> None:
    found = menu("".join(f"INCLUDE f{n}\n" for n in range(INCLUDE_FILES + 3)), **{f"f{n}": "" for n in range(300)})
    assert codes(found) == ["include-limit"] * 3


def test_help_of_a_label_and_of_a_submenu_adds_up() -> None:
    text = "TEXT HELP\none\nENDTEXT\nTEXT HELP\ntwo\nENDTEXT\n"
    found = menu(f"{text}LABEL a\n{text}MENU BEGIN\n{text}LABEL b\n")
    assert found.entries[0].help == ("one", "two")
    assert [each.help for each in found.menus] == [(), ("one", "two")]


@pytest.mark.parametrize("blank", ["\u0085", "\u3000", "\u2028"])
@pytest.mark.parametrize(
    "keyword", ["DEFAULT", "KERNEL", "LINUX", "INITRD", "APPEND", "FDT", "ONTIMEOUT", "INCLUDE", "UI", "MENU TITLE"]
)
def test_a_blank_that_is_none_to_the_grammar_costs_itself(keyword: str, blank: str) -> None:
    found = menu(f"LABEL a\nLINUX k\nLABEL b\nLINUX k\n{keyword} {blank}\nLABEL c\nLINUX k\n")
    assert [entry.label for entry in found.entries] == ["a", "b", "c"]
