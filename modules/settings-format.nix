# How settings are written: lines NAME=VALUE. Which settings there are is known to the program that reads them.
# A format as in pkgs.formats: `type`, and `generate NAME VALUE`, which is a file that the program has accepted.
{
  lib,
  buildPackages,
  runCommand,
  writeText,
}:
let
  inherit (lib) types;

  atom = types.oneOf [
    types.bool
    types.int
    # A line break in a value would begin another setting.
    types.singleLineStr
    (types.listOf types.singleLineStr)
  ];

  write =
    value:
    if lib.isBool value then
      (if value then "1" else "0")
    else if lib.isList value then
      lib.concatStringsSep "," value
    else
      toString value;

  # s390x.devices is one name with a dot, and in Nix an attribute within another.
  flat =
    name: value:
    if lib.isAttrs value then
      lib.mapAttrsToList (inner: inside: "${name}.${inner}=${write inside}") value
    else
      [ "${name}=${write value}" ];
in
{
  type = types.attrsOf (types.either atom (types.attrsOf atom)) // {
    description = "attribute set of values: boolean, integer, line of text, list of texts, or one more such set";
  };

  generate =
    name: value:
    let
      lines = lib.concatLists (lib.mapAttrsToList flat value);
      written = writeText "boot.chainboot.settings" (lib.concatMapStrings (line: "${line}\n") lines);
      checker = buildPackages.callPackage ../python/package.nix { };
    in
    runCommand name { } ''
      ${checker}/bin/chainboot check-settings ${written}
      cp ${written} $out
    '';
}
