'use strict';
'require view';
'require fwstat.page as page';
'require fwstat.charts as charts';
'require fwstat.data as data';
'require fwstat.guard as guard';
'require fwstat.table as table';
'require fwstat.text as text';
'require fwstat.words as words';

/* Today, or another range, at a glance. One call of `summary` for every look. */

const el = page.el;

function tile(label, number, asides) {
	return el('div', { 'class': 'fw-tile' }, [
		el('div', { 'class': 'fw-label' }, label), el('div', { 'class': 'fw-figure-number' }, number),
		[ asides ].flat().filter(Boolean).map((aside) => el('div', { 'class': 'fw-aside' }, aside))
	]);
}

/* Attempts until the hour that is not over yet. */
const until = (hours, hour) => hours.filter((row) => row.hour < hour).reduce((sum, row) => sum + row.attempts, 0);

/* What the range is compared with. */
function earlier(answer, current) {
	const before = answer.before, hour = current ? +answer.now.slice(11, 13) : 0, asides = [];
	if (!before) return asides;
	if (hour > 0)
		asides.push(_('%s by %s, yesterday %s').format(text.number(until(answer.hours, hour)), text.hour(hour), text.number(until(before.hours, hour))));
	asides.push((current ? _('yesterday in all: %s') : answer.from == answer.to ? _('the day before: %s') : _('the same time before: %s')).format(text.number(before.attempts)));
	return asides;
}

function tiles(answer, current) {
	const before = answer.before, asides = earlier(answer, current), names = Object.keys(answer.protocols).sort((a, b) => answer.protocols[b] - answer.protocols[a]);
	if (answer.from != answer.to && answer.attempts_per_day != null) asides.push(_('%s a day').format(text.mean(answer.attempts_per_day)));
	if (answer.usual_per_day != null) asides.push(_('usual for a day: %s').format(text.number(answer.usual_per_day)));
	const on = answer.guard == null || answer.guard.state == 'on' || answer.guard.state == 'degraded';
	const share = (name) => '%s %s'.format(name.toUpperCase(), text.share(answer.protocols[name], answer.attempts));
	return el('div', { 'class': 'fw-tiles' }, [
		tile(current ? _('Attempts today') : _('Attempts'), text.number(answer.attempts), asides),
		tile(_('Different sources'), answer.unique_sources == null ? '–' : text.sources(answer), before && before.unique_sources != null
			? (current ? _('yesterday: %s') : answer.from == answer.to ? _('the day before: %s') : _('the same time before: %s')).format(text.number(before.unique_sources)) : null),
		tile(_('Blocked now'), answer.blocks && on ? text.number(answer.blocks.active) : '–',
			[ guard.short(answer.guard), answer.blocks && on ? _('blocked today: %s').format(text.number(answer.blocks.today)) : null ]),
		tile(_('By protocol'), names.length ? share(names[0]) : '–', names.slice(1, 4).map(share))
	]);
}

/* Packets that are no attempts, each class by itself: they are never added up. */
function others(answer, range) {
	const names = [ 'egress', 'login', 'backscatter', 'noise' ].filter((name) => answer.classes[name] > 0);
	return names.length ? el('p', { 'class': 'fw-tools fw-others' }, [ el('span', { 'class': 'fw-soft' }, _('Besides attempts:')) ].concat(names.map((name) =>
		page.link('%s: %s'.format(words.classes[name], text.number(answer.classes[name])), 'sources', Object.assign({ 'class': name }, range))))) : null;
}

