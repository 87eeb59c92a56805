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
/* The terms of a filter that a value is chosen for; any other word is looked for in the log line. */
const KEYS = [ 'class', 'verdict', 'zone', 'source', 'destination', 'protocol', 'port' ];

let events = [], cursor = 0, missed = 0, filter = '', incomplete = null;

/* The daemon filters, so that a rare event is found in a flood. */
function load(state, again) {
	const asked = { limit: LOOK, 'class': 'all', filter: state.filter };
	if ((state.filter || '') != filter || !again) {
		[ events, cursor, missed, filter ] = [ [], 0, 0, state.filter || '' ];
	}
	/* An answer that comes after the filter was changed is not about what is shown now. */
	const mine = filter, taken = (answer, known) => mine == filter ? take(answer, known) : events;
	return data.ask('recent', Object.assign({ cursor: cursor || undefined }, asked)).then((answer) => {
		const known = cursor;
		/* More came than a look takes: the next one begins with the newest again, and says how many it left out. */
		if (known && answer.events.length >= LOOK)
			return data.ask('recent', asked).then((newest) => taken(newest, known));
		return taken(answer, known);
	});
}

function take(answer, known) {
	/* The daemon was started anew, and its numbers with it: those of the rows that are shown mean other events now. */
	if (answer.cursor < known)
		events = events.map((row) => Object.assign({}, row, { id: null }));
	/* The daemon numbers its events: none is shown twice, whatever was asked twice. */
	const held = new Set(events.map((row) => row.id));
	const fresh = answer.events.filter((row) => row.id == null || !held.has(row.id)).reverse();
	if (known && !filter)
		missed += Math.max(0, answer.cursor - known - answer.events.length);
	cursor = answer.cursor;
	events = fresh.concat(events).slice(0, HELD);
	incomplete = answer;
	return events;
}

const terms = (state) => (state.filter || '').split(/\s+/).filter(Boolean);

/* A term in words: `Port: 22`, `not Zone: wan`. */
function shown(term) {
	const [ , not, key, value ] = /^(!?)(?:([a-z]+):)?(.*)$/.exec(term);
	if (!KEYS.includes(key)) return term.replace(/^!/, _('not') + ' ');
	const name = key == 'class' ? words.classes[value] : key == 'verdict' ? words.verdicts[value] : key == 'source' || key == 'destination' ? text.address(value) : null;
	return (not ? _('not') + ' ' : '') + TITLES[key] + ': ' + (name || value);
}

const TITLES = { 'class': _('Class'), verdict: _('Verdict'), zone: _('Zone'), source: _('Source'), destination: _('Destination'), protocol: _('Protocol'), port: _('Port') };

function draw(state, rows, tab) {
	const chosen = terms(state), put = (list) => tab.set({ filter: list.join(' ') }, true);
	const only = (key, label) => (row) => row[key] == null ? '–' : el('button', { type: 'button', 'class': 'fw-sort', title: _('Show only these'),
		click: () => put(chosen.filter((term) => !term.startsWith(key + ':')).concat(key + ':' + row[key])) }, label ? label(row[key]) : row[key]);
	const show = { 'class': (value) => words.classes[value] || value, verdict: (value) => words.verdicts[value] || value, protocol: (value) => value.toUpperCase() };
	const turned = (term) => term[0] == '!' ? term.slice(1) : '!' + term;
	return page.section(_('Latest events'), [
		el('form', { 'class': 'fw-form', submit: (event) => {
			event.preventDefault();
			/* A term that stands there masked is meant as it is. */
			const left = chosen.slice();
			put(event.target.elements.filter.value.split(/\s+/).filter(Boolean).map((word) => {
				const at = left.findIndex((term) => text.line(term) == word);
				return at < 0 ? word : left.splice(at, 1)[0];
			}));
		} }, [
			el('label', { 'class': 'fw-grow' }, [ _('Filter'), el('input', { type: 'search', name: 'filter', value: chosen.map(text.line).join(' '), maxlength: 200, placeholder: '!port:23 zone:wan telnet', 'class': 'cbi-input-text' }) ]),
			el('button', { type: 'submit', name: 'apply', 'class': 'btn cbi-button' }, _('Filter'))
		]),
		el('p', { 'class': 'fw-tools' }, chosen.length ? chosen.map((term, at) => [
			page.button(shown(term), () => put(chosen.map((other, index) => index == at ? turned(other) : other)), { 'class': 'btn cbi-button fw-chip', title: _('Negate this condition') }),
			page.button('✕', () => put(chosen.filter((_other, index) => index != at)), { 'class': 'btn cbi-button fw-chip', title: _('Remove this filter'), 'aria-label': _('Remove this filter') })
		]) : el('span', { 'class': 'fw-soft' }, _('Choose a value to see only these, or write terms: class:, port:, protocol:, zone:, verdict:, source:, destination: with a value, or a word of the log line; ! negates a term.'))),
		filter ? page.incomplete(incomplete) : null,
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
		], rows, { name: 'live', tab: tab, empty: _('No events yet.') }))
	], [ page.button(state.paused === '1' ? _('Resume') : _('Pause'), () => tab.show({ paused: state.paused === '1' ? '' : '1' }), { name: 'pause', 'aria-pressed': String(state.paused === '1') }) ]);
}

return view.extend({
	handleSave: null, handleSaveApply: null, handleReset: null,
	render: () => page.open({ name: 'live', every: 3, load: load, draw: draw, paused: (state) => state.paused === '1' })
});
