'use strict';
'require baseclass';

/* Made of the daemon's table of options by tests/structure/page_options.rs: do not change it here. Times in seconds. */

return baseclass.extend({
	fwstat: {
		enabled: { kind: 'flag', 'default': '1' },
		input: { kind: 'choices', words: [ 'nflog', 'logd' ], 'default': [ 'nflog', 'logd' ] },
		nflog_group: { kind: 'number', least: 0, most: 65535, 'default': '32' },
		zone: { kind: 'zones', most: 16, 'default': [ 'wan' ] },
		database: { kind: 'path', 'default': '/etc/fwstat' },
		commit_interval: { kind: 'duration', least: 60, most: 604800, 'default': '1h' },
		keep_hours: { kind: 'number', least: 2, most: 6, 'default': '2' },
		keep_days: { kind: 'number', least: 2, most: 36, 'default': '14' },
		keep_months: { kind: 'number', least: 1, most: 600, 'default': '120' },
		evidence: { kind: 'number', least: 0, most: 2000, 'default': '200' },
		country_database: { kind: 'path', 'default': '/usr/share/fwstat/country.mmdb' },
		as_database: { kind: 'path', optional: true, 'default': '' },
		mask_sources: { kind: 'flag', 'default': '0' },
		watch_egress: { kind: 'flag', 'default': '0' }
	},
	guard: {
		enabled: { kind: 'choice', words: [ '0', '1', 'dry' ], 'default': '0' },
		flood: { kind: 'rate', most: 1000000, window: [ 1, 86400 ], 'default': '200/1m' },
		scan: { kind: 'rate', most: 1000, window: [ 1, 86400 ], 'default': '30/1m' },
		login: { kind: 'rate', most: 1000000, window: [ 1, 86400 ], 'default': '5/10m' },
		block_for: { kind: 'duration', least: 10, most: 2592000, 'default': '1h' },
		block_cap: { kind: 'duration', least: 10, most: 7776000, 'default': '7d' },
		scope: { kind: 'choice', words: [ 'new', 'all' ], 'default': 'new' },
		budget: { kind: 'rate', most: 1000000, window: [ 1, 86400 ], 'default': '30/1m' },
		max_blocks: { kind: 'number', least: 1, most: 16384, 'default': '4096' },
		allow: { kind: 'prefixes', most: 1024, 'default': [] }
	},
	fleet: {
		enabled: { kind: 'flag', 'default': '0' },
		url: { kind: 'url', 'default': '' },
		token_file: { kind: 'path', 'default': '/etc/fwstat.token' },
		sources: { kind: 'choice', words: [ 'address', 'hash', 'none' ], 'default': 'address' },
		hash_key: { kind: 'text', 'default': '' },
		spread: { kind: 'duration', least: 0, most: 86400, 'default': '6h' },
		keep: { kind: 'duration', least: 86400, most: 5184000, 'default': '7d' },
		shared: { kind: 'flag', 'default': '0' }
	}
});
