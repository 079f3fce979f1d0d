# Stands in for `testers.runNixOSTest`: the test evaluates, its machines do not, and it is never built.
{
  lib,
  mkDerivation,
  python3Packages,
}:
test:
let
  make =
    attrs:
    mkDerivation (
      {
        name = "vm-test-run-${test.name}";
        requiredSystemFeatures = [
          "nixos-test"
          "kvm"
        ];
        # A script that asks for its machines cannot be had without them.
        testScript = if lib.isFunction test.testScript then "" else test.testScript;
        packages = map (package: package.name) ((test.extraPythonPackages or (_: [ ])) python3Packages);
        buildCommand = ''
          echo "$name has no stand-in: NixOS and its test driver are in nixpkgs" >&2
          exit 1
        '';
      }
      // attrs
    );
in
make { }
// {
  overrideTestDerivation = change: make (change (make { }));
}
