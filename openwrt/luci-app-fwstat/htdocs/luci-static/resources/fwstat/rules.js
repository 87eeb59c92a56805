'use strict';
'require baseclass';
'require fwstat.page as page';
'require fwstat.charts as charts';
'require fwstat.table as table';
'require fwstat.text as text';

/* Attempts by firewall rule and zone, and the hosts inside that they were aimed at. */

const el = page.el;

return baseclass.extend({
	sections: (answer, tab, range) => {
		if (answer.failed) return page.section(_('Firewall rules'), page.failed(answer));
		const all = answer.zones.reduce((sum, row) => sum + row.attempts, 0);
		const attempts = { key: 'attempts', title: _('Attempts'), right: true, value: (row) => row.attempts, show: (row) =>
			row.error ? el('span', { title: _('at most %s too high').format(text.number(row.error)) }, '≤ ' + text.number(row.attempts)) : text.number(row.attempts) };
		const share = { key: 'share', title: _('Share'), wide: true, value: (row) => all ? row.attempts / all : 0, show: (row) => charts.share(row.attempts, all) };
		const make = (name, columns, rows) => table.make(columns, rows, { name: name, tab: tab, sort: '-attempts', search: rows.length > 10 ? null : false });
		return [
			el('div', { 'class': 'fw-columns' }, [
				page.section(_('Firewall rules'), [ page.incomplete(answer), make('rules', [
					{ key: 'prefix', title: _('Log prefix'), value: (row) => row.prefix || null },
					{ key: 'interface', title: _('Interface'), known: true, value: (row) => row.interface }, attempts, share
				], answer.rules) ]),
				page.section(_('Zones'), make('zones', [
					{ key: 'zone', title: _('Zone'), value: (row) => row.zone || _('not known') }, attempts, share
				], answer.zones))
			]),
			answer.targets.length ? page.section(_('Forwarded to'), [
				el('p', { 'class': 'fw-soft' }, _('Hosts behind the router that attempts were aimed at; the firewall did not forward them.')),
				make('targets', [
					{ key: 'address', title: _('Address'), value: (row) => text.address(row.address) },
					{ key: 'service', title: _('Service'), value: (row) => text.namedService(row), show: (row) =>
						page.link(text.namedService(row), 'ports', Object.assign({ protocol: row.protocol, port: row.port }, range)) }, attempts
				], answer.targets)
			]) : null
		];
	}
});
