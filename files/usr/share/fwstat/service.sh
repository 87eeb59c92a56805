# shellcheck shell=dash
# Functions of /etc/init.d/fwstat and of the package's removal: the options that they need, directories, firewall
# rules. Uses /lib/functions.sh; does not change zones.
#
# The rule files are in tmpfs: a broken one is gone after a reboot, and fw4 skips a file that is missing. Each file
# is checked before fw4 reads it, because fw4 does not start the firewall at all with a broken one.

FWSTAT_RUN=/var/run/fwstat
FWSTAT_RULES=$FWSTAT_RUN/rules
FWSTAT_FIREWALL=/etc/config/firewall
# What the daemon reads: its options; the zones, the time zone; what the guard never blocks.
FWSTAT_READS='fwstat firewall system network dhcp uhttpd'

fwstat_say() {
	logger -t fwstat -p daemon.warn "$1"
	echo "fwstat: $1" >&2
}

# A name of a zone becomes part of nft rules and of paths: only plain ones.
fwstat_is_zone() {
	case "$1" in
		'' | [!A-Za-z0-9]* | *[!A-Za-z0-9_-]*) return 1 ;;
	esac
	[ "${#1}" -le 32 ]
}

fwstat_add_zone() {
	if ! fwstat_is_zone "$1"; then
		fwstat_say "/etc/config/fwstat: zone '$1' is not a plain name; it is left out"
	elif ! fwstat_has "$FWSTAT_ZONES" "$1"; then
		FWSTAT_ZONES="$FWSTAT_ZONES $1"
	fi
}

# Whether a list of words has the word.
fwstat_has() {
	case " $1 " in
		*" $2 "*) return 0 ;;
	esac
	return 1
}

# Sections of the type fwstat are merged, as in the program.
fwstat_section() {
	local zone zones
	config_get_bool FWSTAT_ENABLED "$1" enabled "$FWSTAT_ENABLED"
	config_get FWSTAT_GROUP "$1" nflog_group "$FWSTAT_GROUP"
	config_get FWSTAT_DATABASE "$1" database "$FWSTAT_DATABASE"
	config_get FWSTAT_COUNTRIES "$1" country_database "$FWSTAT_COUNTRIES"
	config_get FWSTAT_NETWORKS "$1" as_database "$FWSTAT_NETWORKS"
	config_get FWSTAT_INPUT "$1" input "$FWSTAT_INPUT"
	config_get zones "$1" zone
	set -f
	for zone in $zones; do fwstat_add_zone "$zone"; done
	set +f
}

fwstat_is_path() {
	case "$1" in
		*/../* | */.. | *[!A-Za-z0-9_./-]*) return 1 ;;
		/?*) return 0 ;;
	esac
	return 1
}

# option, value: whether the file can be mounted in the service's jail, with its directory.
fwstat_is_file() {
	[ -n "$2" ] || return 1
	fwstat_is_path "$2" && [ -n "${2%/*}" ] && return 0
	fwstat_say "/etc/config/fwstat: the service cannot read $1 '$2': it must be a plain path of a file in a directory"
	return 1
}

# Reads the options into FWSTAT_*; a bad one is named and left at its default, as in the program.
fwstat_config() {
	FWSTAT_ENABLED=1 FWSTAT_GROUP=32 FWSTAT_DATABASE=/etc/fwstat FWSTAT_ZONES='' FWSTAT_INPUT='nflog logd'
	FWSTAT_COUNTRIES=/usr/share/fwstat/country.mmdb FWSTAT_NETWORKS=''
	config_load fwstat
	config_foreach fwstat_section fwstat
	case "$FWSTAT_GROUP" in
		'' | *[!0-9]*) FWSTAT_GROUP=bad ;;
		# nft takes a number that begins with 0 as octal, the daemon does not.
		*) FWSTAT_GROUP=${FWSTAT_GROUP#"${FWSTAT_GROUP%%[!0]*}"} FWSTAT_GROUP=${FWSTAT_GROUP:-0} ;;
	esac
	case "$FWSTAT_GROUP" in
		??????*) FWSTAT_GROUP=bad ;;
	esac
	if [ "$FWSTAT_GROUP" = bad ] || [ "$FWSTAT_GROUP" -gt 65535 ]; then
		fwstat_say "/etc/config/fwstat: nflog_group is not a number from 0 to 65535; using 32"
		FWSTAT_GROUP=32
	fi
	if ! fwstat_is_path "$FWSTAT_DATABASE"; then
		fwstat_say "/etc/config/fwstat: database '$FWSTAT_DATABASE' is not a plain path; using /etc/fwstat"
		FWSTAT_DATABASE=/etc/fwstat
	fi
	fwstat_is_file country_database "$FWSTAT_COUNTRIES" || FWSTAT_COUNTRIES=/usr/share/fwstat/country.mmdb
	fwstat_is_file as_database "$FWSTAT_NETWORKS" || FWSTAT_NETWORKS=''
	[ -n "$FWSTAT_ZONES" ] || FWSTAT_ZONES=wan
}

