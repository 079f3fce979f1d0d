# The first stage: a kernel, an initrd and a command line for whatever loader starts it.
# Knows nothing of who may log in (ssh.nix) nor of how a loader gets it (boot-loader.nix).
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.boot.chainboot;
  inherit (cfg) firstStage;
  inherit (lib) types;
  inherit (pkgs.stdenv) hostPlatform;

  made = pkgs.callPackage ../python/first-stage.nix {
    inherit (cfg) settings;
    inherit (firstStage) consoles kernelParams;
    inherit (firstStage.kernelPackages) kernel;
    authorizedKeys = lib.optionals cfg.ssh.enable cfg.ssh.lines;
    authorizedKeyFiles = lib.optionals cfg.ssh.enable (lib.unique cfg.ssh.authorizedKeyFiles);
    kernelModules = firstStage.availableKernelModules;
    inherit optionalKernelModules;
    extraFiles = lib.mapAttrs (_: lib.filterAttrs (_: value: value != null)) firstStage.extraFiles;
  };
  inherit (made) cmdline;

  hostKey = lib.optionalString cfg.ssh.enable (
    lib.concatMapStrings toString (lib.take 1 cfg.ssh.hostKeys)
  );

  # What was found on this machine when NixOS was installed. Some of it is built into the kernel, or left out of it.
  optionalKernelModules = lib.unique (
    config.boot.initrd.availableKernelModules ++ config.boot.initrd.kernelModules
  );

  # Run as root on the machine: a private key is added there, from its path, so that it is never in the Nix store.
  writer = pkgs.writeTextFile {
    name = "chainboot-first-stage";
    executable = true;
    destination = "/bin/chainboot-first-stage";
    text = ''
      #!${pkgs.runtimeShell}
      PATH=${
        lib.makeBinPath [
          pkgs.coreutils
          pkgs.diffutils
        ]
      }
      CHAINBOOT=${cfg.package}/bin/chainboot
      KERNEL=${firstStage.image.kernelFile}
      CONFIG=${lib.escapeShellArg (firstStage.image.kernel.configfile or "")}
      RELEASE=${lib.escapeShellArg (firstStage.image.kernel.modDirVersion or "")}
      INITRD=${firstStage.image}/initrd
      CMDLINE=${lib.escapeShellArg cmdline}
      HOST_KEY=${lib.escapeShellArg hostKey}
      ${builtins.readFile ./write-first-stage.sh}'';
  };

  file = types.submodule {
    options = {
      source = lib.mkOption {
        type = types.nullOr types.path;
        default = null;
        example = lib.literalExpression "./motd";
        description = "The file to copy. Either this or `text` has to be given.";
      };
      text = lib.mkOption {
        type = types.nullOr types.lines;
        default = null;
        example = "nameserver 192.0.2.53\n";
        description = "What is in the file. Either this or `source` has to be given.";
      };
      mode = lib.mkOption {
        type = types.strMatching "0[0-7]{3}";
        default = "0644";
        example = "0755";
        description = "Its permission bits.";
      };
    };
  };
in
{
  _file = ./first-stage.nix;

  options.boot.chainboot.firstStage = {
    enable = lib.mkOption {
      type = types.bool;
      default = true;
      example = false;
      description = ''
        Whether to build a first stage for this machine. `system.build.chainbootFirstStage` then has `kernel`, `initrd`
        and `cmdline`, and the command `chainboot-first-stage DIRECTORY` writes them into a directory, for any loader.
      '';
    };

    kernelPackages = lib.mkOption {
      type = types.raw;
      default =
        if hostPlatform.isS390x then
          pkgs.linuxPackagesFor (pkgs.callPackage ../python/kernel.nix { })
        else
          config.boot.kernelPackages;
      defaultText = lib.literalMD "`config.boot.kernelPackages`; for s390x a kernel made from {file}`python/kernel.nix`";
      example = lib.literalExpression "pkgs.linuxPackages";
      description = ''
        Where the kernel of the first stage comes from. It needs kexec, and modules for the machine's disks. The running
        system's is the one that is known to run on this machine.
      '';
    };

    kernelParams = lib.mkOption {
      type = types.listOf types.singleLineStr;
      default = [ ];
      example = [ "pci=nomsi" ];
      description = "Kernel parameters of the first stage, after its consoles. The booted system has its own.";
    };

    availableKernelModules = lib.mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [
        "mlx5_core"
        "ahci"
      ];
      description = ''
        Kernel modules that the first stage needs beyond the usual ones. A missing one stops the build. Those of
        {option}`boot.initrd.availableKernelModules` and {option}`boot.initrd.kernelModules`, which
        {file}`hardware-configuration.nix` lists, are in it too, as far as the kernel has them.
      '';
    };

    consoles = lib.mkOption {
      type = types.listOf types.singleLineStr;
      default = map (lib.removePrefix "console=") (
        lib.filter (lib.hasPrefix "console=") config.boot.kernelParams
      );
      defaultText = lib.literalMD "the `console=` words of {option}`boot.kernelParams`";
      example = [
        "tty0"
        "ttyS0,115200n8"
      ];
      description = "Where the menu comes up, as the kernel parameter `console=` names it. The kernel's own if empty.";
    };

    extraFiles = lib.mkOption {
      type = types.attrsOf file;
      default = { };
      example = lib.literalExpression ''
        { "/etc/motd" = { text = "This is the first stage of box.\n"; }; }
      '';
      description = "Files to add to the initrd, by the absolute path that they get there. They are in the Nix store.";
    };

    image = lib.mkOption {
      type = types.package;
      default = made.image;
      defaultText = lib.literalMD "made from the other options by {file}`python/initrd.nix`";
      description = ''
        The image itself: {file}`initrd` in its output, and the attributes `kernel` and `kernelFile`. Whoever gives
        another one does without what the other options put into it.
      '';
    };
  };

  config = lib.mkIf (cfg.enable && firstStage.enable) {
    assertions = lib.mapAttrsToList (path: given: {
      assertion = lib.hasPrefix "/" path && (given.source == null) != (given.text == null);
      message = "boot.chainboot.firstStage.extraFiles.\"${path}\" needs an absolute path, and either source or text.";
    }) firstStage.extraFiles;

    system.build.chainbootFirstStage = {
      kernel = firstStage.image.kernelFile;
      initrd = "${firstStage.image}/initrd";
      inherit cmdline;
      inherit writer;
    };

    environment.systemPackages = [ writer ];
  };
}
