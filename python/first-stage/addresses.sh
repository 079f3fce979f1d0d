# shellcheck shell=sh
# Setting addresses and routes of one interface, for what ip= says and for what a lease says. Sourced after
# functions.sh; knows nothing of where an address comes from.

# Metrics of our routes, the first interface's the best: small enough for the kernel to prefer them to those of router
# advertisements, which have 1024.
METRIC=100

# Set, nothing is done, only printed.
dry=

# The metric of an interface's routes, by the order in which they were first seen.
metric_of() {
	echo $((METRIC + $(cat "$NET/$1.rank" 2>/dev/null || echo 0)))
}

# A sentence about an interface in the log, and not the same one again until another one was said.
complain() {
	[ "$(cat "$NET/$1.error" 2>/dev/null)" = "$2" ] && return
	echo "$2" >"$NET/$1.error"
	log "network: $1: $2"
}

# Runs ip for the interface $name with these words. That something is there already is no fault.
ip_() {
	if [ -n "$dry" ]; then
		echo "  ip $*"
		return 0
	fi
	answer=$(ip "$@" 2>&1) && return 0
	case $answer in *'File exists'*) return 0 ;; esac
	complain "$name" "ip $*: ${answer#ip: }"
	return 1
}

# configure NAME FAMILY ADDRESS PREFIX GATEWAY WAY, in the words that ip.awk prints. May be done again and again.
configure() {
	name=$1
	metric=$(metric_of "$1")
	if [ "$2" = 4 ] && [ "$4" -lt 31 ]; then
		ip_ addr add "$3/$4" broadcast + dev "$1" || return
	else
		ip_ addr add "$3/$4" dev "$1" || return
	fi
	[ "$5" != - ] || return 0
	if [ "$6" = direct ]; then
		ip_ "-$2" route add "$5" dev "$1" metric "$metric" || return
	fi
	ip_ "-$2" route add default via "$5" dev "$1" metric "$metric"
}
