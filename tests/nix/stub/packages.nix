# The package set: what runs on `host`, built on `build`. `other` makes another set.
{
  lib,
  build,
  host,
  config,
  overlays,
  other,
}:
let
  cross = build.system != host.system;

  # A program of the host, which the sandbox shows.
  hostProgram =
    builders: name: programs:
    builders.mkDerivation {
      inherit name;
      meta.mainProgram = lib.head programs;
      buildCommand = ''
        mkdir -p $out/bin
        for program in ${toString programs}; do
          found=$(command -v "$program") || {
            echo "$program is not installed on this machine" >&2
            exit 1
          }
          ln -s "$found" $out/bin
        done
      '';
    };

  base =
    final:
    let
      shell = hostProgram (import ./build.nix {
        inherit lib build;
        shell = null;
      }) "bash" [ "bash" "sh" ];
      builders = import ./build.nix { inherit lib build shell; };
      debian = import ./debian.nix {
        inherit lib build host;
        inherit (builders) mkDerivation;
      };
      glibc = debian.glibc;
      libraries = debian.libraries glibc;
      linked = [
        libraries
        glibc
      ];
      python = import ./python.nix {
        inherit
          lib
          debian
          libraries
          glibc
          build
          ;
        inherit (builders) mkDerivation;
        native = final.buildPackages // {
          inherit (builders) notBuilt;
        };
      };
      program =
        name:
        debian.package {
          from = [ name ];
          libraries = linked;
          script = "programs; patch_elf $out";
        };
      stdenv = {
        hostPlatform = host;
        buildPlatform = build;
        inherit (builders) mkDerivation;
      };
    in
    builders
    // python
    // {
      inherit
        lib
        config
        overlays
        glibc
        stdenv
        ;
      path = ./.;
      system = host.system;
      stdenvNoCC = stdenv;
      pkgs = final;
      callPackage = lib.callPackageWith final;
      callPackages = lib.callPackageWith final;
      newScope = extra: lib.callPackageWith (final // extra);
      extend = overlay: extended (overlays ++ [ overlay ]);
      appendOverlays = more: extended (overlays ++ more);
      buildPackages = if cross then set { inherit build; host = build; } else final;
      pkgsBuildBuild = final.buildPackages;
      pkgsBuildHost = final.buildPackages;
      pkgsCross.s390x = set {
        inherit build;
        host = lib.systems.elaborate "s390x";
      };

      busybox = lib.makeOverridable (
        {
          enableStatic ? false,
          useMusl ? false,
          enableAppletSymlinks ? true,
          extraConfig ? "",
        }:
        debian.package {
          from = [ "busybox-static" ];
          pname = if enableStatic then "busybox" else "busybox-that-was-not-asked-to-be-static";
          script = ''
            programs
            ${lib.optionalString (!enableStatic) "rm $out/bin/busybox"}
          '';
        }
      ) { };
      kexec-tools = program "kexec-tools";
      util-linux = program "util-linux";
      util-linuxMinimal = program "util-linux";
      dropbear = program "dropbear-bin";
      e2fsprogs = program "e2fsprogs";
      dosfstools = program "dosfstools";
      xfsprogs = program "xfsprogs";
      btrfs-progs = program "btrfs-progs";

      linux = final.callPackage ./linux.nix { inherit debian; };
      linuxPackages.kernel = final.linux;
      linuxPackages_latest.kernel = final.linux;
      linuxPackagesFor = kernel: { inherit kernel; };

      runtimeShellPackage = shell;
      runtimeShell = "${final.runtimeShellPackage}/bin/bash";
      bash = final.runtimeShellPackage;
      zstd = hostProgram builders "zstd" [ "zstd" ];
      xz = hostProgram builders "xz" [ "xz" ];
      gzip = hostProgram builders "gzip" [ "gzip" ];
      shellcheck = hostProgram builders "shellcheck" [ "shellcheck" ];
      openssh = hostProgram builders "openssh" [ "ssh" "ssh-keygen" ];
      coreutils = hostProgram builders "coreutils" [ "cat" ];
      closureInfo = { rootPaths }: throw "tests/nix/stub: closureInfo has no stand-in";
      mkShell = attrs: builders.notBuilt (attrs.name or "nix-shell");
      mkShellNoCC = final.mkShell;
      testers.runNixOSTest = import ./test-driver.nix {
        inherit lib;
        inherit (builders) mkDerivation;
        inherit (final) python3Packages;
      };
    }
    // lib.genAttrs [
      "cpio"
      "gnumake"
      "kmod"
      # It was renamed.
      (if lib.versionOlder lib.trivial.release "25.11" then "nixfmt-rfc-style" else "nixfmt")
      "qemu"
      "qemu_test"
      "ruff"
      "mypy"
      "socat"
    ] (name: lib.makeOverridable (_: builders.notBuilt name) { });

  extended = overlays: other' { inherit build host overlays; };
  other' =
    arguments: (import ./packages.nix) ({ inherit lib config other; } // arguments);
  set = arguments: other' ({ inherit overlays; } // arguments);

  # In a cross build every package also carries the one for the machine that builds, for nativeBuildInputs.
  spliced =
    final:
    let
      made = base final;
    in
    if !cross then
      made
    else
      lib.mapAttrs (
        name: package:
        if lib.isDerivation package then
          package // { __spliced.buildHost = final.buildPackages.${name}; }
        else
          package
      ) made;
in
lib.fix (lib.extends (lib.composeManyExtensions overlays) spliced)