# Whether there is a user of this name.
fwstat_has_user() {
	grep -q "^$1:" /etc/passwd
}

fwstat_jailed() {
	[ -x /sbin/ujail ] && fwstat_has_user fwstat
}

# The paths that are mounted in the service's jail, one a line: ro or rw, the path, and for paths that may be on the owner's
# drive the mounted device, since a jail does not see what is mounted after its start.
fwstat_mounts() {
	local folder
	# The directory, not the socket in it: ubusd creates a new one when it restarts.
	echo 'ro /var/run/ubus'
	echo "ro $FWSTAT_RUN/config"
	echo 'ro /tmp/resolv.conf.d'
	echo 'ro /usr/sbin/nft'
	echo "rw $FWSTAT_RUN/state"
	echo "rw $FWSTAT_DATABASE $(fwstat_mounted "$FWSTAT_DATABASE")"
	# The directories of files that are only read; the store's stays writable.
	for folder in /usr/share/fwstat "${FWSTAT_COUNTRIES%/*}" "${FWSTAT_NETWORKS%/*}"; do
		[ ! -d "$folder" ] || [ "$folder" = "${FWSTAT_DATABASE%/}" ] || echo "ro $folder $(fwstat_mounted "$folder")"
	done | sort -u
}

# The device of a directory and its mount point; the last match counts.
fwstat_mounted() {
	local device point found=''
	while read -r device point _; do
		case "$1/" in "${point%/}"/*) found="$device $point" ;; esac
	done < /proc/mounts
	echo "$found"
}

# The directories of the service. Only state/ and the database belong to its user, which must not write what root reads
# or passes to fw4. The configuration files that the daemon reads are copied, because its user may not read /etc/config.
fwstat_directories() {
	local file
	mkdir -p "$FWSTAT_RUN/config" "$FWSTAT_RUN/state" "$FWSTAT_RULES" "$FWSTAT_DATABASE"
	chmod 755 "$FWSTAT_RUN" "$FWSTAT_RULES"
	for file in $FWSTAT_READS; do
		[ -f "/etc/config/$file" ] || continue
		(umask 077; fwstat_shown "$file" > "$FWSTAT_RUN/config/.$file")
		# The RAM can be full. A file that is cut short would be a valid one with fewer options: the previous copy stays.
		if ! fwstat_shown "$file" | cmp -s - "$FWSTAT_RUN/config/.$file"; then
			rm -f "$FWSTAT_RUN/config/.$file"
			fwstat_say "no space left in $FWSTAT_RUN: /etc/config/$file is not read again"
			continue
		fi
		chmod 640 "$FWSTAT_RUN/config/.$file"
		fwstat_has_user fwstat && chgrp fwstat "$FWSTAT_RUN/config/.$file"
		mv -f "$FWSTAT_RUN/config/.$file" "$FWSTAT_RUN/config/$file"
	done
	fwstat_has_user fwstat || return 0
	chgrp fwstat "$FWSTAT_RUN/config"
	chmod 750 "$FWSTAT_RUN/config"
	fwstat_own "$FWSTAT_RUN/state"
	fwstat_own "$FWSTAT_DATABASE"
}

# A configuration file as the daemon may read it: network without passwords and keys.
fwstat_shown() {
	case "$1" in
		network) grep -E '^[ 	]*(config|(option|list)[ 	]+(dns|gateway|ip6gw|ipgw))[ 	]' /etc/config/network ;;
		*) cat "/etc/config/$1" ;;
	esac
}

# Changes the owner of a directory and of fwstat's files in it to the service's user, unless it contains other files.
fwstat_own() {
	local directory=$1 file
	shift
	for file in "$directory"/* "$directory"/.[!.]*; do
		# The notifier's scripts and secrets stay owned by root, as do databases, which are only read.
		case "${file##*/}" in notify.d | notify.secret) continue ;; esac
		case "$file" in "$FWSTAT_COUNTRIES" | "$FWSTAT_NETWORKS") continue ;; esac
		[ -e "$file" ] || [ -L "$file" ] || continue
		case "${file##*/}" in
			*.fws | *.bad | *.later | .fwstat-* | *.new | commit | lock | daemon.lock | clock-set | guard* | fleet) ;;
			*)
				fwstat_say "$directory contains other files (${file##*/}): it stays owned by root; choose a separate directory"
				return 0
				;;
		esac
		set -- "$@" "$file"
	done
	chown fwstat:fwstat "$directory"
	chmod 750 "$directory"
	# -h: does not follow a link that the service's user made.
	[ $# = 0 ] || chown -h fwstat:fwstat "$@"
}

