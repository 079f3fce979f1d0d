# The functions of nixpkgs' lib that are used here, by the names and with the meaning they have there.
let
  inherit (builtins)
    attrNames
    concatMap
    concatStringsSep
    elem
    elemAt
    filter
    foldl'
    head
    isAttrs
    isFunction
    isList
    isString
    length
    listToAttrs
    map
    mapAttrs
    match
    removeAttrs
    replaceStrings
    stringLength
    substring
    tail
    ;

  id = x: x;
  nameValuePair = name: value: { inherit name value; };
  optional = wanted: value: if wanted then [ value ] else [ ];
  optionals = wanted: values: if wanted then values else [ ];
  optionalAttrs = wanted: set: if wanted then set else { };
  optionalString = wanted: text: if wanted then text else "";
  genAttrs = names: make: listToAttrs (map (name: nameValuePair name (make name)) names);
  mapAttrs' = make: set: listToAttrs (map (name: make name set.${name}) (attrNames set));
  mapAttrsToList = make: set: map (name: make name set.${name}) (attrNames set);
  filterAttrs =
    keep: set:
    listToAttrs (
      concatMap (name: optional (keep name set.${name}) (nameValuePair name set.${name})) (attrNames set)
    );
  last = list: elemAt list (length list - 1);
  flatten = value: if isList value then concatMap flatten value else [ value ];
  toList = value: if isList value then value else [ value ];
  unique = foldl' (found: value: if elem value found then found else found ++ [ value ]) [ ];

  concatStrings = concatStringsSep "";
  concatMapStringsSep =
    between: make: list:
    concatStringsSep between (map make list);
  concatMapStrings = concatMapStringsSep "";
  concatLines = concatMapStrings (line: line + "\n");
  hasPrefix = start: text: substring 0 (stringLength start) text == start;
  hasSuffix =
    end: text:
    stringLength text >= stringLength end
    && substring (stringLength text - stringLength end) (stringLength end) text == end;
  hasInfix = part: text: replaceStrings [ part ] [ "" ] text != text;
  removePrefix =
    start: text: if hasPrefix start text then substring (stringLength start) (-1) text else text;
  removeSuffix =
    end: text: if hasSuffix end text then substring 0 (stringLength text - stringLength end) text else text;
  splitString = between: text: filter isString (builtins.split (escapeRegex between) text);
  escapeRegex = replaceStrings (map (char: char) chars) (map (char: "\\${char}") chars);
  chars = [
    "\\"
    "["
    "{"
    "("
    ")"
    "^"
    "$"
    "?"
    "*"
    "+"
    "|"
    "."
  ];
  escapeShellArg =
    value:
    let
      text = toString value;
    in
    if match "[[:alnum:],._+:@%/-]+" text != null then text else "'${replaceStrings [ "'" ] [ "'\\''" ] text}'";
  escapeShellArgs = concatMapStringsSep " " escapeShellArg;
  versionOlder = older: newer: builtins.compareVersions newer older == 1;
  versionAtLeast = newer: older: !versionOlder newer older;

  fix =
    make:
    let
      result = make result;
    in
    result;
  extends =
    overlay: base: final:
    let
      previous = base final;
    in
    previous // overlay final previous;
  composeExtensions =
    first: second: final: previous:
    let
      changed = first final previous;
    in
    changed // second final (previous // changed);
  composeManyExtensions = foldl' composeExtensions (_: _: { });

  # `override` on what a function made: once for packages, again for what `override` makes.
  makeOverridable =
    make: given:
    let
      result = make given;
      override =
        changes: makeOverridable make (given // (if isFunction changes then changes given else changes));
    in
    if isAttrs result then
      result // { inherit override; }
    else
      result;
  callPackageWith =
    available: file: given:
    let
      make = if isFunction file then file else import file;
      wanted = builtins.functionArgs make;
      missing = filter (name: !wanted.${name} && !available ? ${name} && !given ? ${name}) (attrNames wanted);
    in
    if missing != [ ] then
      throw "tests/nix/stub: ${toString file} asks for ${toString missing}, which the stand-in does not offer"
    else
      makeOverridable make (builtins.intersectAttrs wanted available // given);
  functionArgs = make: if make ? __functionArgs then make.__functionArgs else builtins.functionArgs make;

  isDerivation = value: value.type or null == "derivation";
  getOutput =
    wanted: package:
    if !(package.outputSpecified or false) && package ? ${wanted} then package.${wanted} else package;
  getBin = getOutput "bin";
  getLib = getOutput "lib";
  getExe' = package: name: "${getBin package}/bin/${name}";
  getExe = package: getExe' package (package.meta.mainProgram or (throw "${package.name} has no mainProgram"));

  # What 26.11 has removed; nixpkgs never had it for s390x.
  described = target: optionalAttrs (versionOlder release "26.11") { linux-kernel = { inherit target; }; };
  cpus = {
    x86_64 = described "bzImage" // {
      linuxArch = "x86_64";
    };
    aarch64 = described "Image" // {
      linuxArch = "arm64";
    };
    s390x.linuxArch = "s390";
  };
  elaborate =
    cpu:
    cpus.${cpu}
    // {
      system = "${cpu}-linux";
      config = "${cpu}-unknown-linux-gnu";
      parsed.cpu.name = cpu;
      qemuArch = cpu;
      isLinux = true;
      isx86 = cpu == "x86_64";
      isx86_64 = cpu == "x86_64";
      isAarch64 = cpu == "aarch64";
      isS390x = cpu == "s390x";
      isS390 = cpu == "s390x";
    };

  # The file is the tests' means to ask for another one.
  release = if builtins.pathExists ./release then builtins.readFile ./release else "24.05";
