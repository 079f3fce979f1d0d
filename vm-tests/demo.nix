# `nix run .#demo`: what `make demo` does, with kernel, programs and emulator of nixpkgs. A callPackage function.
{
  lib,
  callPackage,
  e2fsprogs,
  openssh,
  python3,
  qemu,
  writeTextFile,
  runtimeShell,
  zstd,
}:

let
  initrd = callPackage ../python/initrd.nix { };
  harness = import ./harness.nix { inherit lib; };

  python = python3.withPackages (packages: [
    packages.lark
    packages.pyelftools
    packages.pyte
  ]);

  programs = [
    e2fsprogs
    openssh
    qemu
    zstd
  ];
in
writeTextFile {
  name = "chainboot-demo";
  executable = true;
  text = ''
    #!${runtimeShell}
    # What is made for it goes to the user's cache: disks and keys, worth nothing to anybody.
    export CHAINBOOT_BUILD="''${CHAINBOOT_BUILD:-''${XDG_CACHE_HOME:-$HOME/.cache}/chainboot-demo}"
    export PATH=${lib.makeBinPath programs}:"$PATH"
    export PYTHONPATH=${harness}/vm-tests:${harness}/python PYTHONDONTWRITEBYTECODE=1
    exec ${python}/bin/python3 -m chainboot_vm.demo --sysroot ${initrd.sysroot} --store ${builtins.storeDir} \
      --initrd ${initrd}/initrd "$@"
  '';
}
