{
  description = "A boot menu that can always be reached: extlinux entries over SSH and serial, booted by kexec";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;

      systems = [
        "x86_64-linux"
        "aarch64-linux"
      ];

      forEach = f: lib.genAttrs systems (system: f nixpkgs.legacyPackages.${system});

      # What callPackage gives, without functions that are no packages.
      stages = pkgs: {
        initrd = pkgs.callPackage ./python/initrd.nix { };
        kernel = pkgs.callPackage ./python/kernel.nix { };
      };
    in
    {
      packages = forEach (
        pkgs:
        let
          chainboot = pkgs.callPackage ./python/package.nix { };
          native = stages pkgs;
          # s390x is no system that nixpkgs builds on, so its packages come from x86_64.
          cross = stages pkgs.pkgsCross.s390x;
        in
        {
          inherit chainboot;
          inherit (native) initrd kernel;
          default = chainboot;
        }
        // lib.optionalAttrs (pkgs.stdenv.hostPlatform.system == "x86_64-linux") {
          initrd-s390x = cross.initrd;
          kernel-s390x = cross.kernel;
        }
      );

      overlays.default = final: _: {
        chainboot = final.callPackage ./python/package.nix { };
        chainboot-initrd = final.callPackage ./python/initrd.nix { };
      };

      nixosModules = {
        default = import ./modules;
        chainboot = import ./modules;
      };

      # mkFirstStage pkgs { settings = { ... }; authorizedKeys = [ ... ]; ... } -> { kernel, initrd, cmdline, image }
      lib.mkFirstStage = pkgs: pkgs.callPackage ./python/first-stage.nix;

      checks = forEach (pkgs: import ./vm-tests/checks.nix { inherit lib pkgs; });

      apps = forEach (
        pkgs:
        let
          inherit (pkgs.stdenv.hostPlatform) system;
        in
        {
          default = {
            type = "app";
            program = "${self.packages.${system}.chainboot}/bin/chainboot";
          };
        }
        # The harness emulates no other machine that Nix builds on.
        // lib.optionalAttrs (system == "x86_64-linux") {
          demo = {
            type = "app";
            program = "${pkgs.callPackage ./vm-tests/demo.nix { }}";
          };
        }
      );

      devShells = forEach (pkgs: {
        default = pkgs.mkShell {
          packages = [
            (pkgs.python3.withPackages (
              ps: with ps; [
                hypothesis
                lark
                mypy
                pyelftools
                pyte
                pytest
                pytest-cov
              ]
            ))
            pkgs.e2fsprogs
            pkgs.gnumake
            pkgs.openssh
            pkgs.qemu
            pkgs.ruff
            pkgs.shellcheck
            pkgs.zstd
          ];
        };
      });

      # RFC 166 style. Nix before 2.24 names the directory; since then a formatter finds the files itself.
      formatter = forEach (pkgs: pkgs.nixfmt-tree or (pkgs.nixfmt-rfc-style or pkgs.nixfmt));
    };
}
