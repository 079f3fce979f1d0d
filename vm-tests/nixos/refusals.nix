# What the module refuses, and in which words. Nothing is booted: the cases are those of tests/nix/eval, compared when
# this is built.
{
  path,
  runCommand,
}:

let
  cases = import ../../tests/nix/eval/refusals.nix { nixpkgs = path; };

  side = which: builtins.toJSON (map (case: { ${case.name} = case.${which}; }) cases);
in
runCommand "chainboot-nixos-refusals"
  {
    expected = side "expected";
    got = side "got";
    passAsFile = [
      "expected"
      "got"
    ];
  }
  ''
    for side in expected got; do
      file=''${side}Path
      # One case in each line, so that a difference can be read.
      sed 's/},{/},\n{/g' "''${!file}" >$side
    done
    diff -u expected got
    cp got $out
  ''
