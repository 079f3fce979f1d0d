# Reads the values of ip= parameters, one to a line, and says what they ask for, one line each:
#   static DEVICE FAMILY ADDRESS PREFIX GATEWAY WAY HOSTNAME    FAMILY is 4 or 6
#   dhcp DEVICE HOSTNAME
#   off DEVICE
#   bad WORD REASON...
# and at the end `others dhcp` or `others off`: what holds for IPv4 on an interface that nothing above is for.
# A field that is not given is `-`; so is the DEVICE of what no device is named for. WAY is `direct` where the gateway
# lies outside of the address's own net and needs a route of its own, else `-`.
#
# The syntax is the kernel's, Documentation/admin-guide/nfs/nfsroot.rst and net/ipv4/ipconfig.c:
#   CLIENT:SERVER:GATEWAY:NETMASK:HOSTNAME:DEVICE:AUTOCONF:DNS0:DNS1:NTP0, or AUTOCONF alone.
# Beyond it, as dracut.cmdline(7) has it: a prefix length for NETMASK, IPv6 addresses in brackets, DEVICE:AUTOCONF.

BEGIN {
	others = "dhcp"
	mark = sprintf("%c", 1) # stands for a colon in brackets
}

NF == 0 { next }

{
	word = $0
	gsub(/[^!-~]/, "?", word)
	reason = read_word($0)
	if (reason != "") print "bad", word, reason
}

END { print "others", others }

