'use strict';
'require view';
'require fwstat.page as page';
'require fwstat.charts as charts';
'require fwstat.data as data';
'require fwstat.guard as guard';
'require fwstat.table as table';
'require fwstat.text as text';
'require fwstat.words as words';

/* Today at a glance. One call of `summary` for every look. */

const el = page.el;

function tile(label, number, asides) {
	return el('div', { 'class': 'fw-tile' }, [
		el('div', { 'class': 'fw-label' }, label), el('div', { 'class': 'fw-figure-number' }, number),
		[ asides ].flat().filter(Boolean).map((aside) => el('div', { 'class': 'fw-aside' }, aside))
	]);
}

/* Attempts until the hour that is not over yet. */
const until = (hours, hour) => hours.filter((row) => row.hour < hour).reduce((sum, row) => sum + row.attempts, 0);

function tiles(answer) {
	const hour = answer.now ? +answer.now.slice(11, 13) : 24, before = answer.before, asides = [];
	if (before && hour > 0 && hour < 24)
		asides.push(_('%s by %s, yesterday %s').format(text.number(until(answer.hours, hour)), text.hour(hour), text.number(until(before.hours, hour))));
	if (before) asides.push(_('yesterday in all: %s').format(text.number(before.attempts)));
	if (answer.usual_per_day != null) asides.push(_('usual for a day: %s').format(text.number(answer.usual_per_day)));
	const on = answer.guard == null || answer.guard.state == 'on' || answer.guard.state == 'degraded';
	const others = [ 'egress', 'login', 'backscatter', 'noise' ].filter((name) => answer.classes[name] > 0)
		.map((name) => '%s: %s'.format(words.classes[name], text.number(answer.classes[name])));
	return el('div', { 'class': 'fw-tiles' }, [
		tile(_('Attempts today'), text.number(answer.attempts), asides),
		tile(_('Different sources'), text.number(answer.unique_sources), before && before.unique_sources != null ? _('yesterday: %s').format(text.number(before.unique_sources)) : null),
		tile(_('Blocked now'), answer.blocks && on ? text.number(answer.blocks.active) : '–',
			[ guard.short(answer.guard), answer.blocks && on ? _('blocked today: %s').format(text.number(answer.blocks.today)) : null ]),
		tile(_('By protocol'), Object.keys(answer.protocols).sort((a, b) => answer.protocols[b] - answer.protocols[a]).slice(0, 1).map((name) => name.toUpperCase() + ' ' + text.share(answer.protocols[name], answer.attempts)).join('') || '–',
			others.length ? others : null)
	]);
}

function health(answer) {
	const why = words.reasons(answer).concat((answer.warnings || []).map(words.of)).concat(guard.wrong(answer.guard) ? guard.sentences(answer.guard) : []);
	return why.length ? page.notice('note', [ _('Look at this before you trust the figures:') ].concat(why))
		: page.notice('good', _('The figures of today are complete: nothing was lost, and every input works.'));
}

/* Ports that everybody outside can reach, and that were tried. */
function exposure(told) {
	const rows = told ? told.ports.filter((row) => row.attempts > 0) : [];
	const sentence = (row) => row.unique_sources == null
		? _('%s is open to the Internet and was tried %s times this month').format(text.namedService(row), text.number(row.attempts))
		: _('%s is open to the Internet and was tried %s times from %s addresses this month').format(text.namedService(row), text.number(row.attempts), text.sources(row));
	return rows.length ? page.notice('wrong', rows.map((row) => page.link(sentence(row), 'ports', { protocol: row.protocol, port: row.port, from: told.since }, row.by))) : null;
}

function anomaly(row) {
	return _('%s: %s attempts on %s, usually about %s').format(text.namedService(row), text.number(row.attempts), text.day(row.date), text.mean(row.expected));
}

return view.extend({
	handleSave: null, handleSaveApply: null, handleReset: null,

	render: () => page.open({
		name: 'overview', every: 30,
		load: () => data.ask('summary', { limit: 8 }),
		draw: (state, answer, tab) => {
			const range = { from: answer.from, to: answer.to }, before = answer.before, lately = answer.anomalies_lately || [];
			const hours = answer.hours || [], series = [ { name: _('Today'), bars: true, hue: 0, values: hours.map((row) => row.attempts) } ];
			if (before) series.push({ name: _('Yesterday'), hue: 1, values: before.hours.map((row) => row.attempts) });
			return [
				health(answer), tiles(answer),
				exposure(answer.exposure),
				lately.length ? page.section(_('Out of line in the last 30 days'), el('ul', { 'class': 'fw-anomalies' }, lately.map((row) =>
					el('li', {}, page.link(anomaly(row), 'ports', { protocol: row.protocol, port: row.port, from: row.date, to: row.date }))))) : null,
				page.section(_('Attempts by hour'), charts.make({
					id: 'hours', name: _('Attempts by hour'), first: _('Hour'), labels: hours.map((row) => String(row.hour)),
					titles: hours.map((row) => '%s–%s'.format(text.hour(row.hour), text.hour(row.hour + 1))), series: series, height: 220
				})),
				el('div', { 'class': 'fw-columns' }, [
					page.section(_('Most tried services'), table.make([
						{ key: 'service', title: _('Service'), value: (row) => text.namedService(row), show: (row) => [
							page.link(text.namedService(row), 'ports', { protocol: row.protocol, port: row.port }),
							row.wants ? el('div', { 'class': 'fw-wants' }, words.wants(row.wants)) : null ] },
						{ key: 'attempts', title: _('Attempts'), right: true, value: (row) => row.attempts },
						{ key: 'unique_sources', title: _('Sources'), right: true, wide: true, value: (row) => row.unique_sources },
						{ key: 'share', title: _('Share'), value: (row) => answer.attempts ? row.attempts / answer.attempts : 0, show: (row) => charts.share(row.attempts, answer.attempts) }
					], answer.services, { name: 'services', tab: tab, search: false, empty: _('No attempt was refused today.') })),
					page.section(_('Most active sources'), table.make([
						{ key: 'address', title: _('Source'), value: (row) => text.address(row.address), show: (row) => [
							page.link(text.address(row.address), 'sources', Object.assign({ address: row.address }, range)),
							row.country ? el('div', { 'class': 'fw-wants' }, text.country(row.country)) : null,
							row.blocked ? el('div', {}, el('span', { 'class': 'fw-tag fw-good' }, _('blocked'))) : null ] },
						{ key: 'attempts', title: _('Attempts'), right: true, value: (row) => row.attempts },
						{ key: 'services', title: _('Services'), right: true, wide: true, value: (row) => row.services },
						{ key: 'share', title: _('Share'), value: (row) => answer.attempts ? row.attempts / answer.attempts : 0, show: (row) => charts.share(row.attempts, answer.attempts) }
					], answer.sources, { name: 'sources', tab: tab, search: false, empty: _('No attempt was refused today.') }))
				])
			];
		}
	})
});
