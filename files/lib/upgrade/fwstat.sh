# shellcheck shell=dash
# sysupgrade reads this: before it lists what to keep, the statistics are written to flash.

fwstat_commit() {
	/usr/bin/fwstat commit > /dev/null 2>&1 || true
}

sysupgrade_init_conffiles="fwstat_commit $sysupgrade_init_conffiles"
