# shellcheck shell=sh
# One try to set one device online, for `set-online`, which sources this: sysfs as the drivers offer it. POSIX sh
# (busybox). `bring` is called as $(bring ...), a process of its own, which is left from anywhere.
#
# Sources: Linux Documentation/arch/s390/{cio,driver-model}.rst and drivers/s390: cio/{device,blacklist,css}.c,
# block/dasd_devmap.c, net/qeth_core_sys.c, scsi/zfcp_{sysfs,ccw,unit}.c.

CCW=/sys/bus/ccw
CCWGROUP=/sys/bus/ccwgroup

# Microseconds of what is called a tenth of a second below.
TENTH=100000

# put TEXT FILE: writes to an attribute, else sets error to why not. The kernel's answer is the error of the write.
put() {
	[ -e "$2" ] || { error='there is no such attribute' && return 1; }
	error=$({ echo "$1" >"$2"; } 2>&1) && return 0
	error=${error##*: }
	error=${error:-the write failed}
	return 1
}

# The first line of an attribute, nothing if there is none.
value() {
	line=
	read -r line 2>/dev/null <"$1"
	echo "$line"
}

# await TENTHS COMMAND...: whether that becomes true in time.
await() {
	tenths=$1
	shift
	until "$@"; do
		[ "$tenths" -gt 0 ] || return 1
		tenths=$((tenths - 1))
		usleep "$TENTH"
	done
}

there() { [ -e "$1" ]; }

is_online() {
	online=
	read -r online 2>/dev/null <"$1/online"
	[ "$online" = 1 ]
}

# bring KIND BUS REST...: prints why the device is not online (exit code 1), or what is not as it was wanted, nothing if
# all is (0, and 2 if it was online already).
bring() {
	notes=
	kind=$1
	shift
	"bring_$kind" "$@"
	echo "$notes"
}

refuse() {
	echo "$*"
	exit 1
}

note() { notes="$notes${notes:+, }$*"; }

# What is known of a device that does not want to.
facts() {
	said=
	case $(value "$CCW/devices/$1/availability") in
	boxed) said='; it is boxed: another system has reserved it' ;;
	'no path') said='; it has no path' ;;
	'no device') said='; it is gone' ;;
	esac
	there "$CCW/devices/$1/driver" || said="$said; no driver has taken it"
	echo "$said$(types "$1")"
}

types() {
	cutype=$(value "$CCW/devices/$1/cutype")
	devtype=$(value "$CCW/devices/$1/devtype")
	echo "${cutype:+; its cutype is $cutype}${devtype:+, its devtype $devtype}"
}

# Makes sure that the kernel knows of a device: cio_ignore= may have hidden it. Nothing is freed but this one.
find_device() {
	there "$CCW/devices/$1" && return
	freed=
	if there /proc/cio_ignore; then
		put "free $1" /proc/cio_ignore || freed="; /proc/cio_ignore refused to free it: $error"
		# Returns when all that is new has been looked at.
		! there /proc/cio_settle || put 1 /proc/cio_settle
	fi
	await 10 there "$CCW/devices/$1" || refuse "there is no device $1: is it attached to this machine?$freed"
}

# load_drivers MODULE...: those that are not there yet, by name or alias. What is built in is no module, and no error.
load_drivers() {
	wanted=
	for module; do
		there "/sys/module/$module" || wanted="$wanted $module"
	done
	# shellcheck disable=SC2086
	[ -z "$wanted" ] || modprobe -a -b -q $wanted 2>/dev/null
}