# --- rules ---
#
# fw4 includes a file at a position of a chain: POSITION-CHAIN.nft, and counters.nft in its table. docs/FIREWALL.md says
# which of fw4's places each rule stands for.

# fw4 takes only the first section of defaults, and words of any case that begin as its own do.
fwstat_defaults() {
	[ "$FWSTAT_DEFAULTS" = 0 ] || return 0
	FWSTAT_DEFAULTS=1
	config_get FWSTAT_INPUT_POLICY "$1" input DROP
	config_get FWSTAT_FORWARD_POLICY "$1" forward DROP
	config_get_bool FWSTAT_DROP_INVALID "$1" drop_invalid 0
	config_get_bool FWSTAT_SYN_FLOOD "$1" syn_flood 0
	config_get_bool FWSTAT_SYN_FLOOD "$1" synflood_protect "$FWSTAT_SYN_FLOOD"
	config_get FWSTAT_SYN_RATE "$1" synflood_rate 25/second
	config_get FWSTAT_SYN_BURST "$1" synflood_burst 50
}

# fw4's word for a policy: accept, reject or drop.
fwstat_policy() {
	case "$1" in
		[Rr]*) echo reject ;;
		[Dd]*) echo drop ;;
		*) echo accept ;;
	esac
}

# Writes the rules of a zone if it is counted.
fwstat_zone() {
	local name input forward
	config_get name "$1" name
	fwstat_has "$FWSTAT_ZONES" "$name" || return 0
	config_get input "$1" input "$FWSTAT_INPUT_POLICY"
	config_get forward "$1" forward "$FWSTAT_FORWARD_POLICY"
	FWSTAT_FOUND="$FWSTAT_FOUND $name"
	fwstat_counter "fwstat_zone_$name"
	input=$(fwstat_policy "$input")
	[ "$input" = accept ] ||
		fwstat_rule "append-input_$name" '' "fwstat_zone_$name" "$input $name in: " "fwstat $name"
	# What comes in by the zone and leaves by another is refused by the default policy. The zone's own is for packets
	# that leave by the zone again: where they are accepted, only the chain forward knows which were refused.
	[ "$(fwstat_policy "$forward")" != accept ] || FWSTAT_FORWARD_ACCEPTS=1
	FWSTAT_FORWARDING="$FWSTAT_FORWARDING $name"
}

fwstat_forward_rules() {
	local name policy
	policy=$(fwstat_policy "$FWSTAT_FORWARD_POLICY")
	[ "$policy" != accept ] && [ -n "$FWSTAT_FORWARDING" ] || return 0
	if [ "$FWSTAT_FORWARD_ACCEPTS" = 1 ]; then
		fwstat_counter fwstat_forward
		fwstat_rule append-forward '' fwstat_forward "$policy forward: " 'fwstat rule forward'
		return 0
	fi
	for name in $FWSTAT_FORWARDING; do
		fwstat_rule "append-forward_$name" '' "fwstat_zone_$name" "$policy $name forward: " "fwstat $name"
	done
}

# What fw4 drops before any chain of a zone, on all interfaces. The limit equals fw4's and must match the same
# packets: none of a known connection, and none that fw4 drops as invalid before.
fwstat_early_rules() {
	local states='invalid, new, untracked' limit chain
	[ -n "$FWSTAT_FOUND" ] || return 0
	if [ "$FWSTAT_DROP_INVALID" = 1 ]; then
		states='new, untracked'
		fwstat_counter fwstat_invalid
		for chain in input forward; do
			fwstat_rule "prepend-$chain" 'ct state invalid ' fwstat_invalid 'drop invalid ct state: ' 'fwstat rule invalid'
		done
	fi
	[ "$FWSTAT_SYN_FLOOD" = 1 ] || return 0
	if ! limit=$(fwstat_syn_limit); then
		fwstat_say "$FWSTAT_FIREWALL: synflood_rate '$FWSTAT_SYN_RATE' is not understood: what syn_flood drops is not counted"
		return 0
	fi
	[ -n "$limit" ] || return 0
	fwstat_counter fwstat_syn_flood
	fwstat_rule prepend-input "ct state { $states } tcp flags & (fin | syn | rst | ack) == syn limit rate over $limit " \
		fwstat_syn_flood 'drop syn_flood: ' 'fwstat rule syn_flood'
}

