# shellcheck shell=sh
# Writes the first stage of this system into a directory: kernel, config-RELEASE, initrd and cmdline.
#
# Given: CHAINBOOT, KERNEL, CONFIG and RELEASE (may be empty), INITRD, CMDLINE, HOST_KEY (may be empty). The first stage
# of before is whole in DIRECTORY/previous from before the first rename on: whoever is stopped between two renames has
# that one to start. What has not changed is left alone. Exit codes: 0 done, 1 failed, 2 wrong usage.
set -eu
export PATH
umask 077

say() { printf 'chainboot-first-stage: %s\n' "$*"; }

if [ $# -ne 1 ] || [ ! -d "$1" ]; then
	echo "usage: chainboot-first-stage DIRECTORY (there are written: kernel, initrd, cmdline; of its own, for root)" >&2
	exit 2
fi
directory=$1
previous=$directory/previous
# Is there while files of two first stages are side by side: such a set must not become the previous one.
switching=$directory/.switching

if [ -n "$HOST_KEY" ] && [ ! -r "$HOST_KEY" ]; then
	say "$HOST_KEY (boot.chainboot.ssh.hostKeys) cannot be read" >&2
	echo "hint: make it, as root: ssh-keygen -t ed25519 -N '' -f $HOST_KEY" >&2
	exit 1
fi

files='kernel initrd cmdline'
begun=

unchanged() { # whether the directory holds these very files, all of them
	[ ! -e "$switching" ] || return 1
	for file in $files; do
		cmp -s -- "$directory/$file.new" "$directory/$file" || return 1
	done
}

whole() { # whether the directory holds a first stage
	[ ! -e "$switching" ] || return 1
	for file in kernel initrd cmdline; do
		[ -e "$directory/$file" ] || return 1
	done
}

copy_previous() { # the first stage that is there, as previous.new: by links where the file system has them
	mkdir -- "$previous.new"
	for path in "$directory/kernel" "$directory/initrd" "$directory/cmdline" "$directory"/config-*; do
		case $path in
		*.new) continue ;;
		esac
		[ -e "$path" ] || continue
		ln -- "$path" "$previous.new/" 2>/dev/null || cp -- "$path" "$previous.new/"
	done
}

remove() {
	for file in $files; do rm -f -- "$directory/$file.new"; done
	rm -rf -- "$previous.new"
}

end() {
	if [ -z "$begun" ]; then
		remove
	else
		say "stopped between the files: $directory has some of the new first stage and some of the old one." >&2
		[ ! -d "$previous" ] || say "$previous has a first stage that is whole: start that one." >&2
		say "Run it again, which writes all of them." >&2
	fi
}

# What a power cut has left: of an initrd with a key, and of a kernel that nobody has any more.
rm -f -- "$directory"/.chainboot-* "$directory"/config-*.new
rm -rf -- "$previous.new"
trap end EXIT
trap 'exit 1' HUP INT TERM
cp -- "$KERNEL" "$directory/kernel.new"
if [ -n "$CONFIG" ] && [ -n "$RELEASE" ]; then
	# Says whether the kernel has kexec: `chainboot install` looks for it beside the kernel.
	files="$files config-$RELEASE"
	cp -- "$CONFIG" "$directory/config-$RELEASE.new"
fi
if [ -n "$HOST_KEY" ]; then
	"$CHAINBOOT" append-secrets --initrd "$INITRD" --output "$directory/initrd.new" --host-key "$HOST_KEY"
else
	cp -- "$INITRD" "$directory/initrd.new"
fi
printf '%s\n' "$CMDLINE" >"$directory/cmdline.new"
for file in $files; do chmod 0600 "$directory/$file.new"; done

if unchanged; then
	say "$directory has this first stage already; nothing was changed"
	exit 0
fi

if whole; then copy_previous; fi
sync -f -- "$directory"

# From here on it goes to its end, whoever hangs up.
trap '' HUP INT TERM
if [ -d "$previous.new" ]; then
	rm -rf -- "$previous"
	mv -f -- "$previous.new" "$previous"
fi
: >"$switching"
sync -f -- "$directory"
begun=1
for file in $files; do mv -f -- "$directory/$file.new" "$directory/$file"; done
for path in "$directory"/config-*; do
	[ "$path" = "$directory/config-$RELEASE" ] || rm -f -- "$path"
done
sync -f -- "$directory"
rm -f -- "$switching"
sync -f -- "$directory"
trap - EXIT
