'use strict';
'require view';
'require fwstat.page as page';
'require fwstat.advice as advice';
'require fwstat.charts as charts';
'require fwstat.countries as countries';
'require fwstat.data as data';
'require fwstat.rules as rules';
'require fwstat.table as table';
'require fwstat.text as text';
'require fwstat.words as words';

/* The table of ports, and one port's own view. */

const el = page.el;
const SPARK_DAYS = 60;
/* With so many rows the answer with 60 days of each is below 20 KB. */
const ROWS = 40;

function list(state, today) {
	const to = state.to || today, from = state.from || to, range = { from: from, to: to };
	const spark = { from: text.plusDays(to, 1 - SPARK_DAYS), to: to }, limit = state.all === '1' ? 300 : ROWS;
	const same = from == spark.from;
	return Promise.all([
		data.ask('services', Object.assign({ limit: limit, daily: same ? 1 : 0 }, range)),
		same ? null : data.attempt('services', Object.assign({ limit: limit, daily: 1 }, spark)),
		data.attempt('rules', Object.assign({ limit: 30 }, range))
	]).then(([ answer, sparks, ofRules ]) => ({ today: today, range: range, answer: answer, limit: limit, sparks: (sparks || answer).services || [], rules: ofRules }));
}

function one(state, today) {
	const about = { protocol: state.protocol, port: state.port }, to = state.to || today;
	const from = state.from || text.plusDays(to, 1 - SPARK_DAYS), range = Object.assign({ from: from, to: to }, about);
	/* A single day is shown among the ones around it. */
	const around = from == to ? { from: text.plusDays(to, 1 - SPARK_DAYS), to: to } : { from: from, to: to };
	return Promise.all([
		data.ask('services', Object.assign({ limit: 1 }, range)), data.attempt('days', Object.assign({}, around, about)), data.attempt('hours', range),
		data.attempt('sources', Object.assign({ limit: 30 }, range)), data.attempt('countries', Object.assign({ limit: 10 }, range))
	]).then(([ row, days, hours, sources, lands ]) => ({ today: today, range: { from: from, to: to }, about: about, one: row, days: days, hours: hours, sources: sources, countries: lands }));
}

function drawList(state, loaded, tab) {
	const rows = loaded.answer.services, daily = {};
	loaded.sparks.forEach((row) => { daily[row.protocol + '/' + row.port] = row.daily; });
	const spark = (row) => daily[row.protocol + '/' + row.port];
	return [ page.section(_('Ports'), [
		page.period(tab, loaded.today, loaded.range.from, loaded.range.to), page.incomplete(loaded.answer),
		table.make([
			{ key: 'service', title: _('Service'), value: (row) => text.namedService(row), show: (row) =>
				page.link(text.namedService(row), 'ports', Object.assign({ protocol: row.protocol, port: row.port }, loaded.range)) },
			{ key: 'attempts', title: _('Attempts'), right: true, value: (row) => row.attempts, show: (row) =>
				row.error ? el('span', { title: _('at most %s too high').format(text.number(row.error)) }, '≤ ' + text.number(row.attempts)) : text.number(row.attempts) },
			{ key: 'unique_sources', title: _('Sources'), right: true, wide: true, value: (row) => row.unique_sources, show: text.sources },
			{ key: 'daily', title: _('60 days'), plain: true, value: (row) => (spark(row) || []).join(' '), show: (row) =>
				spark(row) ? charts.spark(spark(row), _('%s, attempts a day: at most %s').format(text.namedService(row), text.number(Math.max(0, ...spark(row))))) : '–' },
			{ key: 'wants', title: _('What an attack wants'), wide: true, value: (row) => row.wants ? words.wants(row.wants) : null, show: (row) =>
				row.wants ? [ el('div', { 'class': 'fw-wants' }, words.wants(row.wants)), advice.folded(row) ] : '–' }
		], rows, { name: 'ports', tab: tab, sort: '-attempts', empty: _('No port was tried in this period.'),
			more: rows.length == ROWS && state.all !== '1' ? () => tab.set({ all: '1' }, true) : null }),
		el('form', { 'class': 'fw-form', submit: (event) => {
			event.preventDefault();
			tab.set({ protocol: event.target.elements.wanted_protocol.value, port: event.target.elements.wanted_port.value }, true);
		} }, [
			el('label', {}, [ _('Any other port'), el('input', { type: 'number', name: 'wanted_port', min: 0, max: 65535, required: true, 'class': 'cbi-input-text' }) ]),
			el('select', { name: 'wanted_protocol', 'class': 'cbi-input-select', 'aria-label': _('Protocol') }, [ 'tcp', 'udp' ].map((name) => el('option', { value: name }, name.toUpperCase()))),
			el('button', { type: 'submit', 'class': 'btn cbi-button' }, _('Show'))
		])
	]), rules.sections(loaded.rules, tab, loaded.range) ];
}

