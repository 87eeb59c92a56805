'use strict';
'require view';
'require form';
'require uci';
'require fwstat.page as page';
'require fwstat.data as data';
'require fwstat.findings as known';
'require fwstat.words as words';

/* The options, with what `fwstat check` finds above them. */

const el = page.el;
const DURATION = /^\d+[smhdw]?$/, RATE = /^\d+\/\d+[smhdw]?$/;

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

function matching(pattern, sentence) {
	return (section, value) => value === '' || value == null || pattern.test(value) ? true : sentence;
}

function value(section, name, title, description, fallback, check) {
	const option = section.option(form.Value, name, title, description);
	option.placeholder = fallback;
	option.rmempty = true;
	if (typeof(check) == 'function') option.validate = check;
	else if (check) option.datatype = check;
	return option;
}

function flag(section, name, title, description, fallback) {
	const option = section.option(form.Flag, name, title, description);
	option.default = fallback;
	option.rmempty = false;
	return option;
}

function main(map) {
	const section = map.section(form.NamedSection, 'main', 'fwstat', _('Statistics'));
	const duration = matching(DURATION, _('A number with s, m, h, d or w, such as 90s, 1h or 60d'));
	section.addremove = false;
	flag(section, 'enabled', _('Enabled'), _('Off: nothing is counted.'), '1');
	const input = section.option(form.MultiValue, 'input', _('Inputs'), _('NFLOG counts every packet of the own rules; the log needs "option log 1" on the zone. With both, a packet is counted once.'));
	input.value('nflog', _('NFLOG (kernel)'));
	input.value('logd', _('System log'));
	input.default = [ 'nflog', 'logd' ];
	value(section, 'nflog_group', _('NFLOG group'), _('Another program that listens to the same group gets nothing: choose a free one.'), '32', 'range(0,65535)');
	const zone = section.option(form.DynamicList, 'zone', _('Zones'), _('Firewall zones whose refused packets count. A name that is no zone counts nothing.'));
	zone.placeholder = 'wan';
	zone.datatype = 'uciname';
	value(section, 'database', _('Database'), _('Folder on flash. In /tmp the statistics are gone after a reboot.'), '/etc/fwstat', 'directory');
	value(section, 'commit_interval', _('Write to flash every'), _('A power cut loses at most this long. Shorter wears the flash out.'), '1h', duration);
	value(section, 'keep_hours', _('Keep hours for'), null, '60d', duration);
	value(section, 'keep_days', _('Keep days for'), _('Less than 400 days leaves no comparison with the year before.'), '400d', duration);
	value(section, 'keep_months', _('Keep months'), null, '120', 'uinteger');
	value(section, 'evidence', _('Log lines kept as evidence'), _('In RAM.'), '200', 'uinteger');
	value(section, 'country_database', _('Country database'), _('An MMDB file, such as the package fwstat-country brings.'), '/usr/share/fwstat/country.mmdb', 'string');
	flag(section, 'watch_egress', _('Watch the inside'), _('Counts and logs new connections from inside to ports that worms look for: a device that makes many may be infected.'), '0');
	flag(section, 'mask_sources', _('Mask addresses'), _('Sources are shown as 180.188.x.x everywhere but in blocks, to everybody.'), '0');
}

function guard(map) {
	const section = map.section(form.NamedSection, 'guard', 'guard', _('Guard'), _('Blocks sources that flood, scan or guess passwords. Every block ends by itself.'));
	const rate = matching(RATE, _('A number, a slash and a time, such as 200/1m')), duration = matching(DURATION, _('A number with s, m, h, d or w, such as 90s, 1h or 60d'));
	section.addremove = false;
	const enabled = section.option(form.ListValue, 'enabled', _('Enabled'), _('A dry run decides and tells, and blocks nobody.'));
	enabled.value('0', _('Off'));
	enabled.value('1', _('On'));
	enabled.value('dry', _('Dry run'));
	enabled.default = '0';
	value(section, 'flood', _('Flood'), _('Attempts from one source. Too low blocks busy but harmless sources.'), '200/1m', rate);
	value(section, 'scan', _('Scan'), _('Different services from one source.'), '30/1m', rate);
	value(section, 'login', _('Failed logins'), _('From one source. Too low and a mistyped password locks you out.'), '5/10m', rate);
	value(section, 'block_for', _('Block for'), _('The first block; it doubles for repeat offenders.'), '1h', duration);
	value(section, 'block_cap', _('Block at most for'), null, '7d', duration);
	const scope = section.option(form.ListValue, 'scope', _('What is blocked'));
	scope.value('new', _('New inbound connections'));
	scope.value('all', _('Every packet'));
	scope.default = 'new';
	value(section, 'budget', _('Blocks per time'), _('More than these are reported and not blocked.'), '30/1m', rate);
	value(section, 'max_blocks', _('Blocks in all'), null, '4096', 'uinteger');
	const allow = section.option(form.DynamicList, 'allow', _('Never block'), _('Addresses and prefixes. Put your own remote ones here.'));
	allow.datatype = 'or(cidr4,cidr6,ipaddr)';
}

return view.extend({
	load: () => Promise.all([ data.attempt('status'), uci.load('fwstat') ]),

	render: function([ status ]) {
		page.styles();
		const map = new form.Map('fwstat', null, null);
		/* Who may only read gets no button. */
		if (!data.mayWrite()) {
			map.readonly = true;
			this.handleSave = this.handleSaveApply = this.handleReset = null;
		}
		main(map);
		guard(map);
		return map.render().then((rendered) => el('div', { 'class': 'fw-page', 'data-page': 'settings' }, [
			el('div', { 'class': 'fw-head' }, el('h2', {}, _('Firewall Statistics'))), el('div', { 'class': 'fw-body' }, findings(status)), rendered
		]));
	}
});
