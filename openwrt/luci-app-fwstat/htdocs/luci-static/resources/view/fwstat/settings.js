'use strict';
'require view';
'require form';
'require uci';
'require tools.widgets as widgets';
'require fwstat.options as options';
'require fwstat.about as about';
'require fwstat.page as page';
'require fwstat.data as data';
'require fwstat.findings as known';
'require fwstat.lists as lists';
'require fwstat.upkeep as upkeep';
'require fwstat.words as words';

/* The options, with what `fwstat check` finds above them. */

const el = page.el;

function findings(status) {
	if (status.failed) return page.notice('wrong', words.of(status.failed));
	const rows = status.findings || [], label = { wrong: _('wrong'), note: _('note'), ok: _('fine') }, kind = { wrong: 'fw-wrong', note: 'fw-note', ok: 'fw-good' };
	const row = (finding) => el('tr', {}, [ el('td', {}, el('span', { 'class': 'fw-tag ' + (kind[finding.kind] || '') }, label[finding.kind] || finding.kind)), el('td', {}, known.of(finding)) ]);
	const [ bad, fine ] = [ rows.filter((finding) => finding.kind != 'ok'), rows.filter((finding) => finding.kind == 'ok') ];
	return page.section(_('Is everything in place?'), [
		bad.length ? el('table', { 'class': 'fw-table' }, el('tbody', {}, bad.map(row))) : page.notice('good', _('Nothing is missing.')),
		fine.length ? el('details', {}, [ el('summary', {}, N_(fine.length, '%s check passed', '%s checks passed').format(fine.length)), el('table', { 'class': 'fw-table' }, el('tbody', {}, fine.map(row))) ]) : null
	]);
}

const UNITS = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 };

/* `10m` -> 600. A number alone is in seconds. */
function seconds(written) {
	const match = /^(\d+)([smhdw]?)$/.exec(written);
	return match ? +match[1] * UNITS[match[2] || 's'] : NaN;
}

/* 600 -> `10m`: in the largest unit that holds it whole. */
function inUnits(time) {
	const unit = [ 'd', 'h', 'm' ].find((name) => time % UNITS[name] == 0) || 's';
	return time / UNITS[unit] + unit;
}

const within = (number, least, most) => number >= least && number <= most;

