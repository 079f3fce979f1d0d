# What `import nixpkgs { ... }` takes: the machine that builds, the one that is built for, and overlays.
{
  system ? null,
  localSystem ? system,
  crossSystem ? null,
  config ? { },
  overlays ? [ ],
}:
let
  lib = import ./lib.nix;
  platform =
    given:
    let
      name = if builtins.isString given then given else given.system or given.config;
    in
    lib.systems.elaborate (lib.head (lib.splitString "-" name));
  build = platform localSystem;
  host = if crossSystem == null then build else platform crossSystem;
  set =
    { build, host }:
    import ./packages.nix {
      inherit
        lib
        build
        host
        config
        overlays
        ;
      other = set;
    };
in
set { inherit build host; }
