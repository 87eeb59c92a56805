'use strict';
'require view';
'require fwstat.page as page';
'require fwstat.block as block';
'require fwstat.data as data';
'require fwstat.guard as guard';
'require fwstat.lists as lists';
'require fwstat.table as table';
'require fwstat.text as text';
'require fwstat.words as words';

/* Who is blocked, why and for how long; and who was. */

const el = page.el;
/* With so many blocks and their evidence an answer is below 20 KB. */
const LOOK = 12;
const ALL = 1000;

/* What is ticked, by address. */
const ticked = new Set();

/* One call a look. All of them are asked for once, not again and again. */
const load = (state) => data.ask('blocks', { limit: state.all === '1' ? ALL : LOOK });

const dry = (row) => row.dry ? el('span', { 'class': 'fw-tag fw-note', title: _('Dry run: this would be blocked, but is not.') }, _('dry run')) : null;

function source(row) {
	const name = row.kind == 'country' ? page.link(text.country(row.address), 'sources', { country: row.address }) : row.kind ? text.address(row.address)
		: page.link(text.address(row.address), 'sources', { address: row.address.split('/')[0] });
	return [ name, row.dry ? ' ' : null, dry(row),
		row.pending ? [ ' ', el('span', { 'class': 'fw-tag fw-note' }, _('not in the kernel yet')) ] : null ];
}

function evidence(row) {
	const lines = row.evidence || [], services = row.services || [];
	if (!lines.length && !services.length && !row.first_seen) return null;
	return page.fold('evidence ' + row.address, _('Evidence'), [
		el('dl', { 'class': 'fw-facts' }, [
			services.length ? [ el('dt', {}, _('Tried')), el('dd', {}, services.map((name) => name.toUpperCase()).join(', ')) ] : null,
			row.first_seen ? [ el('dt', {}, _('First seen')), el('dd', {}, text.moment(row.first_seen)) ] : null,
			row.last_seen ? [ el('dt', {}, _('Last seen')), el('dd', {}, text.moment(row.last_seen)) ] : null
		]),
		lines.length ? el('pre', { 'class': 'fw-evidence' }, lines.map((line) => text.line(line)).join('\n')) : null
	]);
}

const rule = (row) => words.rules[row.rule] || row.rule;
/* A block by hand counts nothing. */
const counted = (row) => row.count > 0 ? row.count : null;

function active(tab) {
	return [
		data.mayWrite() ? { key: 'tick', title: '', plain: true, act: true, value: () => null, show: (row) => el('input', {
			type: 'checkbox', name: 'tick-' + row.address, checked: ticked.has(row.address), 'aria-label': _('Choose %s').format(text.address(row.address)),
			change: (event) => {
				event.target.checked ? ticked.add(row.address) : ticked.delete(row.address);
				tab.draw_again();
			} }) } : null,
		{ key: 'address', title: _('Source'), value: (row) => text.address(row.address), show: source },
		{ key: 'reason', title: _('Reason'), value: (row) => words.of(row.reason), show: (row) => [ words.of(row.reason), evidence(row) ] },
		{ key: 'rule', title: _('Rule'), wide: true, value: rule },
		{ key: 'count', title: _('Count'), right: true, wide: true, value: counted },
		{ key: 'window', title: _('Within'), wide: true, value: (row) => counted(row) && row.window },
		{ key: 'times', title: _('Times'), right: true, wide: true, value: (row) => row.times },
		{ key: 'since', title: _('Since'), wide: true, value: (row) => row.since, show: (row) => text.moment(row.since) },
		{ key: 'expires', title: _('Time left'), value: (row) => row.expires, show: (row) => row.expires ? text.until(row.expires) : _('until unblocked') },
		{ key: 'dropped', title: _('Stopped'), right: true, wide: true, value: (row) => row.dropped },
		data.mayWrite() ? { key: 'unblock', title: '', plain: true, act: true, value: () => null, show: (row) => [ block.unblockButton(tab, row.address), ' ', row.kind == 'country' ? null : block.neverButton(tab, row.address) ] } : null
	].filter(Boolean);
}

const OVER = [
	{ key: 'address', title: _('Source'), value: (row) => text.address(row.address), show: source },
	{ key: 'reason', title: _('Reason'), value: (row) => words.of(row.reason) },
	{ key: 'rule', title: _('Rule'), wide: true, value: rule },
	{ key: 'times', title: _('Times'), right: true, wide: true, value: (row) => row.times },
	{ key: 'since', title: _('Since'), wide: true, value: (row) => row.since, show: (row) => text.moment(row.since) },
	{ key: 'ended', title: _('Ended'), value: (row) => row.ended, show: (row) => text.moment(row.ended) },
	{ key: 'because', title: _('Why it ended'), value: (row) => words.of(row.because) }
];

function draw(state, answer, tab) {
	const rows = answer.blocks, gone = [ ...ticked ].filter((address) => !rows.some((row) => row.address === address));
	gone.forEach((address) => ticked.delete(address));
	const tools = !data.mayWrite() || !rows.length ? null : [
		page.button(_('All'), () => {
			const all = rows.every((row) => ticked.has(row.address));
			rows.forEach((row) => all ? ticked.delete(row.address) : ticked.add(row.address));
			tab.draw_again();
		}, { name: 'tick', 'class': 'btn cbi-button fw-chip', title: _('Select all shown, or none') }),
		page.button(_('Unblock selected (%s)').format(text.number(ticked.size)), (event) => {
			event.target.disabled = true;
			block.unblockEach(tab, [ ...ticked ]);
		}, { name: 'unblock-chosen', 'class': 'btn cbi-button cbi-button-remove fw-chip', disabled: !ticked.size }),
		page.button(_('Unblock all'), () => block.unblockAll(tab), { name: 'unblock-all', 'class': 'btn cbi-button cbi-button-remove fw-chip' })
	];
	const more = answer.cursor != null, on = answer.guard && answer.guard.enabled;
	return [
		guard.notice(answer.guard),
		page.section(_('Active blocks'), [
			page.incomplete(answer),
			table.make(active(tab), rows, { name: 'blocks', tab: tab, sort: '-since', empty: _('Nobody is blocked.') }),
			more && state.all === '1' ? page.notice('note', _('Only the %s newest blocks are shown.').format(text.number(ALL))) : null,
			more && state.all !== '1' ? page.button(_('Show more'), () => tab.set({ all: '1' }, true), { name: 'all' }) : null
		], tools),
		on && data.mayWrite() ? page.section(_('Block an address, a network or a country'), block.form(tab, null, null)) : null,
		on ? page.section(_('Lists'), lists.tools(tab)) : null,
		page.section(_('History'), [
			el('p', { 'class': 'fw-soft' }, _('The last blocks that ended.')),
			table.make(OVER, answer.history || [], { name: 'history', tab: tab, sort: '-ended', empty: _('No block has ended yet.') })
		])
	];
}

return view.extend({
	handleSave: null, handleSaveApply: null, handleReset: null,
	render: () => page.open({ name: 'blocks', every: 20, load: load, draw: draw, paused: (state) => state.all === '1' })
});
