# shellcheck shell=dash
# The instance of /etc/init.d/fwstat that sends a fleet's batches: /usr/share/fwstat/fleet-send as a user of its own.
# Uses /lib/functions.sh, procd.sh and service.sh. The user may read the token and write the spool, nothing more.

FWSTAT_FLEET_RUN=$FWSTAT_RUN/fleet

fwstat_fleet_section() {
	config_get_bool FWSTAT_FLEET_ENABLED "$1" enabled "$FWSTAT_FLEET_ENABLED"
	config_get FWSTAT_FLEET_URL "$1" url "$FWSTAT_FLEET_URL"
	config_get FWSTAT_FLEET_TOKEN "$1" token_file "$FWSTAT_FLEET_TOKEN"
	config_get FWSTAT_FLEET_SPREAD "$1" spread "$FWSTAT_FLEET_SPREAD"
	config_get_bool FWSTAT_FLEET_SHARED "$1" shared "$FWSTAT_FLEET_SHARED"
}

# A duration such as 90, 30m, 6h or 1d in seconds; false for another text.
fwstat_fleet_seconds() {
	local number=${1%[smhdw]} unit=1
	case "$number" in
		'' | *[!0-9]* | ???????*) return 1 ;;
	esac
	number=${number#"${number%%[!0]*}"}
	case "$1" in
		*m) unit=60 ;;
		*h) unit=3600 ;;
		*d) unit=86400 ;;
		*w) unit=604800 ;;
	esac
	echo $((${number:-0} * unit))
}

# Reads the options into FWSTAT_FLEET_*. False if the fleet is not enabled.
fwstat_fleet_config() {
	FWSTAT_FLEET_ENABLED=0 FWSTAT_FLEET_URL='' FWSTAT_FLEET_TOKEN=/etc/fwstat.token FWSTAT_FLEET_SPREAD=6h FWSTAT_FLEET_SHARED=0
	config_load fwstat
	config_foreach fwstat_fleet_section fleet
	[ "$FWSTAT_FLEET_ENABLED" = 1 ]
}

# What the sender needs. False if it is not there.
fwstat_fleet_ready() {
	if [ -z "$FWSTAT_FLEET_URL" ]; then
		fwstat_say "/etc/config/fwstat: section fleet has no url: no batch is sent"
		return 1
	fi
	if ! fwstat_is_path "$FWSTAT_FLEET_TOKEN" || [ ! -f "$FWSTAT_FLEET_TOKEN" ]; then
		fwstat_say "/etc/config/fwstat: there is no token_file '$FWSTAT_FLEET_TOKEN': no batch is sent"
		return 1
	fi
	if ! FWSTAT_FLEET_SPREAD=$(fwstat_fleet_seconds "$FWSTAT_FLEET_SPREAD"); then
		fwstat_say "/etc/config/fwstat: spread is not a duration such as 6h; using 6h"
		FWSTAT_FLEET_SPREAD=21600
	fi
}

# The spools, which the daemon writes and the sender empties: setgid, so that what one of them makes belongs to the
# other's group.
fwstat_fleet_directories() {
	local spool
	for spool in "$FWSTAT_RUN/state" "$FWSTAT_DATABASE"; do
		# The service's user can make a link here, and chmod would follow it.
		[ ! -L "$spool/fleet" ] || rm -f "$spool/fleet"
		mkdir -p "$spool/fleet"
		# The sender may reach its spool, and read nothing else.
		chmod o+x "$spool"
		if fwstat_has_user fwstat-fleet && fwstat_has_user fwstat; then
			chown -h fwstat:fwstat-fleet "$spool/fleet"
			chmod 2770 "$spool/fleet"
		fi
	done
}

# The token as the sender may read it.
fwstat_fleet_token() {
	mkdir -p "$FWSTAT_FLEET_RUN"
	chmod 711 "$FWSTAT_FLEET_RUN"
	if ! (umask 077; cat "$FWSTAT_FLEET_TOKEN" > "$FWSTAT_FLEET_RUN/.token"); then
		rm -f "$FWSTAT_FLEET_RUN/.token"
		fwstat_say "cannot copy '$FWSTAT_FLEET_TOKEN' to $FWSTAT_FLEET_RUN: the token is not read again"
		return 0
	fi
	fwstat_has_user fwstat-fleet && chown fwstat-fleet "$FWSTAT_FLEET_RUN/.token"
	mv -f "$FWSTAT_FLEET_RUN/.token" "$FWSTAT_FLEET_RUN/token"
}

# Opens the instance. Call it after fwstat_fleet_config and that of the daemon.
fwstat_fleet_instance() {
	local shared=''
	if [ "$FWSTAT_FLEET_ENABLED" != 1 ] || ! fwstat_fleet_ready; then return 0; fi
	fwstat_fleet_token
	# Beside the batches' address. One without a path has nothing beside it: `shared` would be another host.
	case "$FWSTAT_FLEET_SHARED ${FWSTAT_FLEET_URL#https://}" in
		'1 '*/*) shared=${FWSTAT_FLEET_URL%/*}/shared ;;
	esac
	procd_open_instance fleet
	procd_set_param command /usr/share/fwstat/fleet-send "$FWSTAT_RUN/state/fleet:$FWSTAT_DATABASE/fleet" \
		"$FWSTAT_FLEET_URL" "$FWSTAT_FLEET_RUN/token" "$FWSTAT_FLEET_SPREAD" "$shared"
	procd_set_param respawn 3600 60 0
	procd_set_param stdout 1
	procd_set_param stderr 1
	# A reload starts it anew if there is another token, or if it has stopped because the server refused the token.
	procd_set_param file "$FWSTAT_FLEET_TOKEN"
	grep -qs '"state":"stopped"' "$FWSTAT_RUN/state/fleet/sender.json" &&
		procd_set_param env "FWSTAT_RELOADED=$(date +%s)"
	if fwstat_has_user fwstat-fleet; then
		procd_set_param user fwstat-fleet
		procd_set_param group fwstat-fleet
		procd_set_param no_new_privs 1
	fi
	procd_close_instance
}
