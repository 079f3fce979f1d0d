# shellcheck shell=sh
# Runs NixOS's own boot loader installer, then `chainboot check`, then installs the first stage where asked for.
#
# $1 is the system that becomes the default. Given: boot_loader (a function), CHAINBOOT, PROGRAMS (a PATH), VOLUMES
# (directories, one in a line), ON_PROBLEM (warn, fail or ignore), LOADER (zipl or empty), FIRST_STAGE (a program that
# writes it into a directory), DIRECTORY (where it is to be written for another loader, or empty), GC_ROOTS, SCRATCH (a
# directory in memory). Exit code: the boot loader's; 1 where check or install failed it.
set -u

say() { printf 'chainboot: %s\n' "$*" >&2; }

boot_loader "$@" || exit $?

PATH=$PROGRAMS
export PATH

# What a pipe that is gone does not read must not end this half way.
trap '' PIPE

check() { # check DIRECTORY: whether the boot volume has no error; what is found is printed
	# Exit code 1 may be a warning or a check that broke: only its own last line says that it came to the end.
	report=$("$CHAINBOOT" check "$1" 2>&1)
	code=$?
	[ -z "$report" ] || printf '%s\n' "$report" >&2 || :
	last=${report##*"
"}
	case $code:$last in
	"0:chainboot: 0 errors, 0 warnings"*) return 0 ;;
	"1:chainboot: 0 errors, "*)
		say "the boot configuration of $1 has the warnings above; it can be booted"
		return 0
		;;
	"2:chainboot: "[1-9]*" error"*)
		say "the boot configuration of $1 has the errors above: an entry of it may not boot. The running system is not touched."
		say "Mend what they name and run 'nixos-rebuild boot' again; 'chainboot check $1' looks again without a rebuild."
		;;
	*)
		say "the boot configuration of $1 could not be checked: 'chainboot check $1' ended with exit code $code."
		say "The running system is not touched. Look why before you restart it."
		;;
	esac
	return 1
}

install_zipl() { # install_zipl SYSTEM DIRECTORY: the first stage, and the system that LOADPARM 3 starts, which stays
	# The entry `skip` starts this system by its kernel and initrd, which the installer keeps; the rest of it is in the
	# Nix store, and would be collected one day. Before the install, since a failed one may lead to either system.
	root=$GC_ROOTS/chainboot-skip-${1##*/}
	ln -sfn -- "$1" "$root" || return 1
	# In memory, for an initrd may hold a private key.
	files=$(mktemp -d "$SCRATCH/chainboot-first-stage.XXXXXX") || return 1
	trap 'rm -rf -- "$files"' EXIT
	trap 'exit 1' HUP INT TERM
	"$FIRST_STAGE" "$files" &&
		"$CHAINBOOT" install --loader zipl --target "$2" --kernel "$files/kernel" --initrd "$files/initrd" \
			--parameters "$(cat -- "$files/cmdline")" >&2
	code=$?
	rm -rf -- "$files"
	trap - EXIT HUP INT TERM
	[ "$code" -eq 0 ] || return 1
	for other in "$GC_ROOTS"/chainboot-skip-*; do
		[ "$other" = "$root" ] || rm -f -- "$other"
	done
}

problem=0
first=
while IFS= read -r volume; do
	[ -n "$volume" ] || continue
	first=${first:-$volume}
	[ "$ON_PROBLEM" = ignore ] || check "$volume" </dev/null || problem=1
done <<VOLUMES
$VOLUMES
VOLUMES

if [ "$problem" = 1 ] && [ "$ON_PROBLEM" = fail ]; then
	say "boot.chainboot.check.onProblem is \"fail\", so this is an error; \"warn\" goes on."
	say "The new configuration is written already and is the default of the next boot. The first stage is as it was."
	exit 1
fi

failed=0
if [ -n "$DIRECTORY" ]; then
	# It may hold a host key. One that is there already keeps its mode: it is the owner's business. Those above it get
	# the usual one.
	# shellcheck disable=SC2174
	if ! mkdir -m 0700 -p -- "$DIRECTORY" || ! "$FIRST_STAGE" "$DIRECTORY" >&2; then
		say "the first stage in $DIRECTORY (boot.chainboot.firstStage.directory) was not renewed: a key or a setting that"
		say "was taken away is still in it. Mend what the lines above name and run 'nixos-rebuild boot' again."
		failed=1
	fi
fi

if [ "$LOADER" = zipl ]; then
	system=$(readlink -f -- "$1")
	if ! install_zipl "$system" "$first"; then
		say "the first stage was not installed to its end: the machine starts the one of before or the new one, and both"
		say "are whole. Mend what the lines above name and run 'nixos-rebuild boot' again."
		failed=1
	fi
fi
exit "$failed"
