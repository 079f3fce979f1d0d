# The first stage's initrd. A callPackage function.
#
# `chainboot image` makes it, as everywhere else, from the same image-spec.json. What Nix adds is the sysroot: a
# directory of links into the store that looks like the unpacked packages of a distribution. Only what the spec names
# is copied out of each store path, with the libraries it needs, at their store paths.
{
  lib,
  stdenv,
  buildPackages,
  runCommand,
  writeText,
  btrfs-progs,
  busybox,
  dosfstools,
  dropbear,
  e2fsprogs,
  kexec-tools,
  linux,
  python3Minimal,
  python3Packages,
  util-linux,
  xfsprogs,

  # The kernel that starts the image, whose modules are in it. It must have kexec.
  kernel ? import ./kernel.nix { inherit lib linux stdenv; },
  # The settings of the first stage: a file of NAME=VALUE lines, as `chainboot check-settings` takes it.
  settingsFile ? null,
  # Who may log in over SSH: lines and files of authorized_keys. They are public, and end up in the store.
  authorizedKeys ? [ ],
  authorizedKeyFiles ? [ ],
  # Names or aliases of kernel modules that are wanted beside those of the spec.
  kernelModules ? [ ],
  # The same, of which those that the kernel does not have are only noted in the report.
  optionalKernelModules ? [ ],
  # Further files: { "/etc/x" = { source = ./x; mode = "0600"; }; "/etc/y".text = "y\n"; }
  extraFiles ? { },
}:

let
  inherit (stdenv.hostPlatform) linuxArch;

  # nixpkgs' names for the machines are Linux's, but for these two.
  architecture =
    {
      arm64 = "aarch64";
      s390 = "s390x";
    }
    .${linuxArch} or linuxArch;

  # An image is made on the machine that builds, which may be another one than it is for.
  builder = buildPackages.callPackage ./package.nix { };

  kernelFile = "${kernel}/${
    kernel.target or (stdenv.hostPlatform.linux-kernel.target or (
      if stdenv.hostPlatform.isAarch64 then "Image" else "bzImage"
    ))
  }";

  programs = {
    # /init is written for it, and must run whatever happens to a library.
    "bin/busybox" = "${busybox.override { enableStatic = true; }}/bin/busybox";
    "sbin/kexec" = "${lib.getBin kexec-tools}/bin/kexec";
    "sbin/blkid" = "${lib.getBin util-linux}/bin/blkid";
    "sbin/dropbear" = "${lib.getBin dropbear}/bin/dropbear";
    "bin/dropbearkey" = "${lib.getBin dropbear}/bin/dropbearkey";
    "sbin/e2fsck" = "${lib.getBin e2fsprogs}/bin/e2fsck";
    "sbin/fsck.fat" = "${lib.getBin dosfstools}/bin/fsck.fat";
    "sbin/xfs_repair" = "${lib.getBin xfsprogs}/bin/xfs_repair";
    "bin/btrfs" = "${lib.getBin btrfs-progs}/bin/btrfs";
    "bin/${python3Minimal.libPrefix}" = "${python3Minimal}/bin/${python3Minimal.libPrefix}";
    "lib/${python3Minimal.libPrefix}" = "${python3Minimal}/lib/${python3Minimal.libPrefix}";
  };

  sysroot = runCommand "chainboot-sysroot" { } (
    ''
      mkdir -p $out/usr/bin $out/usr/sbin $out/usr/lib $out/boot $out/lib/modules
      ln -s usr/bin $out/bin
      ln -s usr/sbin $out/sbin
      ln -s ${kernelFile} $out/boot/vmlinuz-${kernel.modDirVersion}
      ln -s ${kernel.modules or kernel}/lib/modules/${kernel.modDirVersion} $out/lib/modules/${kernel.modDirVersion}
    ''
    + lib.optionalString (kernel ? configfile) ''
      ln -s ${kernel.configfile} $out/boot/config-${kernel.modDirVersion}
    ''
    + lib.concatStrings (
      lib.mapAttrsToList (place: file: ''
        ln -s ${file} $out/usr/${place}
      '') programs
    )
    # A link that leads nowhere would only be missed where the spec calls its program optional.
    + ''
      for link in $out/usr/*/* $out/boot/* $out/lib/modules/*; do
        test -e "$link" || { echo "error: $link leads to $(readlink "$link"), which does not exist" >&2; exit 1; }
      done
    ''
  );

  given = lib.importJSON ./first-stage/image-spec.json;

  # The spec's own files are beside it, wherever the derived spec is.
  absolute =
    file:
    file // lib.optionalAttrs (file ? source) { source = "${./first-stage}/${file.source}"; };

  spec = given // {
    files =
      map absolute given.files
      ++ lib.mapAttrsToList (
        target: file:
        { inherit target; }
        // lib.optionalAttrs (file ? mode) { inherit (file) mode; }
        // (if file ? text then { inherit (file) text; } else { source = "${file.source}"; })
      ) extraFiles;
    kernel_modules = given.kernel_modules // {
      required = given.kernel_modules.required ++ kernelModules;
      optional = given.kernel_modules.optional ++ optionalKernelModules;
    };
  };

  specFile = writeText "image-spec.json" (builtins.toJSON spec);

  keyFiles =
    lib.optional (authorizedKeys != [ ]) (
      writeText "authorized_keys" (lib.concatMapStrings (line: line + "\n") authorizedKeys)
    )
    ++ authorizedKeyFiles;

  lark = "${python3Packages.lark}/${python3Packages.python.sitePackages}/lark";
in
runCommand "chainboot-initrd"
  {
    __structuredAttrs = true;
    # The image carries all that it needs; store paths that are named in it are no reason to keep them. Nix before
    # 2.18 does not know this: there the compression hides most names, and what is left costs space only.
    unsafeDiscardReferences.out = true;

    nativeBuildInputs = [
      builder
      buildPackages.zstd
    ];

    passthru = {
      inherit
        kernel
        kernelFile
        lark
        sysroot
        ;
    };

    meta = {
      description = "First stage of chainboot: an initrd with the boot menu, SSH and kexec";
      license = lib.licenses.mit;
      platforms = lib.platforms.linux;
    };
  }
  ''
    mkdir -p $out
    chainboot image \
      --spec ${specFile} \
      --arch ${architecture} \
      --sysroot ${sysroot} \
      --store ${builtins.storeDir} \
      --package chainboot=${./chainboot} \
      --package lark=${lark} \
      ${lib.optionalString (settingsFile != null) "--settings ${settingsFile}"} \
      ${lib.concatMapStringsSep " " (file: "--authorized-keys ${file}") keyFiles} \
      --manifest $out/manifest.json \
      --output $out/initrd | tee $out/report.txt
  ''