# of_driver BUS DRIVER...: what another driver has taken is no such device. Without any the kernel refuses by itself.
of_driver() {
	device=$1
	shift
	await 10 there "$CCW/devices/$device/driver" || return 0
	driver=$(readlink "$CCW/devices/$device/driver")
	driver=${driver##*/}
	for right; do
		[ "$driver" != "$right" ] || return 0
	done
	refuse "$device is no $kind: its driver is $driver$(types "$device")"
}

# set_attributes DIRECTORY NAME=VALUE...: one that is refused costs itself: without the device the machine may be lost.
set_attributes() {
	home=$1
	shift
	for pair; do
		put "${pair#*=}" "$home/${pair%%=*}" || note "$pair was refused: $error"
	done
}

# switch_on BUS DIRECTORY
switch_on() {
	put 1 "$2/online" || refuse "writing 1 to $2/online: $error$(facts "$1")"
	await 20 is_online "$2" || refuse "$2/online took 1 and still reads '$(value "$2/online")'$(facts "$1")"
}

# lun_there BUS [WWPN LUN]: whether there is this LUN, or any, behind an adapter.
lun_there() (
	set +f
	for file in /sys/bus/scsi/devices/*/hba_id; do
		device=${file%/*}
		[ "$(value "$file")" = "$1" ] || continue
		[ -n "$2" ] || exit 0
		[ "$(value "$device/wwpn")" = "$2" ] && [ "$(value "$device/fcp_lun")" = "$3" ] && exit 0
	done
	exit 1
)

# add_lun BUS WWPN LUN
add_lun() {
	unit=$CCW/devices/$1/$2/$3
	answer=
	there "$unit" || put "$3" "$CCW/devices/$1/$2/unit_add" || answer="; unit_add refused it: $error"
	await 20 lun_there "$@" && return
	# Before Linux 6.16 a unit that is added while its port is still being looked at is forgotten. This asks once more.
	put 0 "$unit/failed" && await 40 lun_there "$@" && return
	refuse "there is no LUN $3 behind the port $2$answer"
}

bring_dasd() {
	bus=$1
	home=$CCW/devices/$bus
	shift
	find_device "$bus"
	load_drivers dasd_mod dasd_eckd_mod dasd_fba_mod
	case " $* " in *' use_diag=1 '*) load_drivers dasd_diag_mod ;; esac
	of_driver "$bus" dasd-eckd dasd-fba
	is_online "$home" && exit 2
	set_attributes "$home" "$@"
	switch_on "$bus" "$home"
	[ "$(value "$home/status")" != unformatted ] || note "it is not formatted"
}

bring_ccw() {
	bus=$1
	home=$CCW/devices/$bus
	shift
	find_device "$bus"
	load_drivers "$(value "$home/modalias")"
	is_online "$home" && exit 2
	set_attributes "$home" "$@"
	switch_on "$bus" "$home"
}

bring_zfcp() {
	bus=$1
	home=$CCW/devices/$bus
	find_device "$bus"
	load_drivers zfcp
	of_driver "$bus" zfcp
	was=0
	if is_online "$home"; then
		was=2
		# The driver has given up; this lets it begin anew.
		[ "$(value "$home/failed")" != 1 ] || put 0 "$home/failed"
	else
		switch_on "$bus" "$home"
	fi
	[ "$(value "$home/failed")" != 1 ] || refuse "the adapter $bus is online, but its driver has given up: is there a link?"
	if [ $# = 1 ]; then
		await 30 lun_there "$bus" || note "no LUN was found behind it"
	else
		await 80 there "$home/$2" || refuse "the adapter $bus is online, but there is no port $2 behind it"
		# The driver may have found it by itself.
		lun_there "$@" || add_lun "$@"
	fi
	[ -n "$notes" ] || exit $was
}

bring_qeth() {
	bus=$1
	home=$CCWGROUP/devices/$bus
	group=$bus,$2,$3
	for channel in "$1" "$2" "$3"; do find_device "$channel"; done
	load_drivers qeth qeth_l2 qeth_l3
	if ! there "$home"; then
		for channel in "$1" "$2" "$3"; do of_driver "$channel" qeth; done
		await 20 there "$CCWGROUP/drivers/qeth/group" || refuse "the driver qeth is not there"
		put "$group" "$CCWGROUP/drivers/qeth/group" ||
			refuse "writing $group to $CCWGROUP/drivers/qeth/group: $error$(facts "$bus")"
		await 20 there "$home" || refuse "$group was taken as a group, and $home is not there"
	fi
	shift 3
	is_online "$home" && exit 2
	set_attributes "$home" "$@"
	switch_on "$bus" "$home"
}
