"""Every place where we read a configuration otherwise than its project's own test says, and why.

A row that is not needed any more fails the corpus check, so that this table stays true.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """A difference: the main file as the corpus names it, the entry by label, the field, and both values."""

    file: str
    entry: str
    field: str
    ours: str
    theirs: str


_REPLACES = "APPEND of a label replaces the global one; petitboot joins them (6 #3)"
_BARE_INITRD = "a line `initrd=path` is petitboot's own; it has no keyword, and is reported (3 `initrd=`)"
_DTB = "DTB is petitboot's own word for FDT (3 FDT)"
_BOOTIF = "IPAPPEND 2 is kept as a mask; it is for who knows the network card, not for this reader (3 IPAPPEND)"
_TFTP_ROOT = "an absolute path starts at the root of its volume; over TFTP petitboot's starts at the prefix (6 #10)"
_TFTP_COLONS = "`::path` is pxelinux' word for the root of a server; a file has none (5 PXELINUX)"
_IPXE = "an iPXE script is no configuration of this language"
_LABEL_BEFORE = "MENU LABEL of a submenu names the submenu; u-root's names the label before it (3 MENU LABEL)"
_URL = "nothing is fetched: a URL is a path that leads nowhere (field notes, remote fetch)"
_BOTH = "a label that is used twice is listed twice (6 #14)"

_PXE_INITRD = "/dir/pxe/de-ad-de-ad-be-ef.initrd"
_DEBIAN_10 = "u-root/u-root_u-root/debian_10_install/isolinux/isolinux.cfg"
_GENERAL = "u-root/TestParseGeneral"

TABLE: dict[Row, str] = {
    Row("petitboot/syslinux-global-append.cfg", "backup", "cmdline", "root=/dev/sdb", "console=ttyS0 root=/dev/sdb"): (
        _REPLACES
    ),
    Row("petitboot/syslinux-global-append.cfg", "linux", "cmdline", "console=tty0", "console=ttyS0 console=tty0"): (
        _REPLACES
    ),
    **{
        Row("petitboot/data/syslinux-include-root.cfg", label, "cmdline", own, f"console=ttyS0 {own}"): _REPLACES
        for label, own in (("linux", "root=/dev/sdc"), ("boot", "root=/dev/sda"), ("backup", "root=/dev/sdb"))
    },
    **{
        Row(f"petitboot/{file}.cfg", "linux", "initrds", "", initrd): _BARE_INITRD
        for file, initrd in (
            ("pxe-single", _PXE_INITRD),
            ("pxe-mac-without-conf", _PXE_INITRD),
            ("pxe-ip-without-conf", _PXE_INITRD),
            ("pxe-non-url-conf", _PXE_INITRD.removeprefix("/dir")),
        )
    },
    Row("petitboot/pxe-single.cfg", "linux", "fdt", "", "/dir/pxe/de-ad-de-ad-be-ef.dtb"): _DTB,
    Row(
        "petitboot/pxe-ipappend.cfg", "linux", "cmdline", "command line", "command line BOOTIF=01-01-02-03-04-05-06"
    ): _BOOTIF,
    **{
        Row(f"petitboot/{file}.cfg", "linux", "initrds", "/initrd", "/path/to/initrd"): _TFTP_ROOT
        for file in (
            "pxe-pathprefix-with-conf",
            "pxe-non-url-pathprefix-with-conf",
            "pxe-pathprefix-discover",
            "pxe-pathprefix-discover-mac",
            "pxe-pathprefix-port",
        )
    },
    Row("petitboot/pxe-path-resolve-relative.cfg", "linux", "initrds", "/initrd", "/path/initrd"): _TFTP_ROOT,
    Row("petitboot/pxe-path-resolve-absolute.cfg", "linux", "kernel", "/path/::vmlinux", "/vmlinux"): _TFTP_COLONS,
    Row("petitboot/pxe-path-resolve-absolute.cfg", "linux", "initrds", "/path/::/initrd", "/initrd"): _TFTP_COLONS,
    **{
        Row(f"petitboot/{file}.cfg", entry, "entry", "", entry): _IPXE
        for file, entry in (
            ("pxe-ipxe", "ipxe option (tftp://host/dir1/vmlinux)"),
            ("pxe-ipxe-named", "test-option"),
            ("pxe-ipxe-default", "test-option"),
        )
    },
    Row(_DEBIAN_10, "install", "title", "Install", "^Advanced options"): _LABEL_BEFORE,
    Row(_DEBIAN_10, "auto", "title", "Automated install", "^Speech-enabled advanced options"): _LABEL_BEFORE,
    Row(
        _DEBIAN_10, "autospk", "title", "Automated speech install", "Accessible ^dark contrast installer menu"
    ): _LABEL_BEFORE,
    Row(_DEBIAN_10, "installdark", "title", "Install", "^Advanced options"): _LABEL_BEFORE,
    Row(
        f"{_GENERAL}/15-multi-scheme-valid-config/foobar/pxelinux.cfg/default",
        "sheeeit",
        "initrds",
        "/foobar/http:/someplace.com/initrd2",
        "http://someplace.com/initrd2",
    ): _URL,
    Row(f"{_GENERAL}/16-valid-config-with-three-includes/foobar/pxelinux.cfg/default", "omar", "entry", "omar", ""): (
        _BOTH
    ),
}
