'use strict';
'require baseclass';

/* The daemon's sentences in the reader's language. One that is not known here stays English. */

const sentences = [
	[ /^up to (\d+) packets on (\S+) are in no figure: .*$/, _('up to %s packets of %s are in no figure: lost before they were read (entries of the log count as packets), or refused where only their number is known') ],
	[ /^up to (\d+) packets in (\S+) are in no figure: .*$/, _('up to %s packets of %s are in no figure: lost before they were read (entries of the log count as packets), or refused where only their number is known') ],
	[ /^of (\S+) only the whole month is stored, not its days$/, _('of %s only the whole month is stored, not its days') ],
	[ /^services with up to (\d+) attempts can be missing$/, _('services with up to %s attempts can be missing') ],
	[ /^sources with up to (\d+) attempts can be missing$/, _('sources with up to %s attempts can be missing') ],
	[ /^the attempts of some services can be up to (\d+) too low$/, _('the attempts of some services can be up to %s too low') ],
	[ /^the attempts of some sources can be up to (\d+) too low$/, _('the attempts of some sources can be up to %s too low') ],
	[ /^targets with up to (\d+) attempts can be missing$/, _('hosts inside with up to %s attempts can be missing') ],
	[ /^the attempts of some targets can be up to (\d+) too low$/, _('the attempts of some hosts inside can be up to %s too low') ],
	[ /^of (\d+) attempts it is not known, or no longer kept, which rule logged them$/, _('of %s attempts it is not known, or no longer kept, which rule logged them') ],
	[ /^days with up to (\d+) such attempts are left out: too few to be stored$/, _('days with up to %s such attempts are left out: too few to be stored') ],
	[ /^the hours of (\d+) attempts are not stored: .*$/,
		_('the hours of %s attempts are not stored: services and sources have theirs in the newest months, and only the heaviest of a day') ],
	[ /^the clock is not set: packets are counted and get their day once it is$/, _('the clock is not set: packets are counted and get their day once it is') ],
	[ /^older events are no longer held$/, _('older events are no longer held') ],
	[ /^the attempts of some countries can be up to (\d+) too low$/, _('the attempts of some countries can be up to %s too low') ],
	[ /^countries with up to (\d+) attempts can be missing$/, _('countries with up to %s attempts can be missing') ],
	[ /^the countries of (\d+) attempts are not known: too many sources$/, _('the countries of %s attempts are not known: too many sources') ],
	[ /^(\d+) days are left out: there was no country database when they ended$/, _('%s days are left out: there was no country database when they ended') ],
	[ /^the countries of these days were not measured: there was no country database when they ended$/,
		_('the countries of these days were not measured: there was no country database when they ended') ],
	[ /^the country database (\S+) is (\d+) days old: .*$/, _('the country database %s is %s days old: countries of newer address ranges are missing or wrong') ],
	[ /^the country database (\S+) cannot be used: (.+)$/, _('the country database %s cannot be used: %s') ],
	[ /^the AS database (\S+) is (\d+) days old: .*$/, _('the AS database %s is %s days old: networks of newer address ranges are missing or wrong') ],
	[ /^the AS database (\S+) cannot be used: (.+)$/, _('the AS database %s cannot be used: %s') ],
	[ /^there is no AS database (\S+)$/, _('there is no AS database %s') ],
	[ /^the networks of (\d+) attempts are not known: their sources have no row$/, _('the networks of %s attempts are not known: their sources have no row') ],
	[ /^(\d+) lines of the log were taken for copies .*$/, _('%s lines of the log were taken for copies of packets that NFLOG gave: too many came at once to compare') ],
	[ /^(.+): (\d+) packets were refused today that are known only as a sum$/, _('%s: %s packets were refused today; they are known only as a sum') ],
	[ /^(.+): what is refused there is not counted$/, _('%s: what is refused there is not counted') ],
	[ /^and (\d+) more reasons$/, _('and %s more reasons') ],
	[ /^NFLOG is not read$/, _('NFLOG is not read') ],
	[ /^(.+) and (forwarding from zone \S+|drop_invalid \(chain \S+\))$/, _('%s and %s') ],
	[ /^drop_invalid \(chain (\S+)\)$/, _('drop_invalid (chain %s)') ],
	[ /^the policy of chain (\S+) in table (\S+ \S+)$/, _('the policy of chain %s in table %s') ],
	[ /^a rule in chain (\S+)$/, _('a rule in chain %s') ],
	[ /^(.+) \(at most\)$/, _('%s (at most)') ],
	[ /^the SYN flood protection \(chain syn_flood\)$/, _('the SYN flood protection (chain syn_flood)') ],
	[ /^the input policy of zone (\S+)$/, _('the input policy of zone %s') ],
	[ /^forwarding from zone (\S+)$/, _('forwarding from zone %s') ],
	[ /^the forward policy of zone (\S+) for its own interfaces$/, _('the forward policy of zone %s for its own interfaces') ],
	[ /^rules beyond the first (\d+)$/, _('rules beyond the first %s') ],
	[ /^rule '(.+)'$/, _('rule "%s"') ],
	[ /^table (\S+) (\S+)$/, _('table %s %s') ],
	[ /^the budget of (\d+) blocks for floods and scans within (\w+) is used up: .*$/, _('the budget of %s blocks for floods and scans within %s is used up: more sources are not blocked') ],
	[ /^the budget of (\d+) blocks for failed logins within (\w+) is used up: .*$/, _('the budget of %s blocks for failed logins within %s is used up: more password guessers are not blocked') ],
	[ /^the limit of blocks for failed logins \((\d+)\) is reached: .*$/, _('the limit of blocks for failed logins is reached (%s)') ],
	[ /^the limit of blocks by hand \((\d+)\) is reached: .*$/, _('the limit of blocks by hand is reached (%s)') ],
	[ /^the kernel cannot tell now whether the inside has a connection to it$/, _('the kernel cannot tell now whether the inside has a connection to it') ],
	[ /^(.+): WAN interfaces are guessed from their names$/, _('%s: WAN interfaces are guessed from their names') ],
	[ /^(\S+) has no zones$/, _('%s has no zones') ],
	[ /^netifd has not reported the networks$/, _('netifd has not reported the networks') ],
	[ /^zone (.+) has no interface at present$/, _('zone %s has no interface at present') ],
	[ /^a flood, (\d+) attempts within (\w+)(.*)$/, _('a flood, %s attempts within %s%s') ],
	[ /^a scan, (\d+) different services within (\w+)(.*)$/, _('a scan, %s different services within %s%s') ],
	[ /^(\d+) failed logins within (\w+)(.*)$/, _('%s failed logins within %s%s') ],
	[ /^manual request$/, _('blocked by hand') ],
	[ /^it was blocked before$/, _('it was blocked before') ],
	[ /^expired$/, _('expired') ],
	[ /^by hand$/, _('unblocked by hand') ],
	[ /^blocked anew$/, _('blocked again') ],
	[ /^the guard's mode was changed$/, _('the guard\'s mode was changed') ],
	[ /^it is on the allow list$/, _('it is on the allow list') ],
	[ /^it is the router's own address$/, _('it is the router\'s own address') ],
	[ /^it is a gateway of the router$/, _('it is a gateway of the router') ],
	[ /^it is a name server in use$/, _('it is a name server in use') ],
	[ /^it is a time server in use$/, _('it is a time server in use') ],
	[ /^it is in a network of the inside$/, _('it is in a network of the inside') ],
	[ /^it is a private or reserved address$/, _('it is a private or reserved address') ],
	[ /^a connection to it was opened from inside$/, _('a connection to it was opened from inside') ],
	[ /^its block was ended by hand not long ago$/, _('it was recently unblocked by hand') ],
	[ /^you are connected from it$/, _('you are connected from it') ],
	[ /^it holds (\S+): (.+)$/, _('it holds %s: %s') ],
	[ /^it is within (\S+): (.+)$/, _('it is within %s: %s') ],
	[ /^it is within (\S+), which is on the allow list$/, _('it is within %s, which is on the allow list') ],
	[ /^the prefix is too short: at least \/(\d+) of IPv4, \/(\d+) of IPv6$/, _('the prefix is too short: at least /%s of IPv4, /%s of IPv6') ],
	[ /^(?:it has|with it) more than (\d+) ranges of addresses.*$/, _('that would be more than %s ranges of addresses') ],
	[ /^of the blocked networks only (\d+) ranges of addresses are in the kernel$/, _('of the blocked networks only %s ranges of addresses are in the kernel') ],
	[ /^the country database does not know this country$/, _('the country database does not know this country') ],
	[ /^the country database is damaged$/, _('the country database is damaged') ],
	[ /^(\d+) networks and countries are blocked, as many as can be$/, _('the limit of blocked networks and countries is reached (%s)') ],
	[ /^nobody at (\d+) IPv4 addresses and (\d+) IPv6 networks of \/64 can .*$/, _('Nobody at %s IPv4 addresses and %s IPv6 networks of /64 can open a connection to this router\'s networks') ],
	[ /^nobody at (\d+) IPv4 addresses can .*$/, _('Nobody at %s IPv4 addresses can open a connection to this router\'s networks') ],
	[ /^nobody at (\d+) IPv6 networks of \/64 can .*$/, _('Nobody at %s IPv6 networks of /64 can open a connection to this router\'s networks') ],
	[ /^nothing of it is left: .*$/, _('There is nothing to block: all its addresses are protected') ],
	[ /^blocked networks are not in the kernel: (.+)$/, _('blocked networks are not in the kernel: %s') ],
	[ /^blocked networks are not on flash: (.+)$/, _('blocked networks are not on flash: %s') ],
	[ /^too many requests at once: .*$/, _('too many requests at once: try again later') ],
	[ /^max_blocks \((\d+)\) is reached.*$/, _('the limit max_blocks is reached (%s)') ],
	[ /^(\S+) is not blocked: (.+)$/, _('%s is not blocked: %s') ],
	[ /^(\S+) is not blocked$/, _('%s is not blocked') ],
	[ /^noted, but not in force yet: (.+)$/, _('noted, but not in force yet: %s') ],
	[ /^everything before (\S+), because the owner asked for it$/, _('everything before %s, as the owner asked') ],
	[ /^the rows of (\S+), because the owner asked for it$/, _('the rows of %s, as the owner asked') ],
	[ /^the days of (\S+), because (\d+) newer months have data \(keep_days\)$/, _('the days of %s: %s newer months have data (keep_days)') ],
	[ /^the month (\S+), because (\d+) newer months have data \(keep_months\)$/, _('the month %s: %s newer months have data (keep_months)') ],
	[ /^this build reads no log files: .*$/, _('The program on this router reads no log files: install the package fwstat-full, or import them on a PC and restore its backup here.') ],
	[ /^cannot restore \S+: it is not a backup of fwstat; .*$/, _('This is not a backup of fwstat. Nothing was changed.') ],
	[ /^cannot restore \S+: a newer fwstat made it \((.+)\)[^]*$/, _('A newer fwstat made this backup (%s). Nothing was changed.') ],
	[ /^cannot restore \S+: .*$/, _('The backup is damaged or incomplete. Nothing was changed.') ],
	[ /^--before (\S+) is after today, .*$/, _('%s is after today, and today is still counted.') ],
	[ /^(\S+) has no single days any more and can only be deleted as a whole: give (\S+) or (\S+)$/, _('%s has no single days any more and can only be deleted as a whole: choose %s or %s.') ],
	[ /^(?:address: )?'(.*)' is no IPv4 or IPv6 address or prefix.*$/, _('"%s" is no IPv4 or IPv6 address or prefix') ],
	[ /^filter: '(.*)': .*$/, _('"%s" is not a valid filter term') ],
	[ /^filter: must have at most (\d+) terms$/, _('a filter has at most %s terms') ],
	[ /^the guard is off: .*$/, _('the guard is off: switch it on in the settings') ],
	[ /^nft is missing: .*$/, _('nft is missing: install the package nftables') ],
	[ /^no country database.*$/, _('no country database is installed') ],
	[ /^input (\S+): no ubus$/, _('the input %s does not work: there is no ubus') ],
	[ /^input (\S+): no logd$/, _('the input %s does not work: there is no logd') ],
	[ /^input (\S+): connecting$/, _('the input %s is being connected') ],
	[ /^input (\S+): reading$/, _('the input %s still reads what came before') ],
	[ /^input (\S+): (.+)$/, _('the input %s does not work: %s') ]
];

