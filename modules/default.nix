# The NixOS module boot.chainboot: what is asked for, and what has to be there for it. Knows nothing of how the first
# stage is built (../python/initrd.nix) nor which settings it has (`chainboot check-settings` does, at build).
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.boot.chainboot;
  format = import ./settings-format.nix {
    inherit lib;
    inherit (pkgs) buildPackages runCommand writeText;
  };
  extlinux = config.boot.loader.generic-extlinux-compatible.enable;
in
{
  _file = ./default.nix;
  # The flake gives this module as a function, under two names: with a key it counts once, however often it is imported.
  key = "chainboot.nixosModules.default";

  imports = [
    ./boot-loader.nix
    ./first-stage.nix
    ./login-shell.nix
    ./ssh.nix
    ./trial.nix
  ];

  options.boot.chainboot = {
    enable = lib.mkEnableOption "chainboot, a boot menu that can always be reached";

    package = lib.mkOption {
      type = lib.types.package;
      default = pkgs.callPackage ../python/package.nix { };
      defaultText = lib.literalExpression "pkgs.callPackage ./python/package.nix { }";
      example = lib.literalExpression "inputs.chainboot.packages.x86_64-linux.default";
      description = "The command `chainboot` of the running system.";
    };

    settings = lib.mkOption {
      inherit (format) type;
      default = { };
      example = {
        timeout_ds = 50;
        network_wait = 60;
        ip = "192.0.2.7::192.0.2.1:255.255.255.0::eth0:off";
        s390x.devices = [
          "dasd:0.0.0100"
          "qeth:0.0.0600"
        ];
      };
      description = ''
        Settings of the first stage, by the names that the README lists. `true` and `false` are written as 1 and 0, a list
        with commas between its parts. What the first stage would not take stops the build, with the name and the
        reason.
      '';
    };
  };

  config = lib.mkIf cfg.enable {
    assertions = [
      {
        assertion = extlinux;
        message = ''
          boot.chainboot reads the configuration that generic-extlinux-compatible writes, and that is off.
          Set boot.loader.generic-extlinux-compatible.enable = true; and turn the other boot loader off, such as with
          boot.loader.systemd-boot.enable = false;
        '';
      }
    ];

    # NixOS has GRUB on unless somebody says otherwise, and takes one loader only.
    boot.loader.grub.enable = lib.mkIf extlinux (lib.mkDefault false);

    environment.systemPackages = [ cfg.package ];
  };

  meta.maintainers = [ ];
}
