# Packages made of Debian's .deb files for the machine `host`: unpacked, with store paths written into programs and libraries.
#
# The files are in the store before Nix starts (debs.json says which); nothing is downloaded here.
{
  lib,
  build,
  host,
  mkDerivation,
}:
let
  given = if builtins.pathExists ./debs.json then lib.importJSON ./debs.json else { };
  cpu = host.parsed.cpu.name;
  debs = given.${cpu} or { };

  # A file with a known hash whose store path exists already, so that this is never built.
  file =
    deb:
    derivation {
      inherit (deb) name;
      inherit (build) system;
      builder = "/bin/sh";
      args = [
        "-c"
        "echo 'this file should have been put into the store before'; exit 1"
      ];
      outputHashMode = "flat";
      outputHashAlgo = "sha256";
      outputHash = deb.sha256;
    };

  package =
    {
      # The names of the packages that are unpacked into it.
      from,
      pname ? lib.head from,
      # Where libraries are looked for, beside its own.
      libraries ? [ ],
      # What is done after unpacking, in the directory of the files.
      script,
      outputs ? [ "out" ],
      meta ? { },
      passthru ? { },
    }:
    let
      missing = if debs == { } then [ "all of them" ] else lib.filter (name: !debs ? ${name}) from;
    in
    mkDerivation {
      inherit
        pname
        outputs
        meta
        passthru
        ;
      version = if missing == [ ] then debs.${lib.head from}.version else "0";
      debs = if missing == [ ] then map (name: file debs.${name}) from else [ ];
      searched = map (library: "${library}/lib") libraries;
      interpreter = "${if libraries == [ ] then "" else lib.last libraries}/lib/${loader}";
      buildCommand =
        if missing != [ ] then
          ''
            echo "the Debian packages for ${cpu} that $name is made of were not given: ${toString missing}" >&2
            exit 1
          ''
        else
          ". ${./unpack.sh}\n${script}";
    };

  loader =
    {
      x86_64 = "ld-linux-x86-64.so.2";
      s390x = "ld64.so.1";
    }
    .${cpu} or "ld-linux";

  named = start: lib.filter (lib.hasPrefix start) (lib.attrNames debs);
in
{
  inherit package named;

  # As nixpkgs has it: these files name no directories, so the loader's own default is what finds them. libc.so.6 is
  # a program, too, and names the loader beside it.
  glibc = package {
    from = [ "libc6" ];
    pname = "glibc";
    script = "libraries; patchelf --set-interpreter $out/lib/${loader} $out/lib/libc.so.6";
  };

  # One package of all libraries, where nixpkgs has one of each.
  libraries =
    glibc:
    package {
      from = lib.filter (name: name != "libc6" && !lib.hasPrefix "libpython" name) (named "lib" ++ named "zlib1g");
      pname = "debian-libraries";
      libraries = [ glibc ];
      script = "libraries; patch_elf $out";
    };
}
