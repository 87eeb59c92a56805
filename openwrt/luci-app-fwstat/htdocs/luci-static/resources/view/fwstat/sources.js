'use strict';
'require view';
'require fwstat.page as page';
'require fwstat.about as about';
'require fwstat.advice as advice';
'require fwstat.block as block';
'require fwstat.charts as charts';
'require fwstat.data as data';
'require fwstat.table as table';
'require fwstat.text as text';
'require fwstat.words as words';

/* The table of sources, and one source's own view. */

const el = page.el;
const ROWS = 80;
const CLASSES = [ 'attempt', 'egress', 'login', 'backscatter', 'noise' ];

function list(state, today) {
	const to = state.to || today, from = state.from || to, limit = state.all === '1' ? 1000 : ROWS;
	const asked = { from: from, to: to, limit: limit, protocol: state.protocol, port: state.port, country: state.country, source: state.within };
	if (state['class']) asked['class'] = state['class'];
	return data.ask('sources', asked).then((answer) => ({ today: today, range: { from: from, to: to }, answer: answer, limit: limit }));
}

function one(state, today) {
	const to = state.to || today, from = state.from || to, asked = { address: state.address, from: from, to: to, limit: 30 };
	if (state['class']) asked['class'] = state['class'];
	return data.attempt('source', asked).then((answer) => ({ today: today, range: { from: from, to: to }, one: answer }));
}

function drawList(state, loaded, tab) {
	const rows = loaded.answer.sources;
	const only = [ state.port ? text.service({ protocol: state.protocol || '', port: state.port }) : state.protocol && state.protocol.toUpperCase(), state.country && text.country(state.country), state.within ].filter(Boolean);
	return page.section(_('Sources'), [
		page.period(tab, loaded.today, loaded.range.from, loaded.range.to),
		only.length ? el('p', {}, [ _('Only: %s').format(only.join(', ')) + ' ', page.button(_('Show all'), () => tab.set({ port: '', protocol: '', country: '', within: '' }, true), { 'class': 'btn cbi-button fw-chip' }) ]) : null,
		state['class'] == 'egress' ? page.notice('note', _('Devices of your own network that tried to reach something they should not: one that does so often may be infected.')) : null,
		page.incomplete(loaded.answer),
		table.make([
			{ key: 'address', title: _('Source'), value: (row) => text.address(row.address), show: (row) => [
				page.link(text.address(row.address), 'sources', Object.assign({ address: row.address, 'class': state['class'] }, loaded.range)),
				row.blocked ? [ ' ', el('span', { 'class': 'fw-tag fw-good' }, _('blocked')) ] : null ] },
			{ key: 'country', title: _('Country'), wide: true, value: (row) => row.country ? text.country(row.country) : null },
			{ key: 'asn', title: _('AS'), wide: true, known: true, value: (row) => row.asn, show: (row) => row.asn == null ? '–' : String(row.asn) },
			{ key: 'attempts', title: _('Attempts'), right: true, value: (row) => row.attempts, show: (row) =>
				row.error ? el('span', { title: _('at most %s too high').format(text.number(row.error)) }, '≤ ' + text.number(row.attempts)) : text.number(row.attempts) },
			{ key: 'services', title: _('Services'), right: true, known: true, value: (row) => row.services },
			{ key: 'first_seen', title: _('First seen'), wide: true, value: (row) => row.first_seen, show: (row) => text.moment(row.first_seen) },
			{ key: 'last_seen', title: _('Last seen'), wide: true, value: (row) => row.last_seen, show: (row) => text.moment(row.last_seen) }
		], rows, { name: 'sources', tab: tab, sort: '-attempts', empty: _('No source was seen in this period.'),
			more: rows.length == ROWS && state.all !== '1' ? () => tab.set({ all: '1' }, true) : null })
	], page.choice(tab, 'class', _('What'), CLASSES.map((name) => [ name == 'attempt' ? '' : name, words.classes[name] ]), state['class'] || ''));
}

