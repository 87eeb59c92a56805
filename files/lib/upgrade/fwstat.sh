# shellcheck shell=dash
# sysupgrade reads this: before it lists what to keep, the statistics are written to flash.

fwstat_commit() {
	/usr/bin/fwstat commit > /dev/null 2>&1 || true
}

# The list of files: adds the statistics where they are in another directory of the overlay than keep.d's. Not on a drive,
# which an upgrade does not touch, nor in RAM; and only fwstat's files, as the directory may have others.
fwstat_keep() (
	# shellcheck source=files/usr/share/fwstat/service.sh
	. /usr/share/fwstat/service.sh
	fwstat_config 2> /dev/null
	case "$FWSTAT_DATABASE/" in /etc/fwstat/*) exit 0 ;; esac
	[ "$(fwstat_mounted "$(readlink -f "$FWSTAT_DATABASE")")" = "$(fwstat_mounted /)" ] || exit 0
	find "$FWSTAT_DATABASE/" -type f \( -name '*.fws' -o -name '*.later' -o -name '*.bad' -o -path '*/commit/*' -o -path '*/fleet/*' \) \
		>> "$1" 2> /dev/null || true
)

sysupgrade_init_conffiles="fwstat_commit $sysupgrade_init_conffiles fwstat_keep"
