# A first stage for whatever loader starts it: `lib.mkFirstStage` of the flake. A callPackage function.
#
# The result has `kernel` and `initrd`, paths in the store, and `cmdline`, the kernel command line; `image` is the
# derivation that the initrd is in, with its manifest and report. Without NixOS; its module is ../modules.
{
  lib,
  callPackage,
  buildPackages,
  runCommand,
  writeText,

  # By the names that the README lists; `chainboot check-settings` reads them when they are built.
  settings ? { },
  # Where the menu comes up, as `console=` names it: [ "tty0" "ttyS0,115200n8" ]. The kernel's own if empty.
  consoles ? [ ],
  # Further words of the kernel command line.
  kernelParams ? [ ],
  # As for initrd.nix.
  kernel ? callPackage ./kernel.nix { },
  authorizedKeys ? [ ],
  authorizedKeyFiles ? [ ],
  kernelModules ? [ ],
  optionalKernelModules ? [ ],
  extraFiles ? { },
}:

let
  format = import ../modules/settings-format.nix {
    inherit
      lib
      buildPackages
      runCommand
      writeText
      ;
  };

  image = callPackage ./initrd.nix {
    inherit
      kernel
      authorizedKeys
      authorizedKeyFiles
      kernelModules
      optionalKernelModules
      extraFiles
      ;
    settingsFile = format.generate "chainboot.conf" settings;
  };
in
{
  kernel = image.kernelFile;
  initrd = "${image}/initrd";
  cmdline = lib.concatStringsSep " " (map (console: "console=${console}") consoles ++ kernelParams);
  inherit image;
}