# The limit of fw4's chain syn_flood in nft's syntax; nothing if the rate is 0.
fwstat_syn_limit() {
	local rate=${FWSTAT_SYN_RATE%%/*} unit burst=''
	case "$FWSTAT_SYN_RATE" in
		*/*) unit=${FWSTAT_SYN_RATE#*/} ;;
		*) unit=second ;;
	esac
	case "$rate" in
		'' | *[!0-9]* | ???????*) return 1 ;;
	esac
	case "$FWSTAT_SYN_BURST" in
		*[!0-9]* | ???????*) return 1 ;;
		*[1-9]*) burst=" burst $FWSTAT_SYN_BURST packets" ;;
	esac
	case "$unit" in
		s | se | sec | seco | secon | second) unit=second ;;
		m | mi | min | minu | minut | minute) unit=minute ;;
		h | ho | hou | hour) unit=hour ;;
		d | da | day) unit=day ;;
		*) return 1 ;;
	esac
	[ "$rate" -gt 0 ] || return 0
	echo "$rate/$unit$burst"
}

# name of the file, match, counter, log prefix, comment: adds a rule to the file.
fwstat_rule() {
	local file=$FWSTAT_RULES.new/$1.nft log
	log="log prefix \"$4\" group $FWSTAT_GROUP snaplen 128 queue-threshold 40 "
	if fwstat_has "$FWSTAT_INPUT" nflog; then
		fwstat_add "$file" "$2counter name \"$3\" ${log}comment \"$5\"" && return 0
		FWSTAT_NO_LOG=1
	fi
	fwstat_add "$file" "$2counter name \"$3\" comment \"$5\"" ||
		fwstat_say "nft rejects fwstat's rule '$5': its packets are not counted"
}

# Declares a counter of the rules.
fwstat_counter() {
	echo "counter $1 { }" >> "$FWSTAT_RULES.new/counters.nft" || FWSTAT_NO_SPACE=1
}

# Adds a line to a rule file if nft accepts it. Without space nothing is checked: no file will be used.
fwstat_add() {
	if ! { { [ ! -e "$1" ] || cat "$1"; } && echo "$2"; } > "$1.try"; then
		FWSTAT_NO_SPACE=1
		return 0
	fi
	if fwstat_check "$1.try"; then
		mv -f "$1.try" "$1"
	else
		rm -f "$1.try"
		return 1
	fi
}

# Whether the kernel would accept the file in a chain.
fwstat_check() {
	printf 'table inet fwstat_check {\n\tinclude "%s"\n\tchain rules {\n\t\tinclude "%s"\n\t}\n}\n' \
		"$FWSTAT_RULES.new/counters.nft" "$1" | nft -c -f - 2> /dev/null
}

# Writes the rule files of the configured zones, makes /etc/config/firewall include them, and reloads fw4 if either
# is new.
fwstat_rules_apply() {
	local zone file changed=0
	rm -rf "$FWSTAT_RULES.new" "$FWSTAT_RULES.old"
	mkdir -p "$FWSTAT_RULES.new" "$FWSTAT_RULES"
	FWSTAT_FOUND='' FWSTAT_FORWARDING='' FWSTAT_FORWARD_ACCEPTS=0 FWSTAT_NO_LOG=0 FWSTAT_NO_SPACE=0 FWSTAT_DEFAULTS=0
	FWSTAT_INPUT_POLICY=DROP FWSTAT_FORWARD_POLICY=DROP FWSTAT_DROP_INVALID=0 FWSTAT_SYN_FLOOD=0
	config_load firewall
	config_foreach fwstat_defaults defaults
	config_foreach fwstat_zone zone
	fwstat_forward_rules
	fwstat_early_rules
	if [ "$FWSTAT_NO_SPACE" = 1 ]; then
		rm -rf "$FWSTAT_RULES.new"
		fwstat_say "no space left in $FWSTAT_RUN: the firewall keeps the rules that it has"
		return 0
	fi
	# Without rules there are no counters.
	set -- "$FWSTAT_RULES".new/*-*.nft
	[ -e "$1" ] || rm -f "$FWSTAT_RULES.new/counters.nft"
	for zone in $FWSTAT_ZONES; do
		fwstat_has "$FWSTAT_FOUND" "$zone" || fwstat_say "the firewall has no zone '$zone'"
	done
	[ "$FWSTAT_NO_LOG" = 0 ] ||
		fwstat_say "the kernel has no NFLOG: only the log is read; install kmod-nfnetlink-log"
	for file in "$FWSTAT_RULES"/*.nft "$FWSTAT_RULES".new/*.nft; do
		[ ! -e "$file" ] ||
			cmp -s "$FWSTAT_RULES/${file##*/}" "$FWSTAT_RULES.new/${file##*/}" || changed=1
	done
	# Atomically: a chain whose counter is missing would keep fw4 from loading its rules.
	if [ "$changed" = 1 ]; then
		mv "$FWSTAT_RULES" "$FWSTAT_RULES.old"
		mv "$FWSTAT_RULES.new" "$FWSTAT_RULES"
	fi
	rm -rf "$FWSTAT_RULES.new" "$FWSTAT_RULES.old"
	fwstat_includes && changed=1
	[ "$changed" = 0 ] || fwstat_reload_firewall
}

