# NixOS systems with the module, evaluated on a real nixpkgs tree. Knows what hardware a system must say it has, and
# nothing of what is tested.
{ nixpkgs }:
let
  lib = import (nixpkgs + "/lib");

  flake = (import ../../../flake.nix).outputs {
    self = { };
    nixpkgs = {
      inherit lib;
      legacyPackages = { };
    };
  };

  # The least that NixOS asks for beside a boot loader.
  machine = {
    fileSystems."/" = {
      device = "/dev/disk/by-label/nixos";
      fsType = "ext4";
    };
    system.stateVersion = "24.05";
    # It would take most of the time, and has nothing of ours.
    documentation.enable = false;
  };

  platforms = {
    x86_64 = {
      nixpkgs.hostPlatform = "x86_64-linux";
    };
    s390x = {
      nixpkgs.buildPlatform = "x86_64-linux";
      nixpkgs.hostPlatform =
        lib.systems.examples.s390x
        // lib.optionalAttrs (lib.versionOlder lib.trivial.release "26.11") {
          linux-kernel = {
            name = "s390x";
            target = "bzImage";
            baseConfig = "defconfig";
            autoModules = false;
          };
        };
    };
  };
in
{
  inherit flake lib;

  # A module that README.md shows is a function of the flake; this is what it is given.
  chainboot = { inherit (flake) nixosModules; };

  evaluate =
    platform: modules:
    import (nixpkgs + "/nixos/lib/eval-config.nix") {
      inherit lib;
      system = null;
      modules = [
        machine
        platforms.${platform}
      ]
      ++ modules;
    };
}