/* What the daemon takes, and the sentence about what it does not. */
const CHECKS = {
	number: (row) => [ (value) => /^\d+$/.test(value) && within(+value, row.least, row.most), _('A whole number from %s to %s').format(row.least, row.most) ],
	duration: (row) => [ (value) => within(seconds(value), row.least, row.most), _('A time from %s to %s, such as 90s, 10m, 1h or 7d').format(inUnits(row.least), inUnits(row.most)) ],
	rate: (row) => [ (value) => {
		const match = /^(\d+)\/(.+)$/.exec(value);
		return match != null && within(+match[1], 1, row.most) && within(seconds(/^[smhd]$/.test(match[2]) ? '1' + match[2] : match[2]), ...row.window);
	}, _('A number from 1 to %s, a slash and a time from %s to %s, such as 200/1m').format(row.most, ...row.window.map(inUnits)) ],
	url: () => [ (value) => value.length <= 512 && /^https:\/\/[A-Za-z0-9[][A-Za-z0-9\-._~:\/?#[\]@!$&()*+,;=%]*$/.test(value), _('An address that begins with https://') ],
	text: () => [ (value) => /^[^\x00-\x1f\x7f-\x9f]{0,128}$/u.test(value), _('At most 128 characters') ],
	path: () => [ (value) => /^\/[A-Za-z0-9_.\/-]{0,254}$/.test(value) && !value.split('/').includes('..'), _('A path of letters, digits, . _ - and / that begins with / and has no ".." in it') ]
};
const LISTS = {
	zones: _('At most %s zones'),
	prefixes: _('At most %s addresses and prefixes')
};

/* The daemon takes any of OpenWrt's words for on and off, LuCI's fields know these two: a field would write another as 0. */
const SWITCHES = { on: '1', 'true': '1', yes: '1', enabled: '1', off: '0', 'false': '0', no: '0', disabled: '0' };

function switched(field) {
	field.load = (section) => {
		const value = uci.get('fwstat', section, field.option);
		return SWITCHES[value] || value;
	};
	return field;
}

function checked(option, row) {
	if (CHECKS[row.kind]) {
		const [ good, sentence ] = CHECKS[row.kind](row);
		option.validate = (section, value) => value === '' || value == null || good(value) ? true : sentence;
	}
	if (LISTS[row.kind])
		option.validate = (section, value) => !Array.isArray(value) || value.length <= row.most ? true : LISTS[row.kind].format(row.most);
	return option;
}

/* A section of the form; its options have the defaults and ranges of the daemon's table. */
function rows(map, name, type, title, description) {
	const section = map.section(form.NamedSection, name, type, title, description), known = options[type];
	section.addremove = false;
	const add = (Kind, option, title, description) => checked(section.option(Kind, option, title, description), known[option]);
	return {
		value: (option, title, description) => {
			const field = add(form.Value, option, title, description);
			field.placeholder = known[option]['default'];
			field.rmempty = true;
			return field;
		},
		flag: (option, title, description) => {
			const field = switched(add(form.Flag, option, title, description));
			field['default'] = known[option]['default'];
			field.rmempty = false;
		},
		choice: (option, title, description, labels) => {
			const field = switched(add(form.ListValue, option, title, description));
			known[option].words.forEach((word) => field.value(word, labels[word] || word));
			field['default'] = known[option]['default'];
		},
		choices: (option, title, description, labels) => {
			const field = add(form.MultiValue, option, title, description);
			known[option].words.forEach((word) => field.value(word, labels[word] || word));
			field['default'] = known[option]['default'];
		},
		/* Of what LuCI itself has a field for. */
		other: add
	};
}

function main(map) {
	const add = rows(map, 'main', 'fwstat', _('Statistics'));
	add.flag('enabled', _('Enabled'), _('Off: nothing is counted.'));
	add.choices('input', _('Inputs'), _('NFLOG counts every packet of fwstat\'s rules; the log needs "option log 1" on the zone. With both, a packet is counted once.'),
		{ nflog: _('NFLOG (kernel)'), logd: _('System log') });
	add.value('nflog_group', _('NFLOG group'), _('Must not be used by another program (e.g. ulogd2), or nothing is received.'));
	const zone = add.other(widgets.ZoneSelect, 'zone', _('Zones'), _('Firewall zones whose refused packets count.'));
	zone.multiple = true;
	zone.nocreate = true;
	zone['default'] = options.fwstat.zone['default'];
	add.value('database', _('Database'), _('Directory on flash. In /tmp the statistics are lost at a reboot.'));
	add.value('commit_interval', _('Write to flash every'), _('A power cut loses at most this much. Short intervals wear out the flash.'));
	add.value('keep_hours', _('Keep hours for'), _('Months with hours of services and sources.'));
	add.value('keep_days', _('Keep days for'), _('Less than 13 months leaves no comparison with the year before.'));
	add.value('keep_months', _('Keep months'), _('In all.'));
	add.value('evidence', _('Log lines kept as evidence'), _('In RAM.'));
	add.value('country_database', _('Country database'), _('An MMDB file, such as that of the package fwstat-country.'));
	add.value('as_database', _('AS database'), _('An MMDB file of AS numbers and names: GeoLite2-ASN or ip-location-db\'s asn.mmdb. Empty: none.'));
	add.flag('watch_egress', _('Watch the inside'), _('Counts and logs new connections from inside to ports that worms look for: a device that makes many may be infected.'));
	add.flag('mask_sources', _('Mask addresses'), _('Sources are shown as 180.188.x.x except in blocks; backups and the log have whole addresses.'));
}

function guard(map) {
	const add = rows(map, 'guard', 'guard', _('Guard'), _('Blocks sources that flood, scan or guess passwords. Every such block expires.'));
	add.choice('enabled', _('Enabled'), _('A dry run decides and reports, but blocks nobody.'), { 0: _('Off'), 1: _('On'), dry: _('Dry run') });
	add.value('flood', _('Flood'), _('Attempts from one source. Too low blocks busy but harmless sources.'));
	add.value('scan', _('Scan'), _('Different services or destinations from one source; UDP and ICMP count half.'));
	add.value('login', _('Failed logins'), _('From one source. Too low and a mistyped password locks you out.'));
	add.value('block_for', _('Block for'), _('The first block; it doubles for repeat offenders.'));
	add.value('block_cap', _('Block at most for'), _('For floods and scans at most 1d, or the first block if that is longer.'));
	add.choice('scope', _('What is blocked'), null, { 'new': _('New inbound connections'), all: _('Every packet') });
	add.value('budget', _('Blocks per time'), _('More than these are reported and not blocked.'));
	add.value('max_blocks', _('Most blocks'), _('For floods and scans; failed logins have 1024, blocks by hand 256 of their own.'));
	const allow = add.other(form.DynamicList, 'allow', _('Never block'), _('Addresses and prefixes, such as those from which you manage the router from outside.'));
	const few = allow.validate;
	/* LuCI checks one entry when it is added, and its own types take addresses with which the daemon leaves the guard off. */
	allow.validate = (section, value) => value && !lists.isNetwork(value) ? _('"%s" is no IPv4 or IPv6 address or prefix').format(value) : few(section, allow.formvalue(section));
}

function fleet(map) {
	const add = rows(map, 'fleet', 'fleet', _('Fleet'), _('Sends a file of each day that is over, with sources and what they tried, to a server of your own.'));
	add.flag('enabled', _('Enabled'), _('Needs the package curl, and a token in the file below.'));
	add.value('url', _('Server'), _('URL to which the files are sent.'));
	add.value('token_file', _('Token file'), _('Owned by root, mode 0600.'));
	add.choice('sources', _('Sources'), _('What is sent about them; while addresses are masked, at least the hash.'),
		{ address: _('Addresses'), hash: _('A keyed hash of each'), none: _('Only how many there were') });
	add.value('hash_key', _('Key of the hash'), _('The same on all routers, so that a source that several routers see counts once. Empty: a key of this router.'));
	add.value('spread', _('Spread'), _('A file waits a random part of this time.'));
	add.value('keep', _('Keep for'), _('How long files wait for a server that does not answer.'));
	add.flag('shared', _('Block shared sources'), _('While the guard is on, new connections from sources that many routers saw are refused. What the guard never blocks stays out.'));
}

/* What the notifier sends, each kind off while it is empty. */
function messages(map) {
	const section = map.section(form.NamedSection, 'notify', 'notify', _('Messages'),
		_('About blocks, anomalies and losses. Each kind is off while its field is empty. Tokens and passwords are in the file of secrets.'));
	section.addremove = false;
	const add = (option, title, description, placeholder, good, sentence) => {
		const field = section.option(form.Value, option, title, description);
		field.placeholder = placeholder;
		field.rmempty = true;
		if (good) field.validate = (id, value) => !value || good.test(value) ? true : sentence;
	};
	const url = /^https?:\/\/\S+$/, urlSentence = _('An address that begins with https:// or http://');
	add('mail', _('Mail to'), _('By msmtp or sendmail.'), 'owner@example.org', /^[A-Za-z0-9._+][A-Za-z0-9._+-]*@[A-Za-z0-9.-]+$/, _('A mail address'));
	add('mail_from', _('Mail from'), null, 'router@example.org');
	add('ntfy', 'ntfy', _('The URL of a topic; secret ntfy_token.'), 'https://ntfy.example.org/router', url, urlSentence);
	add('webhook', 'Webhook', _('A URL, gets JSON by POST; secret webhook_authorization.'), 'https://example.org/hook', url, urlSentence);
	add('telegram', 'Telegram', _('The id of a chat; secret telegram_token.'), '123456', /^-?\d+$|^@\w+$/, _('A number, or a name with @'));
	add('mqtt', 'MQTT', _('The host of a broker, with Home Assistant\'s discovery; secrets mqtt_user and mqtt_password.'), '192.168.1.5', /^[A-Za-z0-9.:_-]+$/, _('A host name or an address'));
	add('dshield', 'DShield', _('Your user id: the evidence of blocks is mailed there.'), '12345', /^\d{1,9}$/, _('A whole number'));
	const abuseipdb = switched(section.option(form.Flag, 'abuseipdb', 'AbuseIPDB', _('Reports blocks there: others then see whom you blocked and why; secret abuseipdb_key.')));
	abuseipdb.rmempty = true;
	const report = section.option(form.ListValue, 'report', _('Report'), _('Of the past week or month, on the first day of the next; by mail the monthly report is HTML.'));
	report.value('off', _('Off'));
	report.value('weekly', _('Every week'));
	report.value('monthly', _('Every month'));
	report['default'] = 'off';
	add('most', _('At most'), _('Messages per time; further ones are summed up in one.'), '6/1h', /^(?!.{10})[1-9]\d*\/[1-9]\d*[smhd]$/, _('A number, a slash and a time, such as 6/1h, in at most 9 characters'));
	add('secret_file', _('File of secrets'), _('Owned by root, mode 0600; one name=value a line.'), '/etc/fwstat/notify.secret', /^\/[^\x00-\x1f]+$/, _('A path that begins with / and has no ".." in it'));
}

/* Where the page leads to about an address. */
function links(map) {
	const section = map.section(form.NamedSection, 'page', 'page', _('This page'));
	section.addremove = false;
	const link = section.option(form.DynamicList, 'link', _('Links about a source'), _('A name, | and an address with {address} in it, such as Whois|https://example.org/?q={address}. They are opened only when you choose one.'));
	link.placeholder = 'Whois|https://example.org/?q={address}';
	link.validate = (id, value) => [ value ].flat().every((one) => !one || about.link(one)) ? true : _('A name, | and a web address with {address} in it');
}

return view.extend({
	load: () => uci.load('fwstat'),

	render: function() {
		const map = new form.Map('fwstat', null, null);
		/* Who may only read gets no button. */
		if (!data.mayWrite()) {
			map.readonly = true;
			this.handleSave = this.handleSaveApply = this.handleReset = null;
		}
		main(map);
		guard(map);
		fleet(map);
		messages(map);
		links(map);
		return map.render().then((rendered) => {
			const frame = page.open({ name: 'settings', masks: false, load: () => data.attempt('status'), draw: (state, status) => [ findings(status), status.failed ? null : upkeep.section(status) ] });
			frame.append(rendered);
			return frame;
		});
	}
});
