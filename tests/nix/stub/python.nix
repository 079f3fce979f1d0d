# The Python of Debian as nixpkgs lays it out, and the few packages that chainboot needs.
{
  lib,
  debian,
  libraries,
  glibc,
  mkDerivation,
  build,
  native,
}:
let
  given = if builtins.pathExists ./debs.json then lib.importJSON ./debs.json else { };
  # That of the Debian whose packages were given: python3.11-minimal says which.
  named = lib.filter (name: builtins.match "python3\\.[0-9]+-minimal" name != null) (debian.named "python3.");
  version =
    if named == [ ] then "3.11" else lib.removePrefix "python" (lib.removeSuffix "-minimal" (lib.head named));
  sitePackages = "lib/python${version}/site-packages";

  interpreter =
    { pname, without }:
    debian.package {
      inherit pname;
      from = [
        "python${version}-minimal"
        "libpython${version}-minimal"
        "libpython${version}-stdlib"
      ];
      libraries = [
        libraries
        glibc
      ];
      meta.mainProgram = "python3";
      passthru = {
        inherit sitePackages;
        pythonVersion = version;
        libPrefix = "python${version}";
        executable = "python${version}";
        interpreter = "python${version}";
      };
      script = ''
        programs
        ln -s python${version} $out/bin/python3
        mkdir $out/lib
        cp -r usr/lib/python${version} $out/lib
        rm -f $out/lib/python${version}/sitecustomize.py
        ${lib.concatMapStrings (name: "rm -f $out/lib/python${version}/lib-dynload/${name}.*\n") without}
        patch_elf $out
      '';
    };

  withPackages =
    python: choose:
    let
      chosen = choose packages;
      path = lib.concatMapStringsSep ":" (package: "${package}/${sitePackages}") chosen;
    in
    mkDerivation {
      name = "python3-${version}-env";
      buildCommand = ''
        mkdir -p $out/bin
        for name in python3 python${version}; do
          printf '#!/bin/sh\nPYTHONPATH=${path} exec ${python}/bin/python${version} "$@"\n' >$out/bin/$name
          chmod 0755 $out/bin/$name
        done
      '';
    };

  dressed =
    python:
    python
    // {
      withPackages = withPackages python;
      pkgs = packages;
      override = _: python;
    };

  python3 = dressed (interpreter {
    pname = "python3";
    without = [ ];
  });

  # What nixpkgs' smallest Python is built without, where Debian's has it as a file of its own.
  python3Minimal = dressed (interpreter {
    pname = "python3-minimal";
    without = [
      "_bz2"
      "_crypt"
      "_ctypes"
      "_curses"
      "_curses_panel"
      "_dbm"
      "_hashlib"
      "_lzma"
      "_sqlite3"
      "_ssl"
      "_uuid"
      "readline"
    ];
  });

  # Of the virtual environment that the tests run in. The directory is in the store before Nix starts.
  library =
    name:
    let
      found = given.python.${name};
      directory = derivation {
        inherit (found) name;
        inherit (build) system;
        builder = "/bin/sh";
        args = [
          "-c"
          "echo 'this directory should have been put into the store before'; exit 1"
        ];
        outputHashMode = "recursive";
        outputHashAlgo = "sha256";
        outputHash = found.sha256;
      };
    in
    mkDerivation {
      pname = "python${version}-${name}";
      version = found.version;
      passthru.pythonModule = python3;
      buildCommand = ''
        mkdir -p $out/${sitePackages}
        cp -r ${directory} $out/${sitePackages}/${found.package}
      '';
    };

  # The interpreter that installs runs here; the one that the program names runs there.
  buildPythonApplication =
    attrs:
    let
      dependencies = attrs.dependencies or [ ] ++ attrs.propagatedBuildInputs or [ ];
    in
    mkDerivation (
      removeAttrs attrs [
        "build-system"
        "dependencies"
        "propagatedBuildInputs"
        "nativeCheckInputs"
        "pyproject"
        "format"
        "pythonImportsCheck"
      ]
      // {
        nativeBuildInputs = attrs.nativeBuildInputs or [ ] ++ [ native.python3 ];
        buildPhase = attrs.buildPhase or ":";
        installPhase =
          attrs.installPhase or ''
            python3 ${./install.py} . $out/${sitePackages} $out/bin ${python3}/bin/python${version} \
              ${lib.concatMapStringsSep " " (package: "${package}/${sitePackages}") dependencies}
            ${lib.concatMapStrings (name: ''
              PYTHONPATH=$out/${sitePackages}:${
                lib.concatMapStringsSep ":" (package: "${package}/${sitePackages}") dependencies
              } python3 -c 'import ${name}'
            '') (attrs.pythonImportsCheck or [ ])}
            find $out -name __pycache__ -prune -exec rm -r {} +
          '';
        passthru = {
          pythonModule = python3;
        }
        // attrs.passthru or { };
      }
    );

  packages = {
    python = python3;
    lark = library "lark";
    pyelftools = library "pyelftools";
    inherit buildPythonApplication;
    buildPythonPackage = buildPythonApplication;
    toPythonModule = package: package;
    toPythonApplication = package: package;
    callPackage = lib.callPackageWith packages;
  }
  // lib.genAttrs [ "setuptools" "pytest" "pytest-cov" "pytestCheckHook" "hypothesis" "mypy" "pyte" ] native.notBuilt;
in
{
  inherit python3 python3Minimal;
  python311 = python3;
  python3Packages = packages;
  python311Packages = packages;
}
