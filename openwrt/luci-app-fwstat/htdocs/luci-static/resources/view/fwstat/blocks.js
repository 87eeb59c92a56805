'use strict';
'require view';
'require fwstat.page as page';
'require fwstat.block as block';
'require fwstat.data as data';
'require fwstat.table as table';
'require fwstat.text as text';
'require fwstat.words as words';

/* Who is blocked, why and for how long. */

const el = page.el;

function columns(tab, range, active) {
	return [
		{ key: 'address', title: _('Source'), value: (row) => text.address(row.address), show: (row) => page.link(text.address(row.address), 'sources', { address: row.address.split('/')[0] }) },
		{ key: 'reason', title: _('Reason'), value: (row) => row.reason, show: (row) => [ row.reason || '–', (row.evidence || []).length ? el('details', {}, [
			el('summary', {}, _('Evidence')), el('pre', { 'class': 'fw-evidence' }, row.evidence.map((line) => text.line(line)).join('\n')) ]) : null ] },
		{ key: 'rule', title: _('Rule'), wide: true, value: (row) => row.rule },
		{ key: 'count', title: _('Count'), right: true, wide: true, value: (row) => row.count },
		{ key: 'window', title: _('Within'), wide: true, value: (row) => row.window },
		{ key: 'times', title: _('Times'), right: true, wide: true, value: (row) => row.times },
		{ key: 'since', title: _('Since'), wide: true, value: (row) => row.since, show: (row) => text.moment(row.since) },
		active ? { key: 'expires', title: _('Time left'), value: (row) => row.expires, show: (row) => text.until(row.expires) }
			: { key: 'ended', title: _('Ended'), value: (row) => row.ended || row.expires, show: (row) => text.moment(row.ended || row.expires) },
		active && data.mayWrite() ? { key: 'unblock', title: '', plain: true, value: () => null, show: (row) => block.unblockButton(tab, row.address) } : null
	].filter(Boolean);
}

return view.extend({
	handleSave: null, handleSaveApply: null, handleReset: null,

	render: () => page.open({
		name: 'blocks', every: 20,
		load: (state, again) => Promise.all([ data.ask('blocks', { limit: 40 }), again ? null : data.attempt('status') ]).then(function([ answer, status ]) {
			this.status = status || this.status;
			return { answer: answer, status: this.status };
		}.bind(this)),
		draw: (state, loaded, tab) => {
			const guard = loaded.status && loaded.status.guard, rows = loaded.answer.blocks || [], over = loaded.answer.history || [];
			return [
				guard && !guard.enabled ? page.notice('note', [ _('The guard is off: nobody is blocked by himself.'), guard.why ? words.of(guard.why) : null,
					el('span', {}, page.link(_('It is switched on in the settings.'), 'settings')) ]) : null,
				page.section(_('Active blocks'), [
					page.incomplete(loaded.answer),
					table.make(columns(tab, null, true), rows, { name: 'blocks', tab: tab, sort: '-since', empty: _('Nobody is blocked.') })
				]),
				data.mayWrite() ? page.section(_('Block an address'), block.form(tab, null, null)) : null,
				page.section(_('History'), table.make(columns(tab, null, false), over, { name: 'history', tab: tab, sort: '-since', empty: _('No block has ended yet.') }))
			];
		}
	})
});
