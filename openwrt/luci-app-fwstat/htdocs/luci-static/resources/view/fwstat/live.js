'use strict';
'require view';
'require fwstat.page as page';
'require fwstat.data as data';
'require fwstat.table as table';
'require fwstat.text as text';
'require fwstat.words as words';

/* The latest events. However many come, a look takes so many at most, and so many are held. */

const el = page.el;
const LOOK = 24;
const HELD = 200;
/* What the daemon filters; the others are filtered here. */
const ASKED = [ 'class', 'protocol', 'port', 'source' ];
const FILTERS = [ 'class', 'verdict', 'zone', 'source', 'destination', 'protocol', 'port' ];

let events = [], cursor = 0, missed = 0, filter = '', incomplete = null;

function load(state, again) {
	const asked = { limit: LOOK, 'class': state['class'] || 'all' };
	ASKED.slice(1).forEach((name) => { asked[name] = state[name]; });
	const wanted = JSON.stringify(asked);
	if (wanted != filter || !again) {
		[ events, cursor, missed, filter ] = [ [], 0, 0, wanted ];
	}
	return data.ask('recent', Object.assign({ cursor: cursor || undefined }, asked)).then((answer) => {
		const known = cursor;
		/* More came than a look takes: the next one begins with the newest again, and says how many it left out. */
		if (known && answer.events.length >= LOOK)
			return data.ask('recent', asked).then((newest) => take(newest, known));
		return take(answer, known);
	});
}

function take(answer, known) {
	/* The daemon numbers its events: none is shown twice, whatever was asked twice. */
	const held = new Set(events.map((row) => row.id));
	const fresh = answer.events.filter((row) => row.id == null || !held.has(row.id)).reverse();
	if (known && filter.indexOf('"class":"all"') >= 0 && Object.keys(JSON.parse(filter)).length == 2)
		missed += Math.max(0, answer.cursor - known - answer.events.length);
	cursor = answer.cursor;
	events = fresh.concat(events).slice(0, HELD);
	incomplete = answer;
	return events;
}

function draw(state, all, tab) {
	const rows = all.filter((row) => FILTERS.every((name) => !state[name] || String(row[name]) == state[name]));
	const only = (name, label) => (row) => row[name] == null ? '–' : el('button', { type: 'button', 'class': 'fw-sort', title: _('Show only these'),
		click: () => tab.set({ [name]: String(row[name]) }, true) }, label ? label(row[name]) : row[name]);
	const chosen = FILTERS.filter((name) => state[name]);
	const show = { 'class': (value) => words.classes[value] || value, verdict: (value) => words.verdicts[value] || value, source: text.address, destination: text.address, protocol: (value) => value.toUpperCase() };
	return page.section(_('Latest events'), [
		el('p', { 'class': 'fw-tools' }, [ chosen.length ? _('Only:') : el('span', { 'class': 'fw-soft' }, _('Choose a value to see only these.')) ].concat(chosen.map((name) =>
			page.button([ show[name] ? show[name](state[name]) : state[name], ' ✕' ], () => tab.set({ [name]: '' }, true), { 'class': 'btn cbi-button fw-chip', title: _('Remove this filter') })))),
		missed ? page.notice('note', N_(missed, '%s event came too fast to be shown.', '%s events came too fast to be shown.').format(text.number(missed))) : null,
		el('div', { 'class': 'fw-live' }, table.make([
			{ key: 'time', title: _('Time'), value: (row) => row.time, show: (row) => text.moment(row.time) },
			{ key: 'class', title: _('Class'), wide: true, value: (row) => row['class'], show: only('class', show['class']) },
			{ key: 'verdict', title: _('Verdict'), wide: true, value: (row) => row.verdict, show: only('verdict', show.verdict) },
			{ key: 'zone', title: _('Zone'), wide: true, value: (row) => row.zone, show: only('zone') },
			{ key: 'source', title: _('Source'), value: (row) => text.address(row.source), show: only('source', text.address) },
			{ key: 'destination', title: _('Destination'), wide: true, value: (row) => text.address(row.destination), show: only('destination', text.address) },
			{ key: 'protocol', title: _('Protocol'), value: (row) => row.protocol, show: only('protocol', show.protocol) },
			{ key: 'port', title: _('Port'), right: true, value: (row) => row.port, show: only('port', String) },
			{ key: 'line', title: _('Log line'), wide: true, plain: true, value: (row) => text.line(row.line) }
		], rows, { name: 'live', tab: tab, empty: _('Nothing has come yet.') }))
	], [ page.button(state.paused === '1' ? _('Go on') : _('Pause'), () => tab.show({ paused: state.paused === '1' ? '' : '1' }), { name: 'pause', 'aria-pressed': String(state.paused === '1') }) ]);
}

return view.extend({
	handleSave: null, handleSaveApply: null, handleReset: null,
	render: () => page.open({ name: 'live', every: 3, load: load, draw: draw, paused: (state) => state.paused === '1' })
});
