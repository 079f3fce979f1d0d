# Reads values of the setting s390x.devices, one to a line, and says what the last of them asks for, one line each:
#   dasd BUS NAME=VALUE...
#   zfcp BUS [WWPN LUN]
#   qeth BUS BUS BUS NAME=VALUE...      its read, write and data channel
#   ccw BUS NAME=VALUE...
#   bad WORD REASON...                  a device that is none: it costs itself
# BUS is cssid.ssid.devno as sysfs has it, WWPN and LUN are 0x and 16 digits. docs/s390x-devices.md has the syntax,
# chainboot/devices.py the same rules: a test holds one against the other.

BEGIN {
	most = 64
	longest = 64
	mark = sprintf("%c", 1) # stands for what is not printable ASCII, and fits nothing below
}

{ value = $0 }

END {
	gsub(/[ \t]/, ",", value)
	gsub(/[^ -~]+/, mark, value)
	words = split(value, word, ",")
	for (i = 1; i <= words; i++) {
		if (word[i] == "") continue
		reason = ++devices > most ? "there are more than " most " devices; those from here on are not read" : read_word(word[i])
		if (reason != "") print "bad", shown(word[i]), reason
		if (devices > most) break
	}
}

# Prints what `text` asks for, or returns why it cannot be asked for.
function read_word(text,    count, part, kind, first, bare, channels, i, path, reason, attributes) {
	count = split(text, part, ":")
	kind = tolower(part[1])
	if (kind !~ /^(dasd|zfcp|qeth|ccw)$/) return shown(part[1]) " is none of dasd, zfcp, qeth and ccw"
	if (count > 32) return "it has " count " parts, and 32 are the most"
	first = bus(part[2])
	if (first == "") return no_bus(part[2])
	for (bare = 2; bare < count && part[bare + 1] !~ /=/; ) bare++
	channels = first
	if (kind == "zfcp") {
		if (count != 2 && count != 4) return "after the adapter it takes nothing, or a WWPN and a LUN"
		for (i = 3; i <= count; i++) {
			if (address(part[i]) == "") return shown(part[i]) " is not a " (i == 3 ? "WWPN" : "LUN") " of 16 hexadecimal digits"
			path = path " " address(part[i])
		}
	} else if (kind == "qeth") {
		if (bare != 2 && bare != 4) return "it takes its three channels, or the first of them"
		if (bare == 2) {
			if (hexadecimal(devno(first)) > 65533) return "there are no two channels after " first
			for (i = 1; i <= 2; i++) channels = channels " " before(first) sprintf("%04x", hexadecimal(devno(first)) + i)
		}
		for (i = 3; i <= bare; i++) {
			if (bus(part[i]) == "") return no_bus(part[i])
			if (index(" " channels " ", " " bus(part[i]) " ")) return bus(part[i]) " is named twice"
			channels = channels " " bus(part[i])
		}
	}
	if (kind != "zfcp") {
		for (i = kind == "qeth" ? bare + 1 : 3; i <= count; i++) {
			reason = attribute(part[i])
			if (reason != "") return reason
			attributes = attributes " " part[i]
		}
	}
	return take(kind, channels, path, attributes)
}

# Prints a device of which everything makes sense, unless it was named before. One adapter may have several paths.
function take(kind, channels, path, attributes,    count, channel, i) {
	count = split(channels, channel, " ")
	for (i = 1; i <= count; i++)
		if ((channel[i] in used) && (kind != "zfcp" || used[channel[i]] != "zfcp" || ((channels path " ") in used)))
			return channel[i] " is named twice"
	for (i = 1; i <= count; i++) used[channel[i]] = kind
	used[channels path " "] = kind
	print kind, channels path attributes
	return ""
}

# Why a NAME=VALUE makes no sense, "" where it does.
function attribute(text,    at, name, content) {
	at = index(text, "=")
	if (!at) return shown(text) " is not NAME=VALUE"
	name = substr(text, 1, at - 1)
	content = substr(text, at + 1)
	if (name !~ /^[a-z0-9_]+(\/[a-z0-9_]+)*$/ || length(name) > longest) return shown(name) " is not the name of an attribute"
	# What the device stands in, other devices among it, is none of its attributes.
	if (name ~ /^(online|driver|subsystem)(\/|$)/) return shown(name) " is not for settings"
	if (content !~ /^[!-~]+$/ || length(content) > longest) return shown(content) " is not a value for " name
	return ""
}

# A bus id as sysfs writes it, "" for what is none. The first two parts are 0 where they are left out.
function bus(text,    part) {
	text = tolower(text)
	if (index(text, ".") == 0) text = "0.0." text
	if (split(text, part, ".") != 3) return ""
	if (part[1] !~ /^[0-9a-f][0-9a-f]?$/ || part[2] !~ /^[0-3]$/ || part[3] !~ /^[0-9a-f]+$/ || length(part[3]) > 4) return ""
	if (length(part[1]) == 2) sub(/^0/, "", part[1])
	return part[1] "." part[2] "." substr("0000", 1, 4 - length(part[3])) part[3]
}

function no_bus(text) { return shown(text) " is not a bus id such as 0.0.0100" }

# 0x and 16 digits, "" for what is no WWPN or LUN.
function address(text) {
	text = tolower(text)
	sub(/^0x/, "", text)
	return text ~ /^[0-9a-f]+$/ && length(text) == 16 ? "0x" text : ""
}

function devno(text) { return substr(text, length(text) - 3) }

function before(text) { return substr(text, 1, length(text) - 4) }

function hexadecimal(digits,    i, number) {
	for (i = 1; i <= length(digits); i++) number = number * 16 + index("0123456789abcdef", substr(digits, i, 1)) - 1
	return number
}

# Text for a person: no longer than a line can bear.
function shown(text) {
	gsub(mark, "?", text)
	if (text == "") return "nothing"
	return length(text) > longest ? substr(text, 1, longest) "..." : text
}
