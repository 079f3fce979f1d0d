# shellcheck shell=sh
# Writes the first stage of this system into a directory: kernel, config-RELEASE, initrd and cmdline.
#
# Given: CHAINBOOT, KERNEL, CONFIG and RELEASE (may be empty), INITRD, CMDLINE, HOST_KEY (may be empty). The files are
# those of one first stage, the new or the old one, but for the moment of four renames. Exit codes: 0 done, 1 failed,
# 2 wrong usage.
set -eu
export PATH
umask 077

if [ $# -ne 1 ] || [ ! -d "$1" ]; then
	echo "usage: chainboot-first-stage DIRECTORY (there are written: kernel, initrd, cmdline)" >&2
	exit 2
fi
directory=$1

if [ -n "$HOST_KEY" ] && [ ! -r "$HOST_KEY" ]; then
	echo "chainboot-first-stage: $HOST_KEY (boot.chainboot.ssh.hostKeys) cannot be read" >&2
	echo "hint: make it, as root: ssh-keygen -t ed25519 -N '' -f $HOST_KEY" >&2
	exit 1
fi

# A kernel and the initrd of another one would find no disk: all are complete, and on the disk, before any gets its
# name.
files='kernel initrd cmdline'
# What a power cut has left of an initrd with a key.
rm -f -- "$directory"/.chainboot-*
remove() { for file in $files; do rm -f -- "$directory/$file.new"; done; }
trap remove EXIT
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
sync -f "$directory"
for file in $files; do mv -f -- "$directory/$file.new" "$directory/$file"; done
sync -f "$directory"
