# shellcheck shell=dash
# Functions of /etc/init.d/fwstat and of the package's removal: the options that they need, directories, the rules of
# the firewall. Uses /lib/functions.sh; changes nothing of a zone.
#
# The rules lie in tmpfs: what is broken there is gone after a reboot, and fw4 skips a file that is missing. Each file
# is checked before fw4 sees it, because fw4 starts no firewall at all with a broken one.

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

# Sections of the type fwstat join, as they do in the program.
fwstat_section() {
	config_get_bool FWSTAT_ENABLED "$1" enabled "$FWSTAT_ENABLED"
	config_get FWSTAT_GROUP "$1" nflog_group "$FWSTAT_GROUP"
	config_get FWSTAT_DATABASE "$1" database "$FWSTAT_DATABASE"
	config_get FWSTAT_COUNTRIES "$1" country_database "$FWSTAT_COUNTRIES"
	config_get FWSTAT_INPUT "$1" input "$FWSTAT_INPUT"
	config_list_foreach "$1" zone fwstat_add_zone
}

fwstat_is_path() {
	case "$1" in
		*/../* | */.. | *[!A-Za-z0-9_./-]*) return 1 ;;
		/?*) return 0 ;;
	esac
	return 1
}

# Reads the options into FWSTAT_*; a bad one is named and left at its default, as in the program.
fwstat_config() {
	FWSTAT_ENABLED=1 FWSTAT_GROUP=32 FWSTAT_DATABASE=/etc/fwstat FWSTAT_ZONES='' FWSTAT_INPUT='nflog logd'
	FWSTAT_COUNTRIES=/usr/share/fwstat/country.mmdb
	config_load fwstat
	config_foreach fwstat_section fwstat
	case "$FWSTAT_GROUP" in
		'' | *[!0-9]* | ??????*) FWSTAT_GROUP=bad ;;
	esac
	if [ "$FWSTAT_GROUP" = bad ] || [ "$FWSTAT_GROUP" -gt 65535 ]; then
		fwstat_say "/etc/config/fwstat: nflog_group is not a number from 0 to 65535; using 32"
		FWSTAT_GROUP=32
	fi
	if ! fwstat_is_path "$FWSTAT_DATABASE"; then
		fwstat_say "/etc/config/fwstat: database '$FWSTAT_DATABASE' is not a plain path; using /etc/fwstat"
		FWSTAT_DATABASE=/etc/fwstat
	fi
	fwstat_is_path "$FWSTAT_COUNTRIES" || FWSTAT_COUNTRIES=/usr/share/fwstat/country.mmdb
	[ -n "$FWSTAT_ZONES" ] || FWSTAT_ZONES=wan
}

fwstat_user() {
	grep -q '^fwstat:' /etc/passwd
}

# The directories of the service. Only state/ and the database belong to its user: what root reads or hands to fw4
# must not be written by it. What the daemon reads of the configuration is copied, because its user may not read
# /etc/config.
fwstat_directories() {
	local file
	mkdir -p "$FWSTAT_RUN/config" "$FWSTAT_RUN/state" "$FWSTAT_RULES" "$FWSTAT_DATABASE"
	chmod 755 "$FWSTAT_RUN" "$FWSTAT_RULES"
	for file in $FWSTAT_READS; do
		[ -f "/etc/config/$file" ] || continue
		(umask 077; fwstat_shown "$file" > "$FWSTAT_RUN/config/.$file")
		chmod 640 "$FWSTAT_RUN/config/.$file"
		fwstat_user && chgrp fwstat "$FWSTAT_RUN/config/.$file"
		mv -f "$FWSTAT_RUN/config/.$file" "$FWSTAT_RUN/config/$file"
	done
	fwstat_user || return 0
	chgrp fwstat "$FWSTAT_RUN/config"
	chmod 750 "$FWSTAT_RUN/config"
	fwstat_own "$FWSTAT_RUN/state"
	fwstat_own "$FWSTAT_DATABASE"
}

# A file of the configuration as the daemon may see it: of the network no passwords and keys.
fwstat_shown() {
	case "$1" in
		network) grep -E '^[ 	]*(config|(option|list)[ 	]+(dns|gateway|ip6gw|ipgw))[ 	]' /etc/config/network ;;
		*) cat "/etc/config/$1" ;;
	esac
}

