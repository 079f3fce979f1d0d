# The command `chainboot` and the library behind it. A callPackage function.
{
  lib,
  python3Packages,
}:

python3Packages.buildPythonApplication {
  pname = "chainboot";
  version = (lib.importTOML ./pyproject.toml).project.version;
  pyproject = true;

  # What the package is made of, so that an edit beside it builds nothing anew.
  src = builtins.path {
    path = ./.;
    name = "chainboot-source";
    filter =
      path: _:
      let
        inside = lib.removePrefix "${toString ./.}/" (toString path);
      in
      inside == "pyproject.toml"
      || (lib.hasPrefix "chainboot" inside && baseNameOf path != "__pycache__");
  };

  build-system = [ python3Packages.setuptools ];

  dependencies = [
    python3Packages.lark
    python3Packages.pyelftools
  ];

  # The tests need Debian packages and QEMU: `make check` runs them, and the flake's checks the scenarios.
  doCheck = false;
  pythonImportsCheck = [ "chainboot.cli" ];

  meta = {
    description = "Boot menu that can always be reached: extlinux entries over SSH and serial, booted by kexec";
    license = lib.licenses.mit;
    mainProgram = "chainboot";
    platforms = lib.platforms.linux;
  };
}
