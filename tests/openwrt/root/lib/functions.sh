# shellcheck shell=dash disable=SC1090,SC2013
# Stand-in for OpenWrt's: options of UCI as variables, and what opkg's scripts call.

# Every option as CONFIG_<section>_<option>; of a list, the values one a line.
config_load() {
	local code
	CONFIG_SECTIONS=''
	[ -f "/etc/config/$1" ] || return 0
	code=$(awk -f /lib/uci.awk "/etc/config/$1") || return 1
	eval "$code"
}

config_get() {
	local value
	eval "value=\${CONFIG_$2_$3:-\$4}"
	# shellcheck disable=SC2086,SC2116 # a list's values are words
	[ -z "$value" ] || value=$(set -f; echo $value)
	eval "$1=\$value"
}

config_get_bool() {
	config_get "$@"
	eval "case \$$1 in
		1 | on | true | yes | enabled) $1=1 ;;
		0 | off | false | no | disabled) $1=0 ;;
		*) $1=\$4 ;;
	esac"
}

config_foreach() {
	local section kind
	for section in $CONFIG_SECTIONS; do
		eval "kind=\$CONFIG_${section}_TYPE"
		[ "$kind" != "$2" ] || "$1" "$section"
	done
}

config_list_foreach() {
	local values value IFS='
'
	eval "values=\$CONFIG_$1_$2"
	for value in $values; do
		unset IFS
		"$3" "$value"
	done
}

default_postinst() {
	local package script user id
	package=$(basename "${1%.*}")
	if grep -q '^Require-User: fwstat:fwstat' "/usr/lib/opkg/info/$package.control"; then
		id=32768
		for user in $(sed -n 's/^Require-User: //p' "/usr/lib/opkg/info/$package.control"); do
			user=${user%%:*}
			grep -q "^$user:" /etc/group || echo "$user:x:$id:$user" >> /etc/group
			grep -q "^$user:" /etc/passwd || echo "$user:x:$id:$id:$user:/var/run/$user:/bin/false" >> /etc/passwd
			id=$((id + 1))
		done
	fi
	for script in $(grep '^/etc/uci-defaults/' "/usr/lib/opkg/info/$package.list"); do
		(. "$script") && rm -f "$script"
	done
	(. "/usr/lib/opkg/info/$package.postinst-pkg")
	for script in $(grep '^/etc/init.d/' "/usr/lib/opkg/info/$package.list"); do
		[ "$PKG_UPGRADE" = 1 ] || "$script" enable
		"$script" start
	done
}

default_prerm() {
	local package script
	package=$(basename "${1%.*}")
	(. "/usr/lib/opkg/info/$package.prerm-pkg")
	for script in $(grep '^/etc/init.d/' "/usr/lib/opkg/info/$package.list"); do
		[ "$PKG_UPGRADE" = 1 ] || "$script" disable
		"$script" stop
	done
}
