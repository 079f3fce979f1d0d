# shellcheck shell=bash disable=SC2154,SC2034
# What runs inside Nix's sandbox: a small part of what nixpkgs' stdenv does, with the host's programs.
set -o pipefail

# Nix 2.8 names a file that the sandbox does not show; it is here.
if [ -e .attrs.sh ]; then
	# shellcheck disable=SC1091
	. ./.attrs.sh
	for output in "${!outputs[@]}"; do declare -x "$output=${outputs[$output]}"; done
	nativeBuildInputs="${nativeBuildInputs[*]}"
fi

PATH=/usr/bin:/bin:/usr/sbin:/sbin
for input in $nativeBuildInputs; do PATH=$input/bin:$PATH; done
# As in nixpkgs: no locale, no home, and one moment for whoever asks for the time.
export PATH HOME=/homeless-shelter SOURCE_DATE_EPOCH=315532800 TZ=UTC LC_ALL=C
umask 022

runHook() { eval "${!1-:}"; }

substituteInPlace() {
	local file=$1
	shift
	while [ $# -gt 0 ]; do
		case $1 in
		--replace-fail | --replace | --replace-warn) ;;
		*) echo "substituteInPlace: $1 is not known to the stand-in" >&2 && return 1 ;;
		esac
		if [ "$1" = --replace-fail ] && ! grep -qF -- "$2" "$file"; then
			echo "substituteInPlace: $file does not hold $2" >&2
			return 1
		fi
		python3 - "$file" "$2" "$3" <<-'E'
			import pathlib, sys
			file = pathlib.Path(sys.argv[1])
			file.write_text(file.read_text().replace(sys.argv[2], sys.argv[3]))
		E
		shift 3
	done
}

# nixpkgs rewrites the first line of every installed script. So does this, so that nobody installs one that must not be.
patchShebangs() {
	local file first
	find "$1" -type f -perm -0100 | while IFS= read -r file; do
		IFS= read -r first <"$file" 2>/dev/null || continue
		case $first in
		'#!'*/nix/store/*) ;;
		'#!'*/sh | '#!'*/bash | '#!'*'env bash' | '#!'*'env sh')
			sed -i "1s,.*,#!$scriptShell/bin/${first##*[/ ]}," "$file"
			;;
		esac
	done
}

if [ -n "${buildCommand-}" ] || [ -n "${buildCommandPath-}" ]; then
	if [ -n "${buildCommandPath-}" ]; then buildCommand=$(cat "$buildCommandPath"); fi
	eval "$buildCommand"
	exit
fi

if [ -n "${src-}" ]; then
	cp -r --no-preserve=ownership "$src" source
	chmod -R u+w source
	cd source || exit
fi
for phase in patchPhase configurePhase buildPhase installPhase fixupPhase; do
	runHook "pre${phase%Phase}"
	case $phase in
	fixupPhase)
		for output in $outputs; do
			if [ -z "${dontPatchShebangs-}${dontFixup-}" ] && [ -d "${!output}" ]; then patchShebangs "${!output}"; fi
		done
		;;
	*) runHook "$phase" ;;
	esac
	runHook "post${phase%Phase}"
done