function drawOne(state, loaded, tab) {
	const answer = loaded.one, range = loaded.range, name = text.address(state.address);
	const head = [
		el('p', {}, page.link('‹ ' + _('All sources'), 'sources', Object.assign({ 'class': state['class'] }, range))),
	];
	const who = [ about.name(state.address, state.mask === '1'), about.links(state.address, state.mask === '1') ];
	if (answer.failed)
		return [ head, page.section(name, [ page.period(tab, loaded.today, range.from, range.to), page.notice('note', words.of(answer.failed)), el('dl', { 'class': 'fw-facts' }, who), block.form(tab, state.address, null) ]) ];
	const hours = answer.hours || [], days = answer.days || [], evidence = answer.evidence;
	return [ head,
		page.section(name, [
			page.period(tab, loaded.today, range.from, range.to), page.incomplete(answer),
			el('dl', { 'class': 'fw-facts' }, [
				el('dt', {}, _('Attempts')), el('dd', { 'data-fact': 'attempts' }, text.number(answer.attempts)),
				answer.services != null ? [ el('dt', {}, _('Different services')), el('dd', {}, text.number(answer.services)) ] : null,
				answer.first_seen ? [ el('dt', {}, _('First seen')), el('dd', {}, text.moment(answer.first_seen)) ] : null,
				answer.last_seen ? [ el('dt', {}, _('Last seen')), el('dd', {}, text.moment(answer.last_seen)) ] : null,
				answer.country ? [ el('dt', {}, _('Country')), el('dd', {}, text.country(answer.country)) ] : null,
				answer.asn != null ? [ el('dt', {}, _('Network')), el('dd', { 'data-fact': 'network' }, 'AS' + answer.asn + (answer.as_name ? ' ' + text.line(answer.as_name) : '')) ] : null,
				who,
				answer.blocked != null || answer.block || answer.attempts ? [ el('dt', {}, _('Blocked')), el('dd', { 'data-fact': 'blocked' }, block.why(answer)) ] : null
			]),
			block.form(tab, state.address, answer.block)
		]),
		el('div', { 'class': 'fw-columns' }, [
			page.section(_('Hours of the day'), hours.length ? charts.make({
				id: 'hours', name: _('%s, attempts by hour').format(name), first: _('Hour'), labels: hours.map((row) => String(row.hour)), titles: hours.map((row) => text.hour(row.hour)),
				series: [ { name: _('Attempts'), bars: true, hue: 0, values: hours.map((row) => row.attempts) } ], height: 200
			}) : null),
			days.length > 1 ? page.section(_('Days'), charts.make({
				id: 'days', name: _('%s, attempts by day').format(name), first: _('Day'), labels: days.map((row) => text.shortDay(row.date)), titles: days.map((row) => text.weekday(row.date)),
				series: [ { name: _('Attempts'), bars: true, hue: 0, values: days.map((row) => row.attempts) } ], height: 200,
				pick: (index) => tab.set({ from: days[index].date, to: days[index].date }, true)
			})) : null,
			page.section(_('Services'), [ table.make([
				{ key: 'service', title: _('Service'), value: (row) => text.namedService(row), show: (row) => page.link(text.namedService(row), 'ports', Object.assign({ protocol: row.protocol, port: row.port }, range)) },
				{ key: 'attempts', title: _('Attempts'), right: true, value: (row) => row.attempts },
				{ key: 'share', title: _('Share'), value: (row) => answer.attempts ? row.attempts / answer.attempts : 0, show: (row) => charts.share(row.attempts, answer.attempts) }
			], answer.top_services || [], { name: 'services', tab: tab, sort: '-attempts' }), advice.of(answer) ])
		]),
		page.section(_('Evidence'), evidence && evidence.length
			? el('pre', { 'class': 'fw-evidence', tabindex: '0' }, evidence.map((line) => text.line(line)).join('\n'))
			: el('p', { 'class': 'fw-empty' }, _('Its log lines are gone: only the newest ones are held, in RAM.')))
	];
}

return view.extend({
	handleSave: null, handleSaveApply: null, handleReset: null,

	render: () => page.open({
		name: 'sources',
		load: (state) => data.today().then((today) => state.address ? one(state, today) : list(state, today)),
		draw: (state, loaded, tab) => loaded.one ? drawOne(state, loaded, tab) : drawList(state, loaded, tab)
	})
});
