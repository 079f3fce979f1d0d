#!/bin/sh
# What can only be held against a real nixpkgs tree: evaluation of the flake, of the module and of the checks, and
# NixOS's own writer of extlinux.conf. Builds nothing and downloads nothing; writes to the Nix store and build/nix-rich.
#
#   CHAINBOOT_NIXPKGS=DIR tests/nix/rich.sh [STEP ...]
#
# DIR is a nixpkgs tree, 24.05 or newer. Without STEP all of them run, in this order:
#   options systems effects refusals builder flake packages checks driver
set -eu

cd -- "$(dirname -- "$0")/../.."
if [ -z "${CHAINBOOT_NIXPKGS:-}" ]; then
	echo "tests/nix/rich.sh: CHAINBOOT_NIXPKGS is not set: give it a nixpkgs tree" >&2
	exit 2
fi
tree=$(cd -- "$CHAINBOOT_NIXPKGS" && pwd -P)
here=$PWD
build=$here/build/nix-rich
python=$here/.venv/bin/python
mkdir -p "$build"

export NIX_CONFIG="experimental-features = nix-command flakes
substituters =
build-users-group =
warn-dirty = false"

failed=
begun=0

say() { printf '%s\n' "$*"; }

step() { # step NAME COMMAND ...: runs it, and says how long it took
	name=$1
	shift
	begun=$(date +%s)
	# Not as a condition of `if`, which would let its commands fail unseen.
	set +e
	(
		set -e
		"$@"
	) >"$build/$name.out" 2>"$build/$name.err"
	code=$?
	set -e
	if [ "$code" -eq 0 ]; then
		say "ok      $name: $(tail -n 1 "$build/$name.out") ($(($(date +%s) - begun)) s)"
	else
		say "FAILED  $name ($(($(date +%s) - begun)) s)"
		tail -n 40 "$build/$name.err" "$build/$name.out"
		failed="$failed $name"
	fi
}

# Trees of which the two largest files were left out: every system names shellcheck, which comes from one of them.
fill_in() {
	rm -rf "$build/source"
	cp -al -- "$tree" "$build/source" 2>/dev/null || cp -a -- "$tree" "$build/source"
	rm -rf "$build/source/.git"
	all=$build/source/pkgs/top-level/all-packages.nix
	# sed -i makes a new file, so the tree itself stays as it is.
	sed -i -e 's|^  shellcheck-minimal = .*|  shellcheck-minimal = runCommand "shellcheck-absent" { meta.mainProgram = "shellcheck"; passthru.compiler = bash; } "false";|' \
		-e '/^  shellcheck = callPackage/,/^  };/c\  shellcheck = shellcheck-minimal;' "$all"
	[ "$(grep -c 'shellcheck-absent\|shellcheck = shellcheck-minimal' "$all")" = 2 ]
}

release() { # release TREE
	cat "$1/.version" 2>/dev/null || cat "$1/lib/.version"
}

nixpkgs() { # the tree in the store, once: every command would hash 40,000 files again
	# A tree that was updated is another one, at the same path.
	of="$tree, release $(release "$tree"), $(git -C "$tree" rev-parse HEAD 2>/dev/null || echo no git),\
 $(stat -c '%s bytes of %Y' "$tree/pkgs/top-level/all-packages.nix"), shellcheck left out where it must be"
	if [ "$(cat "$build/nixpkgs.of" 2>/dev/null)" = "$of" ] && nix path-info "$(cat "$build/nixpkgs")" >/dev/null 2>&1; then
		say "$(cat "$build/nixpkgs"), as before"
		return
	fi
	from=$tree
	if [ ! -e "$tree/pkgs/development/haskell-modules/hackage-packages.nix" ]; then
		fill_in
		from=$build/source
	fi
	nix store add-path --name source "$from" >"$build/nixpkgs"
	rm -rf "$build/source"
	printf '%s\n' "$of" >"$build/nixpkgs.of"
	cat "$build/nixpkgs"
}

evaluate() { # evaluate FILE [ARGUMENT ...]: a file of tests/nix/eval, as JSON
	file=$1
	shift
	nix-instantiate --eval --strict --json --read-write-mode "tests/nix/eval/$file.nix" --arg nixpkgs "$np" "$@"
}