# Prints what `text` asks for, or returns why it cannot be asked for.
function read_word(text,    count, field, i, inside, c, marked, device, host, automatic) {
	# Those are part of an address.
	for (i = 1; i <= length(text); i++) {
		c = substr(text, i, 1)
		if (c == "[") inside = 1
		if (c == "]") inside = 0
		marked = marked (c == ":" && inside ? mark : c)
	}
	if (inside) return "a bracket is not closed"
	count = split(marked, field, ":")
	if (count > 10) return "it has " count " fields, and there are 10"
	for (i = 1; i <= 10; i++) gsub(mark, ":", field[i])
	if (count == 1 && autoconf(field[1]) != "") return automatically(autoconf(field[1]), "", "")
	if (count == 2 && is_device(field[1]) && autoconf(field[2]) != "" && ipv4(field[1]) == "")
		return automatically(autoconf(field[2]), field[1], "")
	host = field[5]
	device = field[6]
	if (host != "" && (host !~ /^[A-Za-z0-9][A-Za-z0-9.-]*$/ || length(host) > 63)) return host " is not a host name"
	sub(/\..*/, "", host) # the domain, as the kernel splits it
	if (device != "" && !is_device(device)) return device " is not the name of a network interface"
	if (field[1] ~ /^\[/) return static6(field, device, host)
	if (ipv4(field[1]) == "0.0.0.0") field[1] = ""
	if (field[1] != "") return static4(field, device, host)
	automatic = field[7] == "" ? "dhcp" : autoconf(field[7])
	if (automatic == "") return field[7] " is no way of configuration that is known here"
	return automatically(automatic, device, host)
}

# What a word in place of AUTOCONF comes to: BOOTP and RARP are older forms of the same wish.
function autoconf(text) {
	if (text ~ /^(on|any|dhcp|bootp|rarp|both)$/) return "dhcp"
	if (text ~ /^(off|none)$/) return "off"
	return ""
}

function automatically(kind, device, host) {
	print kind, or_none(device) (kind == "dhcp" ? " " or_none(host) : "")
	if (kind == "dhcp" && device == "") everywhere = 1
	others = everywhere ? "dhcp" : "off"
	return ""
}

function static4(field, device, host,    address, gateway, prefix, first, way) {
	address = ipv4(field[1])
	if (address == "") return field[1] " is not an address" (field[1] ~ /[.]/ ? "" : " (IPv6 addresses stand in brackets)")
	first = address
	sub(/[.].*/, "", first)
	first += 0
	if (first == 0 || first == 127 || first >= 224) return address " is not the address of a machine"
	prefix = field[4]
	# As the kernel guesses: the classes of old.
	if (prefix == "" || ipv4(prefix) == "0.0.0.0") prefix = first < 128 ? 8 : first < 192 ? 16 : 24
	else if (prefix ~ /^[0-9][0-9]?$/ && decimal(prefix) >= 1 && decimal(prefix) <= 32) prefix = decimal(prefix)
	else prefix = prefix_of_mask(prefix)
	if (prefix == "") return field[4] " is not a netmask"
	gateway = ipv4(field[3])
	if (field[3] != "" && gateway == "") return field[3] " is not the address of a gateway"
	if (gateway == "0.0.0.0") gateway = ""
	if (gateway != "" && int(value4(gateway) / power2(32 - prefix)) != int(value4(address) / power2(32 - prefix))) way = "direct"
	print "static", or_none(device), 4, address, prefix, or_none(gateway), or_none(way), or_none(host)
	if (!everywhere) others = "off"
	return ""
}

function static6(field, device, host,    address, gateway, prefix, way) {
	address = ipv6(field[1])
	if (address == "") return field[1] " is not an IPv6 address"
	if (address ~ /^ff/ || address == digits6("::") || address == digits6("::1")) return field[1] " is not the address of a machine"
	prefix = field[4] == "" ? 64 : field[4]
	if (prefix !~ /^[0-9][0-9]?[0-9]?$/ || decimal(prefix) < 1 || decimal(prefix) > 128) return field[4] " is not the length of a prefix"
	if (field[3] != "") {
		gateway = ipv6(field[3])
		if (gateway == "") return field[3] " is not the IPv6 address of a gateway"
		if (gateway == digits6("::")) field[3] = gateway = ""
	}
	if (gateway != "" && gateway !~ /^fe[89ab]/ && bits(gateway, decimal(prefix)) != bits(address, decimal(prefix))) way = "direct"
	print "static", or_none(device), 6, bare(field[1]), decimal(prefix), or_none(bare(field[3])), or_none(way), or_none(host)
	return ""
}

function or_none(text) { return text == "" ? "-" : text }

# What the kernel takes for a name and what is safe in a path: IFNAMSIZ is 16 with its NUL.
function is_device(text) { return text ~ /^[A-Za-z0-9][A-Za-z0-9._-]*$/ && length(text) <= 15 }

# An IPv4 address without leading zeros, "" for what is none.
function ipv4(text,    part, i) {
	if (text !~ /^[0-9.]+$/ || split(text, part, ".") != 4) return ""
	for (i = 1; i <= 4; i++) {
		if (part[i] == "" || length(part[i]) > 3 || decimal(part[i]) > 255) return ""
		part[i] = decimal(part[i])
	}
	return part[1] "." part[2] "." part[3] "." part[4]
}

# The number that digits stand for. Leading zeros go first: busybox takes them for a sign of octal.
function decimal(digits) {
	sub(/^0+/, "", digits)
	return digits + 0
}

function value4(text,    part) {
	split(text, part, ".")
	return ((part[1] * 256 + part[2]) * 256 + part[3]) * 256 + part[4]
}

function prefix_of_mask(text,    length_, mask) {
	mask = ipv4(text)
	if (mask == "") return ""
	for (length_ = 1; length_ <= 32; length_++)
		if (value4(mask) == power2(32) - power2(32 - length_)) return length_
	return ""
}

function bare(text) {
	gsub(/[][]/, "", text)
	return text
}

# The 32 hexadecimal digits of an address in brackets, "" for what is none.
function ipv6(text) {
	if (text !~ /^\[[0-9A-Fa-f:]+\]$/) return ""
	return digits6(bare(text))
}

function digits6(text,    half, halves, left, right) {
	halves = split(tolower(text), half, "::")
	if (text ~ /:::/ || halves > 2) return ""
	left = groups(half[1])
	right = groups(half[2])
	if (left == "bad" || right == "bad") return ""
	if (halves == 1) return length(left) == 32 ? left : ""
	if (length(left) + length(right) > 28) return ""
	return left substr("00000000000000000000000000000000", 1, 32 - length(left) - length(right)) right
}

function groups(text,    group, count, i, found) {
	if (text == "") return ""
	count = split(text, group, ":")
	for (i = 1; i <= count; i++) {
		if (group[i] == "" || length(group[i]) > 4) return "bad"
		found = found substr("0000", 1, 4 - length(group[i])) group[i]
	}
	return found
}

# The first bits of 32 hexadecimal digits, in a form that can be compared.
function bits(digits, length_,    whole) {
	whole = int(length_ / 4)
	return substr(digits, 1, whole) "/" int((index("0123456789abcdef", substr(digits, whole + 1, 1)) - 1) / power2(4 - length_ % 4))
}

# Debian's busybox is built without the operator for it.
function power2(exponent,    power) {
	for (power = 1; exponent > 0; exponent--) power *= 2
	return power
}
