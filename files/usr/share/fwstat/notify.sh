# shellcheck shell=dash disable=SC2034 # what others use
# What the notifier, its scripts and the service share: the options, the secrets, the words, and how to send.
#
# The options of `config notify` stand in the environment: NOTIFY_MAIL, NOTIFY_NTFY, ... A secret is a line `name=value`
# of the file NOTIFY_SECRETS, which only the notifier's user can read.

# The owner's scripts, which sysupgrade keeps. One with the name of a shipped one replaces that.
NOTIFY_SCRIPTS=${NOTIFY_SCRIPTS:-/etc/fwstat/notify.d}
NOTIFY_SHIPPED=${NOTIFY_SHIPPED:-/usr/share/fwstat/notify.d}
NOTIFY_SECONDS=${NOTIFY_SECONDS:-60}
# What scripts that take each event get in one period, at most.
NOTIFY_EACH=${NOTIFY_EACH:-100}
NOTIFY_OPTIONS='mail mail_from ntfy webhook telegram mqtt mqtt_port abuseipdb dshield report language'
# The fields of an event that become variables.
NOTIFY_FIELDS='address last_address reason rule count window since expires times date protocol port name attempts expected score sentence what because dry from to month events'

notify_upper() {
	# shellcheck disable=SC2018,SC2019 # names of options and fields are ASCII
	echo "$1" | tr a-z A-Z
}

# Text of a packet or a person as one line without control characters.
notify_plain() {
	tr '\n\t' '  ' | tr -d '\000-\037\177'
}

# As a header takes it.
notify_ascii() {
	notify_plain | tr -c '\040-\176' '?'
}

# Whether a list of words has the word; an empty list has every one.
notify_has() {
	case " ${1:-$2} " in
		*" $2 "*) return 0 ;;
	esac
	return 1
}

# script, name: what `# name: ...` in its head says.
notify_head() {
	sed -n "2,12s/^# $2: *//p" "$1" | head -n 1
}

# Only files that are owned by root and that nobody else can change.
notify_is_script() {
	[ -f "$1" ] && [ ! -L "$1" ] && [ -x "$1" ] || return 1
	[ -n "$(find "$1" -maxdepth 0 -user 0 ! -perm -020 ! -perm -002)" ]
}

notify_value() {
	eval "echo \"\${NOTIFY_$(notify_upper "$1"):-}\""
}

# Whether the script's option is set, and not to a word for off; one without an option always runs.
notify_is_configured() {
	local option
	option=$(notify_head "$1" option)
	case "$option" in
		'') return 0 ;;
		*[!a-z_]*) return 1 ;;
	esac
	case "$(notify_value "$option")" in
		'' | 0 | off | false | no | disabled) return 1 ;;
	esac
}

