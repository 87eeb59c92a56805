// Every sentence of the daemon that the page can show has a pattern in words.js or findings.js: sentences.mjs, without a browser.
// Sentences are the texts of three words and more in the files below, up to their tests, with 7 for each place. That
// each pattern's own text is in Japanese, po/collect --check says.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const project = path.join(path.dirname(fileURLToPath(import.meta.url)), '../..');
const resources = path.join(project, 'openwrt/luci-app-fwstat/htdocs/luci-static/resources/fwstat');

// Where warnings, findings, reasons, refusals and the states of guard and store are worded: a file, or a part of it.
const FILES = [
	'config/mod.rs', [ 'config/options.rs', 'struct Syntax', 'type Words' ], [ 'config/options.rs', 'fn expected', '\n    }\n' ],
	'daemon/check.rs', 'daemon/check/fleet.rs', 'daemon/check/guarded.rs', 'daemon/check/rules.rs',
	'daemon/core.rs', 'daemon/core/inputs.rs', 'daemon/core/questions.rs', 'daemon/core/status.rs', 'daemon/counters.rs', 'daemon/enforcer/status.rs',
	[ 'daemon/fleet.rs', 'fn warnings', '\n    }\n' ], 'daemon/ledger.rs', 'daemon/networks.rs', 'daemon/networks/job.rs', 'daemon/nft_sync.rs',
	'daemon/options_file.rs', 'daemon/store.rs', 'daemon/store/commit.rs', 'daemon/wan.rs', 'daemon/zone.rs', 'geoip/mod.rs',
	[ 'guard/bounds.rs', 'fn reached', '\n    }\n' ], 'guard/networks.rs', 'guard/policy.rs', 'guard/words.rs', 'input/nflog/mod.rs', 'config/uci.rs', 'daemon/store/job.rs',
	'query/countries.rs', 'query/asns.rs', 'query/filter.rs', 'query/lists.rs', 'query/mod.rs', 'query/periods.rs', 'query/question.rs', 'query/rules.rs', 'query/scan.rs', 'query/summary.rs', 'query/target.rs',
	'store/files.rs', 'store/month.rs'
];
// What becomes of a text that does not come to the page as it stands; nothing: it is not shown there.
const OTHERS = {
	// Two kinds of databases, lists, periods and bounds.
	'the 7 database 7 cannot be used: 7': [ 'the country database 7 cannot be used: 7', 'the AS database 7 cannot be used: 7' ],
	'the 7 database 7 is 7 days old: what it says of newer address ranges is missing or wrong': [ 'country', 'AS' ].map((kind) => `the ${kind} database 7 is 7 days old: what it says of newer address ranges is missing or wrong`),
	'the clock stepped 7 by 7 days: it is trusted once that lasts for 24 hours': [ 'forward', 'back' ].map((way) => `the clock stepped ${way} by 7 days: it is believed once that lasts for 24 hours`),
	'7 with up to 7 attempts can be missing': [ 'services', 'sources', 'targets', 'countries' ].map((rows) => `${rows} with up to 7 attempts can be missing`),
	'the attempts of some 7 can be up to 7 too low': [ 'services', 'sources', 'targets', 'countries' ].map((rows) => `the attempts of some ${rows} can be up to 7 too low`),
	'up to 7 packets 7 are in no figure: lost before they were read (entries of the log count as packets), or refused where only their number is known': [ 'on', 'in' ].map((when) => `up to 7 packets ${when} 7 are in no figure: lost`),
	'nobody at 7 can open a connection to this router\'s networks': [ '7 IPv4 addresses', '7 IPv6 networks of /64', '7 IPv4 addresses and 7 IPv6 networks of /64' ].map((many) => `nobody at ${many} can open a connection to this router's networks`),
	'the budget of 7 blocks for 7 within 7 is used up': [ 'floods and scans', 'failed logins' ].map((what) => `the budget of 7 blocks for ${what} within 7 is used up: 7 are not blocked`),
	'7 (7) is reached: 7 are not blocked': [ 'max_blocks', 'the limit of blocks for failed logins', 'the limit of blocks by hand' ].map((bound) => `${bound} (7) is reached: 7 are not blocked`),
	'7, the file is set aside as 7': [ '7 is damaged: a section cannot be read; what is readable of it is used, the file is set aside as 7' ],
	'7; the daemon runs with its defaults': [ 'cannot read 7: 7; the daemon runs with its defaults', 'cannot read 7: it is longer than 7 KiB; the daemon runs with its defaults' ],
	'findings: fwstat check lists them': [ '7 more findings: fwstat check lists them' ],
	'the prefix is too short: 7': [ 'the prefix is too short: at least /7 of IPv4, /7 of IPv6' ], 'at least /7 of IPv4, /7 of IPv6': [],
	'cannot list the store': [ 'cannot list the store: 7' ],
	'cannot write the store': [ 'in RAM only: cannot write the store: 7' ],
	'cannot write to 7: 7': [ 'in RAM only: cannot write to 7: 7' ],
	// Parts of the sentences above, or of others.
	'7: 7 are not blocked': [], '7 IPv4 addresses and 7 IPv6 networks of /64': [],
	'more password guessers': [], 'the limit of blocks for failed logins': [], 'more addresses by hand': [], 'the limit of blocks by hand': [], 'floods and scans': [],
	'open a netlink socket': [ 'NFLOG: cannot open a netlink socket: 7' ], 'set the receive buffer': [], 'listen to the group': [], 'talk to the kernel': [],
	'must be at most 7 bytes': [ 'filter: must be at most 7 bytes' ], 'must have at most 7 terms': [ 'filter: must have at most 7 terms' ], 'a word is missing': [ "filter: '7': a word is missing" ],
	'a date (YYYY-MM-DD, such as 2020-04-06)': [ "to: '7' is not a date (YYYY-MM-DD, such as 2020-04-06)" ], 'a class (attempt, backscatter, noise, egress or login)': [ "class: '7' is not a class (attempt, backscatter, noise, egress or login)" ],
	'a protocol (tcp, udp, icmp, ... or a number from 0 to 255)': [ "protocol: '7' is not a protocol (tcp, udp, icmp, ... or a number from 0 to 255)" ], 'a port number (0 to 65535)': [ "port: '7' is not a port number (0 to 65535)" ],
	'a country code (two letters, such as JP)': [ "country: '7' is not a country code (two letters, such as JP)" ], 'a number of rows (1 to 7)': [ "limit: '7' is not a number of rows (1 to 7)" ],
	'drop syn_flood:': [], 'drop invalid ct state:': [],
	// Only in the log.
	'guard: the block of 7 was ended by hand': [],
	'the clock is trusted again': [], 'the store can be written again': [], 'the time zone is 7 from now on': [], '7 addresses and networks are': [], '7 is older than all stored months: 7 attempts are left out': [],
	'7 has another store now: the months of the one before are in no answer': [],
	// Only `fwstat check` finds it.
	'the running daemon is of another version than this program: /etc/init.d/fwstat restart': [],
	'the daemon does not run: /etc/init.d/fwstat start; if it ends again, logread -e fwstat says why': [],
	'the daemon does not answer: 7': [], 'the 7 database has data of 7': [], 'cannot read the free space of 7: 7': [],
	'the fleet\'s batches are sent by curl, which is missing: install the package curl': [], 'the fleet\'s token_file 7 cannot be read: 7': [],
	'the fleet\'s token_file 7 holds no token': [], 'the fleet\'s token_file 7 can be read by others: chmod 600 7': [], 'the fleet\'s token is there': [],
	'cannot ask the kernel for the guard\'s table: 7': [], 'cannot list the firewall\'s rules: is nft installed, and are you root?': [],
	'7 7 is open to the Internet (7)7': [], '; without the daemon it is unknown how often it was tried': [],
	// The page does not ask that.
	'address: one IPv4 or IPv6 address is needed': [],
	'daily: not together with a source': [], 'daily: give from and to, at most 7 days apart': [],
	'hours are stored by service and by source, not by both: ask with one of them': [], 'source: give the address that you ask about': [],
	'a summary is about everything: ask services, sources, days, months or hours with a filter': [],
	'7 is known to the running daemon only: ask without --db': [], '7 is not stored by country: ask services, sources, days or months': [],
	'daily is not stored by country: leave out one of them': [], 'country and source: give one of them': [],
	'anomalies are days of a service: ask for them without a class and a source': []
};
// What is made of several texts, by all of them.
const MADE = [
	"/etc/config/fwstat:7: option flood '7': expected a rate such as 200/1m: 1 to 7 in 1s to 1d; the guard stays off",
	"/etc/config/fwstat:7: option 7 '7': unknown option in section '7'; it is ignored", "nflog: NFLOG group 7 is taken by another program (7)", "input nflog: no permission to listen to NFLOG: 7",
	'2020-01.fws is damaged: 7; it is not in the backup', '/tmp/fwstat-upload was read before: it is not counted again', '/tmp/fwstat-upload is empty',
	'2020-01-02 to 2020-01-03 had events before this import: 7', '2020-01-02 had events before this import: 7', '2020-01 is left out with 7 attempts: 7 newer months have data',
	'7 events are dated in the future, the first 7', '7 blocked networks of the backup were not added: 7 are blocked already',
	'ubus refuses to subscribe to logd: 7', 'address: \'7\': the prefix length must be a number from 0 to 7', 'the limit of blocks by hand (7) is reached',
	"the fleet's server refused 7 batches: they are kept as .bad", "no batch is sent to the fleet's server (HTTP 7): logread 7"
];