function health(answer, current) {
	const reasons = words.reasons(answer);
	const why = reasons.large.concat((answer.warnings || []).map(words.of)).concat(guard.wrong(answer.guard) ? guard.sentences(answer.guard) : []);
	const small = reasons.small.length ? el('p', { 'class': 'fw-soft fw-small' }, _('Below one percent of the attempts: %s.').format(reasons.small.join('; '))) : null;
	if (why.length) return [ page.notice('note', [ _('Look at this before you trust the figures:') ].concat(why)), small ];
	return page.notice('good', [ small ? _('The figures are complete except for less than one percent, and every input works.')
		: current ? _('The figures of today are complete: nothing that reached fwstat was lost, and every input works.')
		: _('The figures are complete: nothing that reached fwstat was lost.'), small ]);
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

function draw(answer, tab, today) {
	const range = { from: answer.from, to: answer.to }, before = answer.before, lately = answer.anomalies_lately || [];
	const current = answer.from == answer.to && answer.to == today;
	const hours = answer.hours || [], series = [ { name: current ? _('Today') : _('In this period'), bars: true, hue: 0, values: hours.map((row) => row.attempts) } ];
	if (before) series.push({ name: current ? _('Yesterday') : _('Before'), hue: 1, values: before.hours.map((row) => row.attempts) });
	return [
		page.period(tab, today || answer.to, answer.from, answer.to),
		health(answer, current), tiles(answer, current), others(answer, range),
		exposure(answer.exposure),
		lately.length ? page.section(current ? _('Anomalies of the last 30 days') : _('Anomalies of the 30 days until %s').format(text.day(answer.to)), el('ul', { 'class': 'fw-anomalies' }, lately.map((row) =>
			el('li', {}, page.link(anomaly(row), 'ports', { protocol: row.protocol, port: row.port, from: row.date, to: row.date }))))) : null,
		page.section(_('Attempts by hour'), hours.length ? charts.make({
			id: 'hours', name: _('Attempts by hour'), first: _('Hour'), labels: hours.map((row) => String(row.hour)),
			titles: hours.map((row) => '%s–%s'.format(text.hour(row.hour), text.hour(row.hour + 1))), series: series, height: 220
		}) : el('p', { 'class': 'fw-empty' }, _('There is nothing to show.'))),
		el('div', { 'class': 'fw-columns' }, [
			page.section(_('Most tried services'), table.make([
				{ key: 'service', title: _('Service'), value: (row) => text.namedService(row), show: (row) => [
					page.link(text.namedService(row), 'ports', Object.assign({ protocol: row.protocol, port: row.port }, current ? {} : range)),
					row.wants ? el('div', { 'class': 'fw-wants' }, words.wants(row.wants)) : null ] },
				{ key: 'attempts', title: _('Attempts'), right: true, value: (row) => row.attempts },
				{ key: 'unique_sources', title: _('Sources'), right: true, wide: true, known: true, value: (row) => row.unique_sources },
				{ key: 'share', title: _('Share'), value: (row) => answer.attempts ? row.attempts / answer.attempts : 0, show: (row) => charts.share(row.attempts, answer.attempts) }
			], answer.services, { name: 'services', tab: tab, search: false, empty: _('No attempt was refused.') })),
			page.section(_('Most active sources'), table.make([
				{ key: 'address', title: _('Source'), value: (row) => text.address(row.address), show: (row) => [
					page.link(text.address(row.address), 'sources', Object.assign({ address: row.address }, range)),
					row.country ? el('div', { 'class': 'fw-wants' }, text.country(row.country)) : null,
					row.blocked ? el('div', {}, el('span', { 'class': 'fw-tag fw-good' }, _('blocked'))) : null ] },
				{ key: 'attempts', title: _('Attempts'), right: true, value: (row) => row.attempts },
				{ key: 'services', title: _('Services'), right: true, wide: true, known: true, value: (row) => row.services },
				{ key: 'share', title: _('Share'), value: (row) => answer.attempts ? row.attempts / answer.attempts : 0, show: (row) => charts.share(row.attempts, answer.attempts) }
			], answer.sources, { name: 'sources', tab: tab, search: false, empty: _('No attempt was refused.') }))
		])
	];
}

return view.extend({
	handleSave: null, handleSaveApply: null, handleReset: null,

	render: () => {
		/* The router's date, as the last answer told it. */
		let today = null;
		return page.open({
			name: 'overview', every: 30, current: true, load: (state) => data.ask('summary', { limit: 8, from: state.from, to: state.to }),
			/* What is over does not change. */
			paused: (state) => !!state.to && today != null && state.to < today,
			draw: (state, answer, tab) => {
				today = answer.now ? answer.now.slice(0, 10) : null;
				return draw(answer, tab, today);
			}
		});
	}
});
