'use strict';
'require baseclass';
'require fwstat.words as words';

/* What `fwstat check` finds, in the reader's language. Commands and names stay as they are. */

const sentences = [
	[ /^(\S+): every option is valid$/, _('%s: every option is valid') ],
	[ /^cannot read (\S+): (.+); the daemon runs with its defaults$/, _('cannot read %s: %s; the daemon runs with its defaults') ],
	[ /^option enabled is 0: .*$/, _('option enabled is 0: the service does not start') ],
	[ /^the daemon runs, version (\S+)$/, _('the daemon runs, version %s') ],
	[ /^zone (\S+) does not log, and the log is the only input: nothing of it is counted; (uci set \S+); .*$/,
		_('zone %s does not log, and the log is the only input: nothing of it is counted; %s, or add the input NFLOG') ],
	[ /^zone (\S+) has the interfaces (.+)$/, _('zone %s has the interfaces %s') ],
	[ /^zone (\S+) has no interface at present: .*$/, _('zone %s has no interface at present: WAN interfaces are guessed from their names') ],
	[ /^cannot ask netifd for the interfaces of zone (\S+): (.+); WAN interfaces are guessed .*$/, _('cannot ask netifd for the interfaces of zone %s: %s') ],
	[ /^a default route leads through (.+), which is in none of the counted zones: .*$/,
		_('a default route leads through %s, which is in none of the counted zones: what is refused there is not counted; add its zone') ],
	[ /^NFLOG group (\d+) is free$/, _('NFLOG group %s is free') ],
	[ /^NFLOG group (\d+) is taken, by the running daemon as it seems$/, _('NFLOG group %s is taken, by the running daemon as it seems') ],
	[ /^(.+): (\d+) refused packets are known only as a sum, not one by one$/, _('%s: %s refused packets are known only as a sum, not one by one') ],
	[ /^the firewall's configuration opens no port to everybody outside.*$/, _('the firewall opens no port to everybody outside, but for OpenWrt\'s own rules') ],
	[ /^the country database has data of (\S+)$/, _('the country database has data of %s') ],
	[ /^the AS database has data of (\S+)$/, _('the AS database has data of %s') ],
	[ /^there is no country database (\S+): .*$/, _('there is no country database %s: countries are not measured; install fwstat-country') ],
	[ /^the running daemon writes to (\S+) and not to (\S+): (.+)$/, _('the running daemon writes to %s and not to %s: %s') ],
	[ /^the daemon can write to (\S+); written every (\S+)$/, _('the daemon can write to %s; written every %s') ],
	[ /^the statistics are in RAM only: (.+)$/, _('the statistics are in RAM only: %s') ],
	[ /^the guard is on, but nft is missing: .*$/, _('the guard is on, but nft is missing: install nftables-nojson or nftables-json') ],
	[ /^the guard's table 'inet fwstat' is in the kernel$/, _('the guard\'s table "inet fwstat" is in the kernel') ],
	[ /^the guard is on, but its table 'inet fwstat' is not in the kernel: .*$/, _('the guard is on, but its table "inet fwstat" is not in the kernel') ],
	[ /^(\d+) more findings: fwstat check lists them$/, _('%s more findings: fwstat check lists them') ],
	[ /^the firewall has no zone '(.+)': .*$/, _('the firewall has no zone "%s": correct the list of zones, or make the zone') ],
	[ /^zone (\S+) does not log: .+; (uci set \S+), or take logd out of the list input$/,
		_('zone %s does not log, so the input system log gets no packets of it; %s, or take that input out') ],
	[ /^zone (\S+) logs its refused packets$/, _('zone %s logs its refused packets') ],
	[ /^zone (\S+) logs at most (\S+): the log input counts less than there is; (.+)$/, _('zone %s logs at most %s: the log input counts less than there is; %s') ],
	[ /^the kernel logs (\S+) packets to the log$/, _('the kernel logs %s packets to the log') ],
	[ /^the kernel logs no (\S+) packets: install (.+)$/, _('the kernel logs no %s packets: install %s') ],
	[ /^the kernel logs (\S+) packets to (\S+) and not to the log: (.+)$/, _('the kernel logs %s packets to %s and not to the log: %s') ],
	[ /^NFLOG group (\d+) is read$/, _('NFLOG group %s is read') ],
	[ /^our rules of zone (\S+) counted (\d+) packets$/, _('our rules of zone %s counted %s packets') ],
	[ /^the firewall has no rule of ours for zone (\S+): (\S+ restart) makes it$/, _('the firewall has no rule of ours for zone %s: %s makes it') ],
	[ /^the rules are not counted yet$/, _('the rules are not counted yet') ],
	[ /^watch_egress logs to the group of the input nflog: .*$/, _('watching the inside needs the input NFLOG') ],
	[ /^the guard's list allow is empty: .*$/,
		_('nobody is on the guard\'s list of those never blocked: put in the addresses from which you reach the router from outside, so that nobody can have them blocked by forged packets') ],
	[ /^the guard's scope is all: .*$/, _('the guard blocks every packet: a flood with a forged source also cuts off what you open to it from inside') ],
	[ /^the guard's option login sees nothing: .*$/, _('the guard sees no failed logins: they come through the input system log') ],
	[ /^the fleet is enabled, but has no url: .*$/, _('the fleet is enabled, but has no server: files are made and never sent') ],
	[ /^mask_sources is on: the fleet's server gets .*$/, _('addresses are masked: the fleet\'s server gets a hash of each source instead of its address') ],
	[ /^the fleet's option hash_key is empty: .*$/, _('the fleet has no key of the hash: a source that several routers see counts once for each of them') ],
	[ /^the clock was set by NTP$/, _('the clock was set by NTP') ],
	[ /^the clock is plausible$/, _('the clock is plausible') ],
	[ /^the clock is not set: packets wait for their day; .*$/, _('the clock is not set: packets wait for their day; check the NTP servers') ],
	[ /^(\S+) is in RAM: the statistics are gone after a reboot$/, _('%s is in RAM: the statistics are gone after a reboot') ],
	[ /^(\S+) has (\d+) bytes left, (\d+) are needed: .*$/, _('%s has %s bytes left, %s are needed: make room or choose another database') ],
	[ /^(\S+) has room; written every (\S+)$/, _('%s has room; written every %s') ]
];

return baseclass.extend({
	of: (finding) => words.among(sentences, finding.text)
});