String.prototype.format = function(...values) {
	let index = 0;
	return this.replace(/%(%|s)/g, (match, kind) => kind == '%' ? '%' : String(values[index++]));
};
const MARK = '\u0001';
const load = (name, words) => new Function('_', 'baseclass', 'words', fs.readFileSync(path.join(resources, name), 'utf8'))((text) => MARK + text, { extend: (made) => made }, words);
const words = load('words.js'), findings = load('findings.js', words);

function texts(row) {
	const [ file, from, to ] = [ row ].flat(), all = fs.readFileSync(path.join(project, 'src', file), 'utf8').split('#[cfg(test)]\nmod tests {')[0];
	const begin = from ? all.indexOf(from) : 0, end = to ? all.indexOf(to, begin) : all.length;
	if (begin < 0 || end < 0) throw new Error(`${file} has no ${from} to ${to}`);
	const code = all.slice(begin, end).replace(/b?'\\?["']'/g, '').replace(/^\s*\/\/.*$/gm, '').replace(/\b(?:expect|panic!|unreachable!|(?:debug_)?assert\w*!)\([^;]*;/g, '');
	return [ ...code.matchAll(/"((?:[^"\\]|\\[^])*)"/g) ].map(([ , text ]) => text.replace(/\\\n\s*/g, '').replace(/\\(.)/g, '$1').replace(/\{[^{}]*\}/g, '7'))
		.filter((text) => / /.test(text) && text.match(/[a-z']{2,}/g)?.length > 2);
}

const found = [ ...new Set(FILES.flatMap(texts)) ];
const shown = found.flatMap((text) => OTHERS[text] || [ text ]);
const gone = Object.keys(OTHERS).filter((text) => !found.includes(text));
const wrong = shown.concat(MADE).filter((text) => !findings.of({ text }).includes(MARK) || /%s|undefined/.test(findings.of({ text })));
// Reasons stand together in one text, with a semicolon between them; some have one of their own.
const reasons = [ '7 is damaged: it is missing; what is readable of it is used', '7 was written by a newer fwstat (format 7, this one reads up to 7): it is left as it is; use the newer fwstat', 'older events are no longer held' ];
const apart = words.reasons({ complete: false, incomplete_because: reasons.join('; ') });
assert.deepEqual(apart, { large: reasons.map(words.of), small: [] });
wrong.forEach((text) => console.error(`no pattern for: ${text}`));
gone.forEach((text) => console.error(`no longer in the sources: ${text}`));
if (found.length < 150 || gone.length || wrong.length) process.exit(1);
console.log(`all ${shown.length} sentences have a pattern`);
