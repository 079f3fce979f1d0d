# What happens after NixOS has written extlinux.conf: it is checked, and the first stage is written and installed where
# asked for.
# Knows nothing of how that file is written: NixOS's own program does it, as before.
{
  config,
  lib,
  options,
  pkgs,
  ...
}:
let
  cfg = config.boot.chainboot;
  inherit (cfg) check firstStage;
  inherit (lib) types;
  inherit (config.boot.loader) generic-extlinux-compatible;

  zipl = firstStage.enable && firstStage.install == "zipl";
  writes = firstStage.enable && firstStage.directory != null;
  wraps = cfg.enable && generic-extlinux-compatible.enable && (check.enable || zipl || writes);

  # system.build.installBootLoader takes one definition. Ours takes its place and runs it, so it is looked up among the
  # definitions: whatever is no override (mkForce, mkDefault) is a boot loader's own. Not populateCmd: that one is for
  # the machine that builds.
  isOwn = value: !(lib.isAttrs value && value._type or "" == "override");
  originals = lib.filter isOwn (
    lib.concatMap (
      definition: lib.optional (definition ? installBootLoader) definition.installBootLoader
    ) options.system.build.definitions
  );
  original = if originals == [ ] then "false" else lib.head originals;

  # An option of newer releases; before, there was one directory.
  volumes = map (mirror: mirror.path) (
    generic-extlinux-compatible.mirroredBoots or [ { path = "/boot"; } ]
  );

  programs = [
    pkgs.coreutils
    pkgs.gzip
    pkgs.zstd
  ]
  ++ lib.optional (firstStage.ziplPackage != null) firstStage.ziplPackage;

  installer = pkgs.writeTextFile {
    name = "chainboot-install-boot-loader";
    executable = true;
    text = ''
      #!${pkgs.runtimeShell}
      boot_loader() { ${toString original} "$@"; }
      CHAINBOOT=${cfg.package}/bin/chainboot
      PROGRAMS=${lib.makeBinPath programs}
      VOLUMES=${lib.escapeShellArg (lib.concatStringsSep "\n" volumes)}
      ON_PROBLEM=${if check.enable then check.onProblem else "ignore"}
      LOADER=${if zipl then "zipl" else ""}
      DIRECTORY=${lib.optionalString writes (lib.escapeShellArg firstStage.directory)}
      FIRST_STAGE=${lib.optionalString (zipl || writes) "${config.system.build.chainbootFirstStage.writer}/bin/chainboot-first-stage"}
      GC_ROOTS=/nix/var/nix/gcroots
      SCRATCH=/run
      ${builtins.readFile ./install-boot-loader.sh}'';
  };
in
{
  _file = ./boot-loader.nix;

  options.boot.chainboot = {
    check = {
      enable = lib.mkOption {
        type = types.bool;
        default = true;
        example = false;
        description = ''
          Whether to run `chainboot check` on the boot volume each time NixOS has written its boot configuration, such as
          by `nixos-rebuild switch`: a missing or damaged kernel is then found while the machine still runs.
        '';
      };

      onProblem = lib.mkOption {
        type = types.enum [
          "warn"
          "fail"
        ];
        default = "warn";
        example = "fail";
        description = ''
          What an error that the check finds does: `warn` prints it, `fail` lets `nixos-rebuild` fail too. Warnings are
          only ever printed.
        '';
      };
    };

    firstStage = {
      install = lib.mkOption {
        type = types.enum [
          "none"
          "zipl"
        ];
        default = "none";
        example = "zipl";
        description = ''
          Which boot loader gets the first stage, each time NixOS has written its boot configuration. `none` leaves that
          to you: `chainboot-first-stage DIRECTORY` writes kernel, initrd and command line for any loader. What it has
          written stays as it is until it is run again: a key that was taken away still opens that first stage. Set
          {option}`boot.chainboot.firstStage.directory`, and it is written by itself. `zipl` is for IBM Z. A unified
          kernel image for UEFI (`uki`) is to come.
        '';
      };

      directory = lib.mkOption {
        type = types.nullOr (types.strMatching "/[^\n]+");
        default = null;
        example = "/boot/chainboot-first-stage";
        description = ''
          A directory of its own on the machine, in which the first stage is written each time NixOS has written its boot
          configuration, as `chainboot-first-stage` does it. It is made if it is not there. Whatever loader the machine
          has can start it from there; it may stand beside `install = "zipl"`.
        '';
      };

      ziplPackage = lib.mkOption {
        type = types.nullOr types.package;
        default = null;
        example = lib.literalExpression "pkgs.callPackage ./s390-tools.nix { }";
        description = "A package with {file}`bin/zipl`. Nixpkgs has no s390-tools, so there is no default.";
      };
    };
  };

  config = lib.mkMerge [
    (lib.mkIf wraps {
      assertions = [
        {
          assertion = lib.length originals == 1;
          message = ''
            Only one boot loader can be enabled at a time, and beside generic-extlinux-compatible there is another one.
            Turn it off, such as with boot.loader.grub.enable = false;
          '';
        }
      ];
      system.build.installBootLoader = lib.mkForce "${installer}";
    })

    (lib.mkIf (cfg.enable && zipl) {
      assertions = [
        {
          assertion = pkgs.stdenv.hostPlatform.isS390x;
          message = ''
            boot.chainboot.firstStage.install = "zipl" is for IBM Z, and this system is for ${pkgs.stdenv.hostPlatform.system}.
            Set it to "none" and give the files of `chainboot-first-stage DIRECTORY` to the machine's own loader.
          '';
        }
        {
          assertion = firstStage.ziplPackage != null;
          message = ''
            boot.chainboot.firstStage.install = "zipl" needs zipl, and nixpkgs has no s390-tools.
            Set boot.chainboot.firstStage.ziplPackage to a package with bin/zipl.
          '';
        }
      ];
    })

    (lib.mkIf (cfg.enable && pkgs.stdenv.hostPlatform.isS390x) {
      # A panic brings the first stage back (the file says why); the initrd of systemd reads the same directory.
      environment.etc."tmpfiles.d/chainboot.conf".source = ../python/tmpfiles.d/chainboot.conf;
      boot.initrd = lib.optionalAttrs (options ? boot.initrd.systemd.contents) {
        systemd.contents."/etc/tmpfiles.d/chainboot.conf".source = ../python/tmpfiles.d/chainboot.conf;
      };
    })
  ];
}
