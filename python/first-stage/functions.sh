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
		[ "$name" = "$1" ] && [ "$value" != "$line" ] && echo "${value#"${value%%[![:space:]]*}"}"
	done </etc/chainboot.conf
	for word in $(cat /proc/cmdline); do
		case $word in "chainboot.$1="*) echo "${word#*=}" ;; esac
	done
)

# The value of a setting: setting NAME DEFAULT
setting() {
	value=$(given "$1")
	# The last line.
	value=${value##*"
"}
	echo "${value:-$2}"
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
