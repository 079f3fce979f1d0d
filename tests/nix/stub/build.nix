# mkDerivation and the small builders beside it, on the machine `build`. `shell` is what a script's first line gets.
{
  lib,
  build,
  shell,
}:
let
  # In a cross build, a tool that runs while building is the one for the machine that builds.
  native = package: package.__spliced.buildHost or package;

  mkDerivation =
    given:
    let
      attrs = if lib.isFunction given then lib.fix given else given;
      outputs = attrs.outputs or [ "out" ];
      drv = derivation (
        removeAttrs attrs [
          "passthru"
          "meta"
          "env"
        ]
        // attrs.env or { }
        // {
          name = attrs.name or "${attrs.pname}-${attrs.version}";
          system = build.system;
          builder = "/bin/bash";
          args = [
            "-e"
            ./builder.sh
          ];
          inherit outputs;
          nativeBuildInputs = map native (attrs.nativeBuildInputs or [ ]);
        }
        // lib.optionalAttrs (shell != null) { scriptShell = shell; }
      );
      dressed =
        one:
        attrs.passthru or { }
        // one
        // lib.filterAttrs (name: _: name == "version" || name == "pname") attrs
        // {
          inherit (drv) name;
          meta = attrs.meta or { };
          passthru = attrs.passthru or { };
        };
    in
    dressed drv
    // lib.genAttrs outputs (name: dressed drv.${name} // { outputSpecified = true; })
    // {
      overrideAttrs =
        change: mkDerivation (attrs // (if lib.isFunction change then change attrs else change));
    };

  runCommandWith =
    name: attrs: script:
    mkDerivation ({ inherit name; } // attrs // { buildCommand = script; });

  writeTextFile =
    {
      name,
      text,
      executable ? false,
      destination ? "",
      checkPhase ? "",
      meta ? { },
      ...
    }:
    mkDerivation {
      inherit name text meta;
      passAsFile = [ "text" ];
      buildCommand = ''
        target=$out${destination}
        mkdir -p "$(dirname "$target")"
        cp "$textPath" "$target"
        chmod ${if executable then "0755" else "0644"} "$target"
        ${checkPhase}
      '';
    };
in
{
  inherit mkDerivation writeTextFile;
  runCommand = runCommandWith;
  runCommandLocal = runCommandWith;
  runCommandNoCC = runCommandWith;
  writeText = name: text: writeTextFile { inherit name text; };
  writeScript =
    name: text:
    writeTextFile {
      inherit name text;
      executable = true;
    };
  writeShellScript =
    name: text:
    writeTextFile {
      inherit name;
      text = "#!${shell}/bin/bash\n${text}";
      executable = true;
    };
  writeShellScriptBin =
    name: text:
    writeTextFile {
      inherit name;
      text = "#!${shell}/bin/bash\n${text}";
      executable = true;
      destination = "/bin/${name}";
      meta.mainProgram = name;
    };
  linkFarm =
    name: entries:
    runCommandWith name { } (
      lib.concatMapStrings (
        entry:
        let
          target = lib.escapeShellArg "${placeholder "out"}/${entry.name}";
        in
        ''
          mkdir -p "$(dirname ${target})"
          ln -s ${lib.escapeShellArg "${entry.path}"} ${target}
        ''
      ) (if lib.isList entries then entries else lib.mapAttrsToList (name: path: { inherit name path; }) entries)
    );
  symlinkJoin =
    {
      name,
      paths,
      postBuild ? "",
      ...
    }:
    runCommandWith name { } ''
      mkdir -p $out
      for path in ${toString paths}; do cp -rs --no-preserve=mode "$path/." $out; done
      ${postBuild}
    '';
  # Evaluates, and is never built: what the tests do not need.
  notBuilt =
    name:
    mkDerivation {
      inherit name;
      meta.mainProgram = name;
      buildCommand = ''
        echo "$name has no stand-in: tests/nix/stub only has what a first stage is made of" >&2
        exit 1
      '';
    };
}