function drawOne(state, loaded, tab) {
	const row = loaded.one.services[0], days = loaded.days.days || [], hours = loaded.hours.hours || [];
	const shown = row || { protocol: loaded.about.protocol, port: loaded.about.port || null, attempts: 0 }, name = text.namedService(shown);
	return [
		el('p', {}, page.link('‹ ' + _('All ports'), 'ports', loaded.range)),
		page.section(name, [
			page.period(tab, loaded.today, loaded.range.from, loaded.range.to), page.incomplete(loaded.one),
			el('dl', { 'class': 'fw-facts' }, [
				el('dt', {}, _('Attempts')), el('dd', { 'data-fact': 'attempts' }, text.number(shown.attempts)),
				shown.unique_sources != null ? [ el('dt', {}, _('Different sources')), el('dd', { 'data-fact': 'sources' }, text.sources(shown)) ] : null,
				shown.wants ? [ el('dt', {}, _('What an attack wants')), el('dd', {}, words.wants(shown.wants)) ] : null,
				(loaded.one.advice || []).length ? [ el('dt', {}, _('What to do')), el('dd', { 'data-fact': 'advice' }, advice.of(loaded.one)) ] : null
			])
		]),
		page.section(_('Days'), [ page.failed(loaded.days), days.length ? charts.make({
			id: 'days', name: _('%s, attempts by day').format(name), first: _('Day'), scale: state.scale == 'linear' ? null : 'log',
			labels: days.map((day) => text.shortDay(day.date)), titles: days.map((day) => text.weekday(day.date)),
			series: [ { name: _('Attempts'), bars: true, hue: 0, values: days.map((day) => day.attempts) } ].concat(days.some((day) => day.unique_sources != null)
				? [ { name: _('Different sources'), hue: 1, values: days.map((day) => day.unique_sources == null ? null : day.unique_sources) } ] : []),
			hint: _('Choose a day to see it alone.'), pick: (index) => tab.set({ from: days[index].date, to: days[index].date }, true)
		}) : el('p', { 'class': 'fw-empty' }, _('There is nothing to show.')) ],
		page.choice(tab, 'scale', _('Axis'), [ [ '', _('logarithmic') ], [ 'linear', _('linear') ] ], state.scale || '')),
		el('div', { 'class': 'fw-columns' }, [
			page.section(_('Hours of the day'), [ page.failed(loaded.hours), page.incomplete(loaded.hours), hours.length ? charts.make({
				id: 'hours', name: _('%s, attempts by hour').format(name), first: _('Hour'), labels: hours.map((hour) => String(hour.hour)), titles: hours.map((hour) => text.hour(hour.hour)),
				series: [ { name: _('Attempts'), bars: true, hue: 0, values: hours.map((hour) => hour.attempts) } ], height: 200
			}) : null ]),
			page.section(_('Countries'), countries.list(loaded.countries, tab, loaded.range))
		]),
		page.section(_('Sources'), [ page.failed(loaded.sources), page.incomplete(loaded.sources), table.make([
			{ key: 'address', title: _('Source'), value: (source) => text.address(source.address), show: (source) => page.link(text.address(source.address), 'sources', Object.assign({ address: source.address }, loaded.range)) },
			{ key: 'country', title: _('Country'), wide: true, value: (source) => source.country ? text.country(source.country) : null },
			{ key: 'attempts', title: _('Attempts'), right: true, value: (source) => source.attempts },
			{ key: 'share', title: _('Share'), value: (source) => shown.attempts ? source.attempts / shown.attempts : 0, show: (source) => charts.share(source.attempts, shown.attempts) }
		], loaded.sources.sources || [], { name: 'sources', tab: tab, sort: '-attempts' }) ])
	];
}

return view.extend({
	handleSave: null, handleSaveApply: null, handleReset: null,

	render: () => page.open({
		name: 'ports',
		load: (state) => data.today().then((today) => state.protocol ? one(state, today) : list(state, today)),
		draw: (state, loaded, tab) => loaded.one ? drawOne(state, loaded, tab) : drawList(state, loaded, tab)
	})
});
