# Debian's kernel. Its modules are a separate output on x86_64, as in nixpkgs since 25.11, and in `out` on s390x, as before.
{
  lib,
  stdenv,
  debian,
  writeText,
  # What a real kernel would be configured with; this one is Debian's whatever is said here.
  structuredExtraConfig ? { },
  ignoreConfigErrors ? false,
  autoModules ? true,
  kernelPatches ? [ ],
  features ? { },
  # Since 26.11; before it is said by `stdenv.hostPlatform.linux-kernel`.
  target ? null,
}:
assert target != null -> lib.versionAtLeast lib.trivial.release "26.11";
assert stdenv.hostPlatform ? linux-kernel -> lib.versionOlder lib.trivial.release "26.11";
let
  image = lib.filter (lib.hasPrefix "linux-image-") (debian.named "linux-image-");
  deb = if image == [ ] then "linux-image-none" else lib.head image;
  release = lib.removePrefix "linux-image-" deb;
  split = stdenv.hostPlatform.isx86_64;
  package = debian.package {
    from = [ deb ];
    pname = "linux";
    outputs = [ "out" ] ++ lib.optional split "modules";
    script = ''
      cp boot/vmlinuz-${release} $out/bzImage
      cp boot/config-${release} $out/config-of-debian
      cp boot/System.map-${release} $out/System.map
      mkdir -p ${if split then "$modules" else "$out"}/lib
      cp -r lib/modules ${if split then "$modules" else "$out"}/lib
    '';
  };
in
package
// lib.optionalAttrs split { target = "bzImage"; }
// {
  modDirVersion = release;
  inherit features;
  # A derivation of its own, as nixpkgs has it; nothing may read it while evaluating.
  configfile = debian.package {
    from = [ deb ];
    pname = "linux-config";
    script = "rmdir $out; cp boot/config-${release} $out";
  };
}
