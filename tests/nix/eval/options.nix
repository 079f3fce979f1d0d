# docs/nixos-options.md, as text: what the options of boot.chainboot say of themselves.
{ nixpkgs }:
let
  lib = import (nixpkgs + "/lib");

  evaluated = lib.evalModules {
    modules = [
      (import ../../../modules)
      {
        _module.check = false;
        # Defaults that need packages say so in words, so no package is looked at.
        _module.args.pkgs = throw "an option of boot.chainboot needs a defaultText";
      }
    ];
  };

  shown = option: option.visible && !option.internal;

  options = lib.sort (a: b: a.name < b.name) (
    lib.filter shown (lib.optionAttrSetToDocList { inherit (evaluated.options) boot; })
  );

  # Plain options carry text, others say how it is to be shown.
  value =
    given:
    if given._type or "" == "literalMD" then
      " ${given.text}"
    else if lib.hasInfix "\n" given.text then
      "\n\n```nix\n${lib.removeSuffix "\n" given.text}\n```"
    else
      " `${given.text}`";

  # Names of options and files are marked for the NixOS manual; this page has no links to them.
  plain = lib.replaceStrings [ "{option}`" "{file}`" ] [ "`" "`" ];

  field = name: text: "${name}:${text}";

  section =
    option:
    lib.concatStringsSep "\n\n" (
      [
        "## ${option.name}"
        (plain (lib.removeSuffix "\n" option.description))
        (plain (field "Type" " ${option.type}"))
      ]
      ++ lib.optional (option ? default) (plain (field "Default" (value option.default)))
      ++ lib.optional (option ? example) (plain (field "Example" (value option.example)))
    );

  header = ''
    # Options of the NixOS module

    Made from the module by `UPDATE=1 tests/nix/rich.sh options`; do not edit. [nixos.md](nixos.md) says how to use them.
  '';
in
lib.concatStringsSep "\n" ([ header ] ++ map (option: "${section option}\n") options)
