# shellcheck shell=sh
# What /init and its services share: where things are, the settings, the kernel's log. Sourced, POSIX sh (busybox).

PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH

RUN=/run/chainboot
# shellcheck disable=SC2034  # for those who source this
NET=$RUN/network
SSH=$RUN/ssh

# Seconds between something that died and the next try.
# shellcheck disable=SC2034
PAUSE=1

# Seconds after which nobody believes any more that the machine is about to leave.
LEAVING_LIMIT=120

say() { echo "chainboot: $*"; }

# A line of the kernel's log, at level notice: what `dmesg` keeps, and pstore across a crash. No console shows it, nor
# does a hosting panel, for /init keeps messages off the consoles: there the menu's banner says what matters.
log() { echo "<5>chainboot: $*" >>/dev/kmsg; }

# Every value that a setting was given, one to a line, the one that counts last: lines NAME=VALUE of the image's file,
# then words chainboot.NAME=VALUE of the kernel command line. The same rules as in chainboot/settings.py. No process
# but its own, for /init asks while a person waits.
# shellcheck disable=SC2013  # words are wanted
given() (
	set -f
	[ ! -r /etc/chainboot.conf ] || while read -r line || [ -n "$line" ]; do
		name=${line%%=*}
		name=${name%"${name##*[![:space:]]}"}
		value=${line#*=}
		[ "$name" = "$1" ] && [ "$value" != "$line" ] && printf '%s\n' "${value#"${value%%[![:space:]]*}"}"
	done </etc/chainboot.conf
	for word in $(cat /proc/cmdline); do
		case $word in "chainboot.$1="*) printf '%s\n' "${word#*=}" ;; esac
	done
)

# The value of a setting: setting NAME DEFAULT. Nothing is a value too: it takes back what stood before it.
setting() {
	# The end keeps empty lines, which $() would cut off.
	value=$(printf '%s\n' "$2"; given "$1"; echo end)
	value=${value%"
end"}
	# The last line.
	value=${value##*"
"}
	printf '%s\n' "$value"
}

# The value of a setting that is a whole number from 0 on, the last one that is: number NAME DEFAULT MOST
number() {
	number=$2
	for value in $(set -f; given "$1"); do
		case $value in
		*[!0-9]* | ?????????*) ;;
		# Without leading zeros, which would make it octal.
		*) [ "$value" -le "$3" ] && number=${value#"${value%%[!0]*}"} && number=${number:-0} ;;
		esac
	done
	echo "$number"
}

# The terminal, below /dev, of the console that the kernel command line calls $1; nothing where there is none.
#
# Most have one name. On s390x the line mode of the SCLP is the console ttyS0 and the terminal sclp_line0, and the VT220
# was the console ttyS1 before it was called ttysclp0 like its terminal (drivers/s390/char/{sclp_con,sclp_vt220}.c);
# /sys/class/tty/console/active has ttyS0 as well. So the device's number in /proc/consoles says which it is.
terminal() {
	case $1 in
	# tty0 is whichever screen is in front; tty1 is where a person finds it.
	tty0) set -- tty1 ;;
	# No console at all is wanted; the countdown runs there all the same.
	null | '') set -- ttynull ;;
	esac
	if [ -c "/dev/$1" ]; then
		echo "$1"
		return
	fi
	while read -r console facts; do
		# A name without a number means number 0.
		case $console in "$1" | "${1}0") ;; *) continue ;; esac
		name=$(sed -n 's/^DEVNAME=//p' "/sys/dev/char/${facts##* }/uevent" 2>/dev/null)
		[ -n "$name" ] && [ -c "/dev/$name" ] && echo "$name"
	done 2>/dev/null </proc/consoles
}

# Whether a terminal can be opened. A line without a carrier may keep whoever opens it waiting; it is there all the same.
opens() {
	# shellcheck disable=SC2016  # the other shell expands it
	timeout 1 sh -c ': <"/dev/$0"' "$1" 2>/dev/null
	case $? in 1 | 2) return 1 ;; esac
}

# The terminals of every console that the kernel command line names, and where none of those can be opened, those of the
# kernel's own choice: the countdown runs in a menu, so that there has to be one.
# shellcheck disable=SC2013  # words are wanted
consoles() (
	set -f
	named=
	for word in $(cat /proc/cmdline); do
		case $word in console=*) word=${word#console=} && named="$named ${word%%,*}" ;; esac
	done
	found=
	opened=
	for names in "$named" "$(cat /sys/class/tty/console/active 2>/dev/null)"; do
		for name in $names; do
			name=$(terminal "$name")
			case "$name: $found " in :* | *" $name "*) continue ;; esac
			found="$found $name"
			[ -n "$opened" ] || ! opens "$name" || opened=1
		done
		[ -z "$opened" ] || break
	done
	# Where none of them can be opened it is a menu that nobody sees.
	[ -z "$found" ] || [ -n "$opened" ] || ! [ -c /dev/ttynull ] || found="$found ttynull"
	# shellcheck disable=SC2086  # one blank between them
	echo ${found:-console}
)