options() { # docs/nixos-options.md is what the options say
	nix-instantiate --eval --strict --json tests/nix/eval/options.nix --arg nixpkgs "$np" >"$build/options.json"
	"$python" -c 'import json, sys; sys.stdout.write(json.load(open(sys.argv[1])))' "$build/options.json" >"$build/nixos-options.md"
	if [ -n "${UPDATE:-}" ]; then cp "$build/nixos-options.md" docs/nixos-options.md; fi
	diff -u docs/nixos-options.md "$build/nixos-options.md" >&2 || {
		say "write it anew: UPDATE=1 tests/nix/rich.sh options" >&2
		return 1
	}
	say "$(grep -c '^## ' docs/nixos-options.md) options, as in docs/nixos-options.md"
}

shown() { # shown FILE PART ARGUMENTS: the first Nix code of a part of a document, word for word, as a function
	printf '%s:\n' "$3"
	awk -v wanted="## $2" '/^## / { part = $0 } /^```/ && inside { exit }
		part == wanted && $0 == "```nix" { inside = 1; next } inside { print; found = 1 } END { exit !found }' "$1"
}

systems() {
	shown README.md NixOS chainboot >"$build/readme.nix"
	evaluate systems --arg readme "$build/readme.nix" >"$build/systems.json"
	"$python" -m json.tool "$build/systems.json"
	say "$("$python" -c 'import json, sys; print(", ".join(json.load(open(sys.argv[1]))))' "$build/systems.json") have a drvPath"
}

cases() { # cases FILE [ARGUMENT ...]: a list of name, expected and got
	file=$1
	evaluate "$@" >"$build/$file.json"
	"$python" - "$build/$file.json" <<'PYTHON'
import json, sys

cases = json.load(open(sys.argv[1]))
wrong = [case for case in cases if case["expected"] != case["got"]]
for case in wrong:
    print(f"{case['name']}:\n  expected {case['expected']!r}\n  got      {case['got']!r}", file=sys.stderr)
for case in cases:
    print(case["name"])
print(f"{len(cases) - len(wrong)} of {len(cases)} as expected")
sys.exit(bool(wrong))
PYTHON
}

effects() {
	shown docs/nixos.md "Without the module" "{ chainboot, nixpkgs }" >"$build/document.nix"
	cases effects --arg document "$build/document.nix"
}

builder() { # NixOS's own writer of extlinux.conf
	CHAINBOOT_NIXPKGS=$tree "$here/.venv/bin/pytest" -q -p no:cacheprovider tests/nix/test_extlinux_builder.py -rs
}

checkout() { # the files that git knows or would add: a flake sees no others
	rm -rf "$build/checkout"
	mkdir -p "$build/checkout"
	git ls-files -co --exclude-standard | while IFS= read -r file; do
		if [ -f "$file" ]; then printf '%s\n' "$file"; fi
	done | tar -cf - --no-recursion -T - | tar -xf - -C "$build/checkout"
}

flake() {
	nix flake check --no-build "path:$build/checkout" --override-input nixpkgs "path:$np" --no-write-lock-file
	say "nix flake check --no-build passes"
}

drv_paths() { # drv_paths OUTPUT: the drvPath of everything in it
	nix eval --json "path:$build/checkout#$1" --override-input nixpkgs "path:$np" --no-write-lock-file \
		--apply 'builtins.mapAttrs (_: builtins.mapAttrs (_: made: made.drvPath))' >"$build/$1.json"
	"$python" -c 'import json, sys
for system, made in json.load(open(sys.argv[1])).items():
    print(f"{system}: {len(made)}", end="; ")
print("all have a drvPath")' "$build/$1.json"
}

driver() { # nixpkgs' own test driver over our images
	CHAINBOOT_NIXPKGS=$tree vm-tests/nixos-driver-check
}

step nixpkgs nixpkgs
[ -z "$failed" ] || exit 1
np=$(cat "$build/nixpkgs")
say "nixpkgs tree: $tree, release $(release "$np"); $(nix --version)"

[ $# -gt 0 ] || set -- options systems effects refusals builder flake packages checks driver
checkout
for wanted; do
	case $wanted in
	options | systems | effects | builder | flake | driver) step "$wanted" "$wanted" ;;
	refusals) step "$wanted" cases "$wanted" ;;
	packages | checks) step "$wanted" drv_paths "$wanted" ;;
	*)
		say "tests/nix/rich.sh: there is no step $wanted" >&2
		exit 2
		;;
	esac
done
[ -z "$failed" ] || {
	say "failed:$failed"
	exit 1
}
