# The source of the harness and of the scenarios, laid out as in the repository.
{ lib }:

builtins.path {
  path = ../.;
  name = "chainboot-vm-tests";
  filter =
    path: _:
    let
      inside = lib.removePrefix "${toString ../.}/" (toString path);
    in
    (
      inside == "python"
      || builtins.any (wanted: inside == wanted || lib.hasPrefix "${wanted}/" inside) [
        "python/chainboot"
        "python/first-stage"
        "vm-tests"
      ]
    )
    && baseNameOf path != "__pycache__"
    && !lib.hasSuffix ".nix" inside;
}
