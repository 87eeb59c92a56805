'use strict';
'require view';
'require fwstat.page as page';
'require fwstat.address as address';
'require fwstat.charts as charts';
'require fwstat.data as data';
'require fwstat.heat as heat';
'require fwstat.table as table';
'require fwstat.text as text';

/* Months, the days of one, and the services that were tried often on a day of it. */

const el = page.el;
const MOST_SERVICES = 60;
/* So many services have a colour of their own. */
const COLOURED = 8;

function load(state) {
	return Promise.all([ data.ask('months', { limit: 1000 }), data.today() ]).then(([ months, today ]) => {
		const known = months.months.map((row) => row.month), month = known.includes(state.month) ? state.month : known[known.length - 1];
		if (!month) return { months: months };
		const range = { from: month + '-01', to: text.lastOfMonth(month) }, least = Math.max(1, Math.floor(+state.least) || 100);
		return Promise.all([ data.attempt('days', range), data.attempt('services', Object.assign({ daily: 1, min: least, limit: MOST_SERVICES }, range)) ])
			.then(([ days, services ]) => ({ today: today, months: months, month: month, range: range, least: least, days: days, services: services }));
	});
}

function monthsSection(state, loaded, tab) {
	const usual = state.usual === '1', rows = loaded.months.months;
	const average = (row) => usual && row.attempts_per_day_usual != null ? row.attempts_per_day_usual : row.attempts_per_day;
	const year = (row) => usual ? row.year_over_year_usual : row.year_over_year;
	return page.section(_('Months'), [
		page.incomplete(loaded.months),
		charts.make({
			id: 'months', name: usual ? _('Attempts per day, without anomalous days') : _('Attempts per day'), first: _('Month'),
			labels: rows.map((row) => row.month.slice(2).replace('-', '/')), titles: rows.map((row) => text.month(row.month)),
			series: [ { name: usual ? _('Attempts per day, without anomalous days') : _('Attempts per day'), bars: true, hue: 0, values: rows.map(average) } ]
				.concat(rows.some((row) => year(row) != null) ? [ { name: _('Against the same month a year ago'), axis: 'right', hue: 1, values: rows.map((row) => year(row) == null ? null : year(row)) } ] : []),
			hint: _('Choose a month to see its days.'), pick: (index) => tab.set({ month: rows[index].month }, true)
		}),
		el('details', { open: state.table === '1', toggle: (event) => address.change({ table: event.target.open ? '1' : '' }) }, [ el('summary', {}, _('All months')), table.make([
			{ key: 'month', title: _('Month'), value: (row) => row.month, show: (row) => el('button', { type: 'button', 'class': 'fw-sort', click: () => tab.set({ month: row.month }, true) }, text.month(row.month)) },
			{ key: 'days', title: _('Days'), right: true, wide: true, value: (row) => row.days },
			{ key: 'attempts', title: _('Attempts'), right: true, wide: true, value: (row) => row.attempts },
			{ key: 'attempts_per_day', title: _('Per day'), right: true, value: (row) => row.attempts_per_day, show: (row) => text.mean(row.attempts_per_day) },
			{ key: 'year_over_year', title: _('Year over year'), right: true, value: (row) => row.year_over_year, show: (row) => text.ratio(row.year_over_year) },
			{ key: 'anomalous', title: _('Anomalous'), right: true, wide: true, value: (row) => row.anomalous },
			{ key: 'attempts_per_day_usual', title: _('Per day without them'), right: true, value: (row) => row.attempts_per_day_usual, show: (row) => text.mean(row.attempts_per_day_usual) },
			{ key: 'unique_sources', title: _('Sources'), right: true, wide: true, value: (row) => row.unique_sources }
		], rows, { name: 'months', tab: tab, sort: '-month', search: false }) ])
	], page.toggle(tab, 'usual', _('Without anomalous days'), usual));
}

function daysSection(state, loaded, tab, tools) {
	const rows = loaded.days.days || [];
	return page.section(_('Days of %s').format(text.month(loaded.month)), [
		page.failed(loaded.days), page.incomplete(loaded.days),
		rows.length ? charts.make({
			id: 'days', name: _('Attempts by day'), first: _('Day'), scale: state.scale == 'linear' ? null : 'log',
			labels: rows.map((row) => String(+row.date.slice(8))), titles: rows.map((row) => text.weekday(row.date)),
			series: [ { name: _('Attempts'), bars: true, hue: 0, values: rows.map((row) => row.attempts) } ].concat(rows.some((row) => row.unique_sources != null)
				? [ { name: _('Different sources'), hue: 1, values: rows.map((row) => row.unique_sources == null ? null : row.unique_sources) } ] : []),
			hint: _('Choose a day to see its ports.'), pick: (index) => { window.location.href = address.link('ports', { from: rows[index].date, to: rows[index].date }); }
		}) : el('p', { 'class': 'fw-empty' }, _('The days of this month are no longer kept.'))
	], tools);
}

function servicesSection(state, loaded, tab) {
	const answer = loaded.services, all = answer.services || [], dates = answer.dates || [];
	const rows = all.filter((row) => (row.daily || []).some((count) => count >= loaded.least)), picked = state.pick || '';
	const id = (row) => row.protocol + '/' + (row.port == null ? '' : row.port);
	const some = rows.some((row) => id(row) == picked);
	return page.section(_('Ports with at least %s attempts on a day').format(text.number(loaded.least)), [
		page.failed(answer), page.incomplete(answer),
		all.length == MOST_SERVICES ? page.notice('note', _('Only the %s most tried services of the month are looked at.').format(text.number(MOST_SERVICES))) : null,
		rows.length ? charts.make({
			id: 'ports', name: _('Attempts by day and port'), first: _('Day'), scale: state.scale == 'linear' ? null : 'log', height: 320,
			labels: dates.map((date) => String(+date.slice(8))), titles: dates.map((date) => text.weekday(date)),
			series: rows.map((row, index) => ({
				name: text.namedService(row), hue: index, values: row.daily, thick: id(row) == picked,
				muted: some ? id(row) != picked : index >= COLOURED, choose: () => tab.show({ pick: id(row) == picked ? '' : id(row) })
			})),
			hint: _('Choose a name to see its line alone; choose a day to see its ports.'),
			pick: (index) => { window.location.href = address.link('ports', { from: dates[index], to: dates[index] }); }
		}) : answer.failed ? null : el('p', { 'class': 'fw-empty' }, _('No port was tried so often on a day of this month.'))
	], el('label', { 'class': 'fw-switch' }, [ _('At least') + ' ', el('input', {
		type: 'number', name: 'least', min: 1, value: loaded.least, 'class': 'cbi-input-text', style: 'width: 6em',
		change: (event) => tab.set({ least: event.target.value }, true)
	}) ]));
}

return view.extend({
	handleSave: null, handleSaveApply: null, handleReset: null,

	render: () => page.open({
		name: 'trends', load: load,
		draw: (state, loaded, tab) => {
			if (!loaded.month) return page.notice('note', _('Nothing is stored yet: come back in a day.'));
			const scale = page.choice(tab, 'scale', _('Axis'), [ [ '', _('logarithmic') ], [ 'linear', _('linear') ] ], state.scale || '');
			const months = page.choice(tab, 'month', _('Month'), loaded.months.months.map((row) => [ row.month, text.month(row.month) ]).reverse(), loaded.month);
			return [ monthsSection(state, loaded, tab), page.section(null, heat.folded(loaded.today)), daysSection(state, loaded, tab, [ months, scale ]), servicesSection(state, loaded, tab) ];
		}
	})
});