/* Of texts that stand in the daemon's table of services: po/collect takes them from there. */
const known = _;

function among(list, sentence) {
	for (const [ pattern, words ] of list) {
		const match = pattern.exec(sentence);
		if (match) return words.format(...match.slice(1).map((part) => among(sentences, part)));
	}
	return list === sentences ? sentence : among(sentences, sentence);
}

/* How many attempts a reason is about; without a number it can be all of them. */
function concerned(reason) {
	const match = /(\d+) (?:such )?attempts?\b|up to (\d+) too (?:low|high)|(?:^|: |up to )(\d+) (?:packets|lines)\b/.exec(reason);
	return match ? +match.slice(1).find((number) => number != null) : Infinity;
}

/* The attempts of an answer, or as many as its rows have. */
function attempts(answer) {
	if (answer.attempts != null) return answer.attempts;
	const rows = [ 'services', 'sources', 'countries', 'asns', 'hours', 'days', 'months', 'zones' ].map((name) => answer[name]).find((list) => list) || [];
	return rows.reduce((sum, row) => sum + row.attempts, 0);
}

const translate = (sentence) => among(sentences, sentence);

return baseclass.extend({
	/* One sentence. */
	of: translate,
	/* One that may be among others, too. */
	among: among,
	/* Why an answer is not complete, each in a sentence of its own: what can be 1 % of its attempts and more, and what is less. */
	reasons: (answer) => {
		const reasons = { large: [], small: [] };
		if (answer && answer.complete === false)
			String(answer.incomplete_because || '').split('; ').filter((reason) => reason)
				.forEach((reason) => reasons[concerned(reason) < attempts(answer) / 100 ? 'small' : 'large'].push(translate(reason)));
		return reasons;
	},
	/* What an attack on a service wants. */
	wants: (phrase) => known(phrase),
	rules: { flood: _('Flood'), scan: _('Scan'), login: _('Failed logins'), manual: _('By hand'), found: _('Found in the kernel') },
	classes: {
		attempt: _('Attempt'), backscatter: _('Stray reply'), noise: _('Noise'), egress: _('From inside'), login: _('Failed login')
	},
	verdicts: { accept: _('accepted'), drop: _('dropped'), reject: _('rejected'), unknown: _('unknown') }
});