fwstat_rules_remove() {
	[ -d "$FWSTAT_RULES" ] || return 0
	mv "$FWSTAT_RULES" "$FWSTAT_RULES.old"
	rm -rf "$FWSTAT_RULES.old"
	fwstat_reload_firewall
	# What the table keeps when its rules are flushed.
	nft list counters table inet fw4 2> /dev/null | sed -n 's/^[[:space:]]*counter "\{0,1\}\(fwstat_[^" ]*\).*/\1/p' |
		while read -r counter; do nft delete counter inet fw4 "$counter"; done
}

# Only a running firewall; one that is stopped or not started yet reads the files when it starts.
fwstat_reload_firewall() {
	nft list table inet fw4 > /dev/null 2>&1 || return 0
	fw4 -q reload || fwstat_say "fw4 reload failed: fwstat's rules are not active"
}

# --- /etc/config/firewall ---
# Edited as text: `uci commit` would drop comments and commit the user's pending changes.

# The file without fwstat's sections: their first line, their options, and the empty line before.
fwstat_without_includes() {
	awk '
		/^config[ \t]+include[ \t]+["\047]?fwstat_/ { ours = 1; empty = ""; next }
		ours && /^[ \t]+(option|list)[ \t]/ { next }
		{ ours = 0; printf "%s", empty; empty = "" }
		/^$/ { empty = "\n"; next }
		{ print }
		END { printf "%s", empty }
	' "$FWSTAT_FIREWALL"
}

# The sections for the existing rule files.
fwstat_wanted_includes() {
	local file name
	for file in "$FWSTAT_RULES"/*.nft; do
		[ -e "$file" ] || continue
		name=${file##*/}
		name=${name%.nft}
		printf "\nconfig include '%s'\n" "fwstat_$(echo "$name" | sed 's/-/__/g')"
		printf "\toption type 'nftables'\n\toption path '%s'\n" "$file"
		case "$name" in
			counters) printf "\toption position 'table-prepend'\n" ;;
			*) printf "\toption position 'chain-%s'\n\toption chain '%s'\n" "${name%%-*}" "${name#*-}" ;;
		esac
	done
}

fwstat_with_includes() {
	fwstat_without_includes
	fwstat_wanted_includes
}

# Updates fwstat's sections of the file. True if that changed the file.
fwstat_includes() {
	fwstat_replace_firewall fwstat_with_includes
}

# Removes fwstat's sections from the file. True if that changed it.
fwstat_includes_remove() {
	fwstat_replace_firewall fwstat_without_includes
}

# FUNCTION: replaces the file by what FUNCTION prints, atomically, and only if it differs. No copy lies in /tmp, which can
# be full, and where others can make a link.
fwstat_replace_firewall() {
	local new=/etc/config/.firewall-fwstat
	[ -f "$FWSTAT_FIREWALL" ] || return 1
	"$1" | cmp -s - "$FWSTAT_FIREWALL" && return 1
	# cp -p preserves the permissions of the old file; the flash can be full.
	# Compared last: a change that the owner made meanwhile must not be undone.
	if cp -p "$FWSTAT_FIREWALL" "$new" && "$1" > "$new" && sync && "$1" | cmp -s - "$new"; then
		mv -f "$new" "$FWSTAT_FIREWALL"
		return 0
	fi
	rm -f "$new"
	fwstat_say "cannot write $FWSTAT_FIREWALL: it is unchanged"
	return 1
}