in
{
  inherit (builtins)
    all
    any
    attrNames
    attrValues
    baseNameOf
    compareVersions
    concatLists
    concatMap
    concatStringsSep
    elem
    elemAt
    filter
    foldl'
    fromJSON
    genList
    hasAttr
    head
    isAttrs
    isBool
    isFunction
    isInt
    isList
    isPath
    isString
    length
    listToAttrs
    map
    mapAttrs
    match
    readFile
    removeAttrs
    replaceStrings
    seq
    sort
    splitVersion
    stringLength
    substring
    tail
    toJSON
    trace
    ;
  inherit
    callPackageWith
    composeExtensions
    composeManyExtensions
    concatLines
    concatMapStrings
    concatMapStringsSep
    concatStrings
    escapeShellArg
    escapeShellArgs
    extends
    filterAttrs
    fix
    flatten
    functionArgs
    genAttrs
    getBin
    getExe
    getExe'
    getLib
    getOutput
    hasInfix
    hasPrefix
    hasSuffix
    id
    isDerivation
    last
    makeOverridable
    mapAttrs'
    mapAttrsToList
    nameValuePair
    optional
    optionalAttrs
    optionalString
    optionals
    removePrefix
    removeSuffix
    splitString
    toList
    unique
    versionAtLeast
    versionOlder
    ;
  boolToString = value: if value then "true" else "false";
  importJSON = file: builtins.fromJSON (builtins.readFile file);
  importTOML = file: builtins.fromTOML (builtins.readFile file);
  cleanSource = source: source;
  makeBinPath = concatMapStringsSep ":" (package: "${getBin package}/bin");
  remove = unwanted: filter (value: value != unwanted);
  subtractLists = unwanted: filter (value: !elem value unwanted);
  warnIf = condition: message: if condition then builtins.trace "warning: ${message}" else id;
  throwIf = condition: message: if condition then throw message else id;
  assertMsg = holds: message: holds || throw message;

  # These stand for what they are called and are never looked into.
  licenses = genAttrs [ "mit" ] (name: { spdxId = "MIT"; });
  maintainers = { };
  platforms.linux = [
    "x86_64-linux"
    "aarch64-linux"
    "s390x-linux"
  ];
  kernel = {
    yes.tristate = "y";
    no.tristate = "n";
    module.tristate = "m";
    freeform = text: { freeform = text; };
  };
  mkForce = value: value;
  mkDefault = value: value;

  trivial = { inherit release; };
  systems = {
    inherit elaborate;
    examples.s390x.config = "s390x-unknown-linux-gnu";
  };
}
