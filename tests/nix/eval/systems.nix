# Whole systems: the drvPath of each, which is what evaluates without a single error, and a few facts of them.
{ nixpkgs, readme }:
let
  nixos = import ./nixos.nix { inherit nixpkgs; };
  inherit (nixos) lib;

  facts =
    system:
    let
      inherit (system) config;
      first = config.system.build.chainbootFirstStage;
    in
    {
      toplevel = config.system.build.toplevel.drvPath;
      inherit (config) warnings;
      firstStage = {
        inherit (first) cmdline;
        kernel = builtins.unsafeDiscardStringContext first.kernel;
        initrd = builtins.unsafeDiscardStringContext first.initrd;
      };
      bootLoader = builtins.unsafeDiscardStringContext config.system.build.installBootLoader;
    };

  onZ =
    { pkgs, ... }:
    {
      boot.chainboot.firstStage.install = lib.mkForce "zipl";
      boot.chainboot.firstStage.ziplPackage = pkgs.hello;
    };

  key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIroot root@example";
in
lib.mapAttrs (_: facts) {
  readme = nixos.evaluate "x86_64" [ (import readme nixos.chainboot) ];

  ssh = nixos.evaluate "x86_64" [
    nixos.chainboot.nixosModules.default
    # Under its other name too: it must count once.
    nixos.chainboot.nixosModules.chainboot
    {
      boot.loader.generic-extlinux-compatible.enable = true;
      boot.chainboot.enable = true;
      boot.chainboot.ssh.enable = true;
      users.users.root.openssh.authorizedKeys.keys = [ key ];
    }
  ];

  everything = nixos.evaluate "x86_64" [
    nixos.chainboot.nixosModules.default
    ./everything.nix
  ];

  everything-s390x = nixos.evaluate "s390x" [
    nixos.chainboot.nixosModules.default
    ./everything.nix
    onZ
    { boot.initrd.systemd.enable = true; }
  ];
}
