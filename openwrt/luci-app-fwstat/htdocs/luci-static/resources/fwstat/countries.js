'use strict';
'require baseclass';
'require fwstat.page as page';
'require fwstat.charts as charts';
'require fwstat.table as table';
'require fwstat.text as text';

/* The tables of countries and of networks, or what is missing for them. */

const el = page.el;

return baseclass.extend({
	/* Which database it is. */
	source: (status) => {
		const database = status && status.countries;
		if (!database || database.state != 'ok') return null;
		return el('p', { 'class': 'fw-soft' }, database.date ? _('Country database: %s, data of %s').format(database.path, text.day(database.date)) : _('Country database: %s').format(database.path));
	},

	/* Of autonomous systems; nothing without a database of them. */
	networks: (answer, tab) => {
		if (!answer || answer.failed) return answer ? page.failed(answer) : null;
		const rows = answer.asns, all = rows.reduce((sum, row) => sum + row.attempts, 0), covers = answer.covers;
		return page.section(_('Networks'), [ page.incomplete(answer), table.make([
			{ key: 'asn', title: _('AS'), value: (row) => row.asn, show: (row) => row.asn == null ? _('unknown') : String(row.asn) },
			{ key: 'name', title: _('Name'), value: (row) => row.name },
			{ key: 'attempts', title: _('Attempts'), right: true, value: (row) => row.attempts },
			{ key: 'listed_sources', title: _('Sources'), right: true, value: (row) => row.listed_sources },
			{ key: 'share', title: _('Share'), value: (row) => all ? row.attempts / all : 0, show: (row) => charts.share(row.attempts, all) }
		], rows, { name: 'networks', tab: tab, sort: '-attempts' }),
		covers < 1 ? el('p', { 'class': 'fw-soft', 'data-fact': 'covers' }, _('Only sources that are listed individually: %s %% of the attempts.').format(text.number(Math.floor(covers * 100)))) : null ]);
	},

	list: (answer, tab, range) => {
		if (answer.failed)
			return /no country database/.test(answer.failed) ? page.notice('note', [
				_('No country database is installed, so the countries of sources are not known.'),
				_('Install the package fwstat-country: opkg install fwstat-country, from OpenWrt 25.12 on apk add fwstat-country; then restart fwstat.')
			]) : page.failed(answer);
		const rows = answer.countries, all = rows.reduce((sum, row) => sum + row.attempts, 0);
		return [ page.incomplete(answer), table.make([
			{ key: 'country', title: _('Country'), value: (row) => text.country(row.country), show: (row) => page.link(text.country(row.country), 'sources', Object.assign({ country: row.country }, range)) },
			{ key: 'attempts', title: _('Attempts'), right: true, value: (row) => row.attempts },
			{ key: 'unique_sources', title: _('Sources'), right: true, value: (row) => row.unique_sources, show: (row) => row.unique_sources_error
				? el('span', { title: _('estimated from a sample') }, '%s ± %s'.format(text.number(row.unique_sources), text.number(row.unique_sources_error))) : text.number(row.unique_sources) },
			{ key: 'share', title: _('Share'), value: (row) => all ? row.attempts / all : 0, show: (row) => charts.share(row.attempts, all) }
		], rows, { name: 'countries', tab: tab, sort: '-attempts' }),
		el('p', { 'class': 'fw-soft' }, _('The country in which an address is registered. It does not say who uses the address, and a source can be forged.')) ];
	}
});
