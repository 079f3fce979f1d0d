# The checks of the flake that boot machines: every scenario of ./scenarios below the NixOS test driver, and what takes
# a NixOS. `lib` and `pkgs` are nixpkgs'.
#
# The list of scenarios is the directory. Nix does not read Python, so three things are told by a line of the file's text
# (tests/vm_harness/test_checks_nix.py holds that to what the files mean).
{ lib, pkgs }:

let
  names = map (lib.removeSuffix ".py") (
    builtins.filter (name: lib.hasSuffix ".py" name && !lib.hasPrefix "_" name) (
      builtins.attrNames (builtins.readDir ./scenarios)
    )
  );

  text = name: builtins.readFile (./scenarios + "/${name}.py");

  # Left out: these install a boot loader first, zipl on a Debian, and nixpkgs has no s390-tools. `make check` runs them.
  installs = name: lib.hasInfix "\nINSTALL = " (text name);
  onlyS390x = name: lib.hasInfix "\nARCHITECTURES = (\"s390x\",)\n" (text name);
  onlyX86 = name: lib.hasInfix "\nARCHITECTURES = (\"x86_64\",)\n" (text name);

  # So are those whose payload is made of Debian's packages of systemd; what they prove is the same in a NixOS.
  needsDebian = name: lib.hasInfix "systemd_initrd()" (text name);

  scenarios = builtins.filter (name: !installs name && !needsDebian name) names;

  harness = import ./harness.nix { inherit lib; };

  # The package that the test driver brings emulates the machine it runs on only.
  s390xQemu = pkgs.qemu.override { hostCpuTargets = [ "s390x-softmmu" ]; };

  machines = {
    x86_64 = {
      initrd = pkgs.callPackage ../python/initrd.nix { };
      qemu = [ ];
    };
    s390x = {
      initrd = pkgs.pkgsCross.s390x.callPackage ../python/initrd.nix { };
      qemu = [ s390xQemu ];
    };
  };

  # A test script in which the harness can be imported and finds its programs.
  prelude = programs: ''
    import os
    import sys
    import tempfile

    os.environ["PATH"] = "${lib.makeBinPath programs}:" + os.environ["PATH"]
    os.environ["CHAINBOOT_BUILD"] = tempfile.mkdtemp(prefix="chainboot-")
    sys.path[:0] = ["${harness}/vm-tests", "${harness}/python"]
  '';

  hostPrograms = [
    pkgs.e2fsprogs
    pkgs.openssh
    pkgs.xz
    pkgs.zstd
  ];

  # Machines are emulated where there is no KVM. Newer releases let a test say that it can do without.
  test =
    module:
    let
      made = pkgs.testers.runNixOSTest module;
    in
    if made ? overrideTestDerivation then
      made.overrideTestDerivation (before: {
        requiredSystemFeatures = lib.remove "kvm" before.requiredSystemFeatures;
      })
    else
      made;

  common = {
    # What is imported from the harness is checked by its own mypy, not by the driver's.
    skipTypeCheck = true;
    extraPythonPackages = python: [
      python.lark
      python.pyelftools
      python.pyte
    ];
    # Seconds. The longest scenario takes some minutes on an emulated IBM Z.
    globalTimeout = 1800;
  };

  scenarioTest =
    architecture: name:
    let
      inherit (machines.${architecture}) initrd qemu;
    in
    test (
      common
      // {
        name = "chainboot-${name}-${architecture}";
        nodes = { };
        testScript = ''
          ${prelude (hostPrograms ++ qemu)}
          from chainboot_vm.nixos_driver import run_scenarios

          run_scenarios(
              ["${name}"],
              "${architecture}",
              create_machine,
              subtest,
              sysroot="${initrd.sysroot}",
              store="${builtins.storeDir}",
              initrd="${initrd}/initrd",
          )
        '';
      }
    );

  named =
    prefix: architecture: wanted:
    builtins.listToAttrs (
      map (name: {
        name = "${prefix}${name}";
        value = scenarioTest architecture name;
      }) wanted
    );

  nixosTest = file: test (common // import file { inherit hostPrograms lib pkgs prelude; });
in
# Only x86_64 has a row in the harness's table of machines, and builds for s390x.
lib.optionalAttrs (pkgs.stdenv.hostPlatform.system == "x86_64-linux") (
  named "vm-" "x86_64" (builtins.filter (name: !onlyS390x name) scenarios)
  // named "vm-s390x-" "s390x" (builtins.filter (name: !onlyX86 name) scenarios)
  # A set of packages that has no NixOS can not evaluate one.
  // lib.optionalAttrs (pkgs ? nixos) {
    vm-nixos-rollback = nixosTest ./nixos/rollback.nix;
    vm-nixos-login-shell = nixosTest ./nixos/login-shell.nix;
    nixos-refusals = pkgs.callPackage ./nixos/refusals.nix { };
  }
)
