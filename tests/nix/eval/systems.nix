# Whole systems: the drvPath of each, which is what evaluates without a single error or warning, and a few facts of them.
{ nixpkgs, readme }:
let
  nixos = import ./nixos.nix { inherit nixpkgs; };
  inherit (nixos) lib;

  facts =
    name: system:
    let
      inherit (system) config;
      first = config.system.build.chainbootFirstStage;
    in
    if config.warnings != [ ] then
      throw "${name} has warnings: ${lib.concatStringsSep "; " config.warnings}"
    else
      {
        toplevel = config.system.build.toplevel.drvPath;
        firstStage = {
          inherit (first) cmdline;
          kernel = builtins.unsafeDiscardStringContext first.kernel;
          initrd = builtins.unsafeDiscardStringContext first.initrd;
        };
        bootLoader = builtins.unsafeDiscardStringContext config.system.build.installBootLoader;
      };

  # The options that none of these systems sets; what comes from a default has this priority or a weaker one.
  unset =
    let
      options =
        system: lib.filter (option: !option.internal or false) (lib.collect lib.isOption system.options.boot.chainboot);
      names = map (option: lib.showOption option.loc);
      isSet = option: option.highestPrio < (lib.mkOptionDefault null).priority;
      set = lib.concatMap (system: names (lib.filter isSet (options system))) (lib.attrValues systems);
    in
    lib.subtractLists set (names (options systems.everything));

  onZ.boot.chainboot.firstStage.install = lib.mkForce "zipl";

  key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIroot root@example";

  systems = {
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

    everything-given = nixos.evaluate "x86_64" [
      nixos.chainboot.nixosModules.default
      ./everything.nix
      ./given.nix
    ];

    everything-s390x = nixos.evaluate "s390x" [
      nixos.chainboot.nixosModules.default
      ./everything.nix
      onZ
      { boot.initrd.systemd.enable = true; }
    ];
  };
in
if unset != [ ] then
  throw "tests/nix/eval/everything.nix does not set ${lib.concatStringsSep ", " unset}"
else
  lib.mapAttrs facts systems
