"""Every kind of finding there is: its code, how bad it is, and what it means in one line. Pure data.

A code is stable: scripts and people look for it. docs/check.md shows an example of each and what to do;
tests/test_check_docs.py holds this table, that page and the code that emits findings together.
"""

from __future__ import annotations

from dataclasses import dataclass

from chainboot.errors import Severity


@dataclass(frozen=True, slots=True)
class Code:
    """A kind of finding. `name` is kebab-case, `meaning` one line without a full stop."""

    name: str
    severity: Severity
    meaning: str


_ERRORS = """
too-large: the file has more bytes or lines than any configuration, and its end was not read
nul-byte: the line holds a NUL byte and was left out
no-entries: the configuration has no LABEL
nothing-bootable: no entry of the machine can be booted
default-unbootable: the default entry cannot be booted
missing-file: a kernel or initrd does not exist, is no file, or leads out of the volume
not-a-kernel: the file that LINUX or KERNEL names is no Linux kernel
unusable-kernel: the kernel is cut off, damaged, or of a kind that kexec cannot load
command-line-too-long: the kernel would cut the command line off or refuse it
empty-initrd: the initrd has no content
"""

_WARNINGS = """
byte-order-mark: the file starts with a byte order mark, which costs other readers the first line
carriage-return: a carriage return in the middle of a line hides the rest of it
no-keyword: the line starts with no keyword and was left out
unterminated-text: TEXT has no ENDTEXT and swallows the rest of the file
misspelt-directive: nobody knows the directive, but one of nearly the same name
outside-label: a directive that only means something in a label stands outside of every label
label-without-name: LABEL has no name
duplicate-label: two entries have the same label
not-a-number: a directive that wants a number has none and was left out
entry-limit: there are too many entries, and the last ones were left out
menu-depth: there are too many menus, or too many inside each other
menu-target-not-found: MENU GOTO or MENU EXIT names no menu
include-missing: the file that INCLUDE names could not be read
include-loop: a file includes itself
include-depth: files are included too deep inside each other
include-limit: the included files have too many lines together
include-without-file: INCLUDE names no file
default-not-found: DEFAULT names no label, or one by its former name
ontimeout-not-found: ONTIMEOUT names no label
fallback-not-found: FALLBACK names no label
not-enforced: a password or lock that only syslinux enforces
too-many-findings: there are more findings than are listed
unbootable: the entry names no kernel, or one that kexec cannot load
several-initrds: a label has several INITRD lines, and one of them counts
conflicting-initrds: INITRD and initrd= name different files
no-append: the entry has no APPEND, so its kernel gets no command line
no-init: an entry of NixOS has no init= on its command line
no-root: the command line has no root=, and nothing else tells the kernel what to start
needs-environment: a variable of U-Boot's environment, which nobody else puts in
other-machine: the kernel is for another architecture than this machine or the other entries
odd-initrd: the initrd is neither a cpio archive nor compressed
missing-device-tree: the device tree that FDT names does not exist
other-layout: the file was found only below /boot, or only without it
uboot-rejects: U-Boot rejects the whole file
uboot-crashes: U-Boot crashes on the file
uboot-drops-lines: U-Boot does not read some lines of a label
uboot-default: U-Boot boots another entry by default
uboot-line-ends: lines end in CR LF, and U-Boot takes the CR as part of the value
uboot-file-name: U-Boot takes more than the file name as the file name
syslinux-default: the boot prompt of syslinux boots another entry by default
syslinux-label: another label has the same first word, and the boot prompt of syslinux takes only that
"""

_INFOS = """
not-linux: the entry starts something else than Linux, which only syslinux or the firmware can do
disabled: the configuration disables the entry
no-initrd: the entry has no initrd, though others have one
foreign-machine: every kernel is for another architecture than this machine
device-tree-skipped: a directory of device trees or an overlay does not exist
unknown-directive: nobody known here knows the directive
no-timeout: the configuration gives no TIMEOUT, and every reader has its own
timeout-zero: TIMEOUT 0 waits for ever
timeout-negative: a negative TIMEOUT boots at once here, and is read in other ways elsewhere
label-with-blanks: a label has blanks, and the boot prompt of syslinux takes only its first word
append-dash: APPEND - means no command line, but to U-Boot it is a command line
global-append: petitboot joins the global APPEND and that of the label
uboot-quotes: U-Boot takes apostrophes and backslashes out of the command line
uboot-variables: U-Boot replaces what looks like a variable in a command line that NixOS wrote
uboot-size: the file is larger than U-Boot's standard boot reads
"""


def _table(text: str, severity: Severity) -> list[Code]:
    rows = (line.split(": ", 1) for line in text.strip().splitlines())
    return [Code(name, severity, meaning) for name, meaning in rows]


CODES = {
    code.name: code
    for code in (*_table(_ERRORS, Severity.ERROR), *_table(_WARNINGS, Severity.WARNING), *_table(_INFOS, Severity.INFO))
}
"""Every code by its name, the worst first."""