# Writes TEXT to a file of the kernel's that says something else: correct TEXT FILE. Where that fails the log has it.
correct() {
	[ -e "$2" ] && [ "$(cat "$2" 2>/dev/null)" != "$1" ] || return 0
	{ echo "$1" >"$2"; } 2>/dev/null || log "$2 could not be set to $1"
}

# Makes a panic and a reboot end in a boot of the device that this machine came from; only s390x has these files.
#
# There a panic ends in a machine that stands still, whatever panic= says (arch/s390/kernel/ipl.c: on_panic is `stop`
# until somebody says otherwise). What comes back by itself is left alone: ipl, dump_reipl, and vmcmd, which vmpanic=
# and vmreboot= choose. A reboot loads what `reipl` says, and that is what `ipl` says from the kernel's start on, also
# after a kexec, because the firmware is asked anew. Of the other types (unknown, nss) the firmware itself knows what to
# load. This is done once, at the start: whoever changes it later wants that.
come_back() {
	firmware=/sys/firmware
	for action in "$firmware"/shutdown_actions/on_panic "$firmware"/shutdown_actions/on_reboot; do
		case $(cat "$action" 2>/dev/null) in stop | dump) correct reipl "$action" ;; esac
	done
	type=$(cat "$firmware/ipl/ipl_type" 2>/dev/null)
	case $type in ccw | eckd | fcp | nvme) ;; *) return ;; esac
	for name in device wwpn lun fid nsid bootprog br_lba br_chr; do
		[ ! -e "$firmware/ipl/$name" ] || correct "$(cat "$firmware/ipl/$name")" "$firmware/reipl/$type/$name"
	done
	correct "$type" "$firmware/reipl/reipl_type"
	# Load with memory cleared: what the load leaves there would be the dead kernel's, keys included, and QEMU's emulation
	# (TCG, 7.2) knows no other way; without it a reboot ends there in a machine that stands still.
	[ ! -e "$firmware/reipl/$type/clear" ] || correct 1 "$firmware/reipl/$type/clear"
}

# What the values of ip= parameters ask for, one to a line: see ip.awk. plan "VALUE VALUE ..."
plan() {
	echo "$1" | tr -s ' ' '\n' | awk -f /usr/lib/chainboot/ip.awk
}

# The last line of what a program said on its way out, without control characters, else its exit code:
# why FILE CODE
why() {
	line=$(grep -v '^[[:space:]]*$' "$1" 2>/dev/null | tail -n 1 | tr -cd '\040-\176' | cut -c 1-300)
	echo "${line:-it ended with exit code $2}"
}

# Whole seconds since the kernel's start, which no clock that is set can move.
uptime_seconds() {
	read -r uptime _ </proc/uptime
	echo "${uptime%%.*}"
}

# Whether the machine is about to jump: the file is there, and no older than that takes. Who wrote it may have died, and
# nobody may be locked out for ever. Its last line is `@` and the second since the kernel's start; a file without it
# counts by its own time. One from the future is as wrong as an old one.
leaving() {
	[ -e "$RUN/leaving" ] || return 1
	since=$(tail -n 1 "$RUN/leaving" 2>/dev/null)
	second=${since#@}
	case $since:$second in
	[!@]* | :* | *: | *:*[!0-9]* | *:0?* | *:?????????*)
		# It may have gone in this moment.
		since=$(stat -c %Y "$RUN/leaving" 2>/dev/null) || return 1
		age=$(($(date +%s) - since))
		;;
	*) age=$(($(uptime_seconds) - second)) ;;
	esac
	[ "${age#-}" -ge $LEAVING_LIMIT ] || return 0
	# Several ask; one of them removes it and says so.
	rm "$RUN/leaving" 2>/dev/null && log "the machine did not leave within $LEAVING_LIMIT s; SSH is served again"
	return 1
}

# Ends what an earlier run of this service left behind: supersede PIDFILE NAME. NAME is looked for in the command line
# of the process, because its number may be another's by now.
supersede() {
	read -r old 2>/dev/null <"$1" || return 0
	case $old in '' | *[!0-9]* | "$$") return 0 ;; esac
	grep -qs -- "$2" "/proc/$old/cmdline" && kill "$old" 2>/dev/null
	return 0
}

# How to get in, for whoever reads the log: the port and the host key's fingerprint, beside the addresses.
announce() {
	[ "$(cat "$SSH/state" 2>/dev/null)" = on ] || return 0
	log "ssh: port $(cat "$SSH/port"), host key $(cat "$SSH/fingerprint")"
}