# Gives a directory and our files in it to the service's user; leaves one alone that holds files of others.
fwstat_own() {
	local file
	for file in "$1"/* "$1"/.[!.]*; do
		[ -e "$file" ] || [ -L "$file" ] || continue
		case "${file##*/}" in
			*.fws | *.bad | .fwstat-* | *.new | lock | clock-set | guard* | fleet) ;;
			*)
				fwstat_say "$1 holds files of others (${file##*/}): it stays root's; choose a directory of its own"
				return 0
				;;
		esac
	done
	chown fwstat:fwstat "$1"
	chmod 750 "$1"
	for file in "$1"/* "$1"/.[!.]*; do
		# -h: a link that the service's user made leads nowhere.
		if [ -e "$file" ] || [ -L "$file" ]; then chown -h fwstat:fwstat "$file"; fi
	done
}

# --- rules ---

# Name, input and forward policy of each zone in FWSTAT_ZONES that the firewall has, a line each.
fwstat_zone() {
	local name input forward
	config_get name "$1" name
	fwstat_has "$FWSTAT_ZONES" "$name" || return 0
	config_get input "$1" input "$FWSTAT_INPUT_POLICY"
	config_get forward "$1" forward "$FWSTAT_FORWARD_POLICY"
	FWSTAT_FOUND="$FWSTAT_FOUND $name"
	fwstat_rule "$name" input in "$input"
	fwstat_rule "$name" forward forward "$forward"
}

fwstat_defaults() {
	config_get FWSTAT_INPUT_POLICY "$1" input DROP
	config_get FWSTAT_FORWARD_POLICY "$1" forward DROP
}

# zone, chain, word of the log prefix, policy: writes and checks <chain>_<zone>.nft where the policy refuses.
fwstat_rule() {
	local file verdict log
	case "$4" in
		REJECT | reject) verdict=reject ;;
		DROP | drop) verdict=drop ;;
		*) return 0 ;;
	esac
	file=$FWSTAT_RULES.new/$2_$1.nft
	log="log prefix \"$verdict $1 $3: \" group $FWSTAT_GROUP snaplen 128 queue-threshold 40 "
	if fwstat_has "$FWSTAT_INPUT" nflog; then
		echo "counter ${log}comment \"fwstat $1\"" > "$file"
		fwstat_check "$file" && return 0
		FWSTAT_NO_LOG=1
	fi
	echo "counter comment \"fwstat $1\"" > "$file"
	fwstat_check "$file" && return 0
	rm -f "$file"
	fwstat_say "nft refuses our rule for zone $1: its packets are not counted"
}

# Whether the kernel would take the file at the end of a chain.
fwstat_check() {
	printf 'table inet fwstat_check {\n\tchain rules {\n\t\tinclude "%s"\n\t}\n}\n' "$1" |
		nft -c -f - 2> /dev/null
}

# Writes the rule files of the configured zones, makes /etc/config/firewall include them, and reloads fw4 if either
# is new.
fwstat_rules_apply() {
	local zone file changed=0
	rm -rf "$FWSTAT_RULES.new"
	mkdir -p "$FWSTAT_RULES.new" "$FWSTAT_RULES"
	FWSTAT_FOUND='' FWSTAT_NO_LOG=0 FWSTAT_INPUT_POLICY=DROP FWSTAT_FORWARD_POLICY=DROP
	config_load firewall
	config_foreach fwstat_defaults defaults
	config_foreach fwstat_zone zone
	for zone in $FWSTAT_ZONES; do
		fwstat_has "$FWSTAT_FOUND" "$zone" || fwstat_say "the firewall has no zone '$zone'"
	done
	[ "$FWSTAT_NO_LOG" = 0 ] ||
		fwstat_say "the kernel has no NFLOG: only the log is read; opkg install kmod-nfnetlink-log"
	for file in "$FWSTAT_RULES"/*.nft; do
		[ -e "$FWSTAT_RULES.new/${file##*/}" ] || [ ! -e "$file" ] || { rm -f "$file"; changed=1; }
	done
	for file in "$FWSTAT_RULES".new/*.nft; do
		[ -e "$file" ] || continue
		cmp -s "$file" "$FWSTAT_RULES/${file##*/}" && continue
		mv -f "$file" "$FWSTAT_RULES/${file##*/}"
		changed=1
	done
	rm -rf "$FWSTAT_RULES.new"
	fwstat_includes && changed=1
	[ "$changed" = 0 ] || fwstat_reload_firewall
}

fwstat_rules_remove() {
	[ -d "$FWSTAT_RULES" ] || return 0
	rm -rf "$FWSTAT_RULES"
	fwstat_reload_firewall
}

# Only a firewall that runs; one that is stopped or has not started yet reads the files itself.
fwstat_reload_firewall() {
	nft list table inet fw4 > /dev/null 2>&1 || return 0
	fw4 -q reload || fwstat_say "fw4 does not reload: our rules are not in place"
}

# --- /etc/config/firewall ---
# Edited as text: `uci commit` would drop the comments and commit what the user has not finished.

# The file without our sections: their head, their options, and the empty line before the head.
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

# Our sections for the rule files that are there.
fwstat_wanted_includes() {
	local file name
	for file in "$FWSTAT_RULES"/*.nft; do
		[ -e "$file" ] || continue
		name=${file##*/}
		name=${name%.nft}
		printf "\nconfig include '%s'\n" "fwstat_$(echo "$name" | sed 's/-/__/g')"
		printf "\toption type 'nftables'\n\toption path '%s'\n" "$file"
		printf "\toption position 'chain-append'\n\toption chain '%s'\n" "$name"
	done
}

# Makes the file's sections of ours what they should be. True if that changed the file.
fwstat_includes() {
	[ -f "$FWSTAT_FIREWALL" ] || return 1
	fwstat_without_includes > /tmp/fwstat-firewall
	fwstat_wanted_includes >> /tmp/fwstat-firewall
	fwstat_replace_firewall
}

# Takes our sections out of the file. True if that changed it.
fwstat_includes_remove() {
	[ -f "$FWSTAT_FIREWALL" ] || return 1
	fwstat_without_includes > /tmp/fwstat-firewall
	fwstat_replace_firewall
}

# Puts /tmp/fwstat-firewall into the file's place, whole or not at all, and only if it differs.
fwstat_replace_firewall() {
	local new=/etc/config/.firewall-fwstat
	if cmp -s /tmp/fwstat-firewall "$FWSTAT_FIREWALL"; then
		rm -f /tmp/fwstat-firewall
		return 1
	fi
	# cp -p gives the copy the rights of the old file; the flash can be full.
	if cp -p "$FWSTAT_FIREWALL" "$new" && cat /tmp/fwstat-firewall > "$new" && cmp -s /tmp/fwstat-firewall "$new"; then
		sync
		mv -f "$new" "$FWSTAT_FIREWALL"
		rm -f /tmp/fwstat-firewall
		return 0
	fi
	rm -f "$new" /tmp/fwstat-firewall
	fwstat_say "cannot write $FWSTAT_FIREWALL: it stays as it was"
	return 1
}
