# What takes the place of what the module makes by itself.
{ pkgs, ... }:
{
  boot.chainboot.firstStage.image = pkgs.callPackage ../../../python/initrd.nix {
    inherit (pkgs.linuxPackages) kernel;
  };
  boot.chainboot.loginShell.package = pkgs.bashInteractive;
}