# Whether there is anything to run.
notify_wanted() {
	local script
	for script in "$NOTIFY_SHIPPED"/* "$NOTIFY_SCRIPTS"/*; do
		if notify_is_script "$script" && notify_is_configured "$script"; then return 0; fi
	done
	return 1
}

# directory: copies the configured scripts there, writable by root only.
notify_collect() {
	local script
	mkdir -p "$1"
	for script in "$NOTIFY_SHIPPED"/* "$NOTIFY_SCRIPTS"/*; do
		if ! notify_is_script "$script"; then
			[ ! -f "$script" ] || notify_say "$script is not run: it must be owned by root, executable, and not writable by others"
		elif notify_is_configured "$script"; then
			cp "$script" "$1/"
		fi
	done
	chmod 755 "$1"/*
}

notify_say() {
	logger -t fwstat-notify -p daemon.warn "$1"
	echo "fwstat: $1" >&2
}

# Reads the configuration, as root; uses /lib/functions.sh. Sections of the type are merged, as in the program.
notify_section() {
	local option
	for option in $NOTIFY_OPTIONS; do
		config_get "NOTIFY_$(notify_upper "$option")" "$1" "$option" "$(notify_value "$option")"
	done
	config_get NOTIFY_MOST "$1" most "$NOTIFY_MOST"
	config_get NOTIFY_SECRETS "$1" secret_file "$NOTIFY_SECRETS"
}

notify_config() {
	local option
	# shellcheck disable=SC1090 # the router's
	. "${NOTIFY_FUNCTIONS:-/lib/functions.sh}"
	NOTIFY_MOST=6/1h NOTIFY_SECRETS=/etc/fwstat/notify.secret
	for option in $NOTIFY_OPTIONS; do
		eval "NOTIFY_$(notify_upper "$option")=''"
	done
	config_load fwstat
	config_foreach notify_section notify
	[ -n "$NOTIFY_LANGUAGE" ] || NOTIFY_LANGUAGE=$(uci -q get luci.main.lang)
	case "$NOTIFY_LANGUAGE" in
		ja) ;;
		*) NOTIFY_LANGUAGE=en ;;
	esac
	NOTIFY_HOST=$(uci -q get 'system.@system[0].hostname')
	for option in $NOTIFY_OPTIONS secrets most host; do
		eval "export NOTIFY_$(notify_upper "$option")"
	done
}

# `6/1h` in NOTIFY_MOST -> NOTIFY_COUNT and NOTIFY_PERIOD in seconds. A bad value is named and the default used.
notify_most() {
	local unit number count
	NOTIFY_COUNT=6 NOTIFY_PERIOD=3600
	[ -n "${NOTIFY_MOST:-}" ] || return 0
	count=${NOTIFY_MOST%%/*}
	number=${NOTIFY_MOST#*/}
	unit=${number#"${number%?}"}
	number=${number%?}
	number=${number:-1}
	# Arithmetic takes a number that begins with 0 as octal, and 08 ends the shell.
	count=${count#"${count%%[!0]*}"}
	number=${number#"${number%%[!0]*}"}
	case "$NOTIFY_MOST" in
		[0-9]*/*[smhd]) ;;
		*) number='' ;;
	esac
	case "$count$number" in
		*[!0-9]* | ????????*) number='' ;;
	esac
	if [ -z "$number" ]; then
		echo "/etc/config/fwstat: option most '$NOTIFY_MOST' is not a number and a time such as 6/1h; using 6/1h" >&2
		return 0
	fi
	NOTIFY_COUNT=${count:-0}
	case "$unit" in
		s) NOTIFY_PERIOD=$number ;;
		m) NOTIFY_PERIOD=$((number * 60)) ;;
		h) NOTIFY_PERIOD=$((number * 3600)) ;;
		d) NOTIFY_PERIOD=$((number * 86400)) ;;
	esac
}

# A secret's value.
notify_secret() {
	[ -r "${NOTIFY_SECRETS:-}" ] || return 0
	sed -n "s/^$1=//p" "$NOTIFY_SECRETS" | head -n 1
}

# What the event means, in words: FWSTAT_TITLE and FWSTAT_TEXT.
notify_words() {
	local service
	service=$(notify_upper "$FWSTAT_PROTOCOL${FWSTAT_PORT:+ $FWSTAT_PORT}")${FWSTAT_NAME:+ ($FWSTAT_NAME)}
	case "$FWSTAT_EVENT" in
		block)
			FWSTAT_TITLE="Blocked: $FWSTAT_ADDRESS"
			FWSTAT_TEXT="$FWSTAT_ADDRESS is blocked until ${FWSTAT_EXPIRES:-later}: $FWSTAT_REASON."
			if [ "$FWSTAT_DRY" = 1 ]; then
				FWSTAT_TITLE="Would be blocked: $FWSTAT_ADDRESS"
				FWSTAT_TEXT="A dry run: $FWSTAT_ADDRESS is not blocked, but would be: $FWSTAT_REASON."
			fi
			;;
		anomaly)
			FWSTAT_TITLE="Anomaly: $service"
			FWSTAT_TEXT="$FWSTAT_ATTEMPTS attempts on $service on $FWSTAT_DATE, usually about ${FWSTAT_EXPECTED%%.*}."
			;;
		incomplete)
			FWSTAT_TITLE='The statistics are not complete'
			FWSTAT_TEXT=${FWSTAT_BECAUSE:-${FWSTAT_SENTENCE:-$FWSTAT_REASON}}
			;;
		exposure)
			FWSTAT_TITLE="Open to the Internet: $service"
			FWSTAT_TEXT="$service was opened to the Internet and is attacked: $FWSTAT_ATTEMPTS attempts."
			;;
		egress)
			FWSTAT_TITLE="May be infected: $FWSTAT_ADDRESS"
			FWSTAT_TEXT="The device $FWSTAT_ADDRESS in your network may be infected: ${FWSTAT_SENTENCE:-$FWSTAT_REASON}"
			;;
		report)
			FWSTAT_TITLE="Firewall report ${FWSTAT_MONTH:-$FWSTAT_FROM to $FWSTAT_TO}"
			FWSTAT_TEXT=$(fwstat summary ${FWSTAT_FROM:+--from "$FWSTAT_FROM"} ${FWSTAT_TO:+--to "$FWSTAT_TO"} 2> /dev/null | head -c 4000)
			;;
		more)
			FWSTAT_TITLE="$FWSTAT_COUNT more events"
			FWSTAT_TEXT="$FWSTAT_COUNT more events ($FWSTAT_EVENTS) exceeded the limit of messages. See the page, or 'fwstat blocks'."
			;;
		test)
			FWSTAT_TITLE='Test'
			FWSTAT_TEXT='This is a test of the notifications of fwstat.'
			;;
	esac
	[ -z "${NOTIFY_HOST:-}" ] || FWSTAT_TITLE="$NOTIFY_HOST: $FWSTAT_TITLE"
}

# Text within a JSON string or a quoted string of curl's configuration.
notify_quoted() {
	notify_plain | sed 's/[\\"]/\\&/g'
}

# What makes curl post its standard input.
NOTIFY_BODY='data-binary = "@-"'

# URL, then lines of curl's configuration. Neither the address, which can hold a secret, nor a header stands in the list of
# processes.
notify_post() {
	local url status
	url=$1
	shift
	command -v curl > /dev/null || {
		echo 'curl is missing: install the package curl' >&2
		return 1
	}
	case "$url" in
		http://* | https://*) ;;
		*) echo "not an http or https address" >&2; return 1 ;;
	esac
	{
		printf 'url = "%s"\n' "$(printf '%s' "$url" | notify_quoted)"
		printf '%s\n' "$@"
	} > "$NOTIFY_DIR/curl"
	# A redirection is not followed, because it would carry the secrets elsewhere; to --fail it is no failure.
	status=$(curl --silent --show-error --fail --max-time 30 --max-filesize 100000 --proto '=http,https' \
		--config "$NOTIFY_DIR/curl" --output "$NOTIFY_DIR/answer" --write-out '%{http_code}') || return 1
	case "$status" in
		2??) ;;
		*) echo "the server answers HTTP $status" >&2; return 1 ;;
	esac
}

# name, value: a header as a line of curl's configuration.
notify_header() {
	printf 'header = "%s: %s"' "$1" "$(printf '%s' "$2" | notify_quoted)"
}

# --- the service ---
# Called by /etc/init.d/fwstat, as root.

NOTIFY_RUN=${NOTIFY_RUN:-/var/run/fwstat/notify}
NOTIFY_USER=fwstat-notify
# What the notifier and its scripts remember over a restart of the service, in RAM.
NOTIFY_STATE=${NOTIFY_STATE:-/var/run/fwstat/notified}

# Copies the configured scripts to RAM: the notifier's user may not read /etc/fwstat.
notify_prepare() {
	local new=$NOTIFY_RUN.new
	rm -rf "$new"
	(umask 027; notify_collect "$new/notify.d")
	(umask 077; : > "$new/secret")
	if [ -e "$NOTIFY_SECRETS" ]; then
		if [ -n "$(find "$NOTIFY_SECRETS" -maxdepth 0 -type f -user 0 ! -perm -040 ! -perm -020 ! -perm -004 ! -perm -002)" ]; then
			cat "$NOTIFY_SECRETS" > "$new/secret"
		else
			notify_say "$NOTIFY_SECRETS is not used: it must be a file of root with mode 0600"
		fi
	fi
	(umask 077; mkdir -p "$NOTIFY_STATE")
	chown "$NOTIFY_USER" "$NOTIFY_STATE"
	chgrp -R "$NOTIFY_USER" "$new"
	chmod 440 "$new/secret"
	# A running notifier uses the directory: it is replaced as a whole.
	rm -rf "$NOTIFY_RUN.old"
	[ ! -d "$NOTIFY_RUN" ] || mv "$NOTIFY_RUN" "$NOTIFY_RUN.old"
	mv "$new" "$NOTIFY_RUN"
	rm -rf "$NOTIFY_RUN.old"
}

# Opens procd's instance if there is something to run.
notify_service() {
	local option
	notify_config
	if ! notify_wanted; then
		rm -rf "$NOTIFY_RUN"
		return 0
	fi
	if ! grep -q "^$NOTIFY_USER:" /etc/passwd; then
		notify_say "no messages are sent: there is no user $NOTIFY_USER; install the package fwstat again"
		return 0
	fi
	notify_prepare
	procd_open_instance notify
	procd_set_param command /usr/share/fwstat/notify
	procd_set_param env "NOTIFY_SCRIPTS=$NOTIFY_RUN/notify.d" "NOTIFY_SECRETS=$NOTIFY_RUN/secret" "NOTIFY_MOST=$NOTIFY_MOST" "NOTIFY_HOST=$NOTIFY_HOST"
	for option in $NOTIFY_OPTIONS; do
		procd_append_param env "NOTIFY_$(notify_upper "$option")=$(notify_value "$option")"
	done
	procd_set_param file "$NOTIFY_RUN/secret" "$NOTIFY_RUN"/notify.d/*
	procd_set_param respawn 3600 10 0
	procd_set_param stderr 1
	procd_set_param user "$NOTIFY_USER"
	procd_set_param group "$NOTIFY_USER"
	procd_close_instance
}
