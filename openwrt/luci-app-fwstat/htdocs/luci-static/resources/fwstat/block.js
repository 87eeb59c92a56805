'use strict';
'require baseclass';
'require ui';
'require fwstat.page as page';
'require fwstat.data as data';
'require fwstat.text as text';
'require fwstat.words as words';

/* Blocking and unblocking. Who may only read gets no button. */

const el = page.el;
const TIMES = [ [ '1h', _('1 hour') ], [ '1d', _('1 day') ], [ '7d', _('7 days') ] ];

function tell(sentence, kind) {
	ui.addNotification(null, el('p', {}, sentence), kind);
}

function act(tab, method, args, done, form) {
	return data.ask(method, args).then(() => {
		if (form) form.reset();
		tell(done, 'info');
	}, (error) => tell(words.of(error.message), 'error')).then(() => tab.refresh());
}

const unblock = (tab, address) => act(tab, 'unblock', { address: address }, _('%s is no longer blocked.').format(text.address(address)));

return baseclass.extend({
	/* Whether a source is blocked, why and for how long, in one line. */
	why: (answer) => {
		const row = answer.block;
		if (!row) return answer.blocked == null ? _('the guard is off') : _('no');
		return [ row.dry ? _('dry run: would be blocked') : null, words.of(row.reason), _('%s left').format(text.until(row.expires)),
			row.dropped > 0 ? N_(row.dropped, '%s packet stopped', '%s packets stopped').format(text.number(row.dropped)) : null ].filter(Boolean).join(' · ');
	},

	unblockButton: (tab, address) => data.mayWrite() ? page.button(_('Unblock'), (event) => {
		event.target.disabled = true;
		unblock(tab, address);
	}, { 'class': 'btn cbi-button cbi-button-remove fw-chip', name: 'unblock-' + address }) : null,

	/* What can be done with an address; without one it can be written. */
	form: function(tab, address, blocked) {
		if (!data.mayWrite()) return null;
		if (blocked) return el('p', {}, this.unblockButton(tab, address));
		return el('form', { 'class': 'fw-form', submit: (event) => {
			event.preventDefault();
			const fields = event.target.elements, chosen = address || fields.address.value.trim();
			fields.block.disabled = true;
			act(tab, 'block', { address: chosen, 'for': fields.time.value, reason: fields.reason.value.trim() || undefined }, _('%s is blocked.').format(text.address(chosen)), event.target);
		} }, [
			address ? null : el('label', {}, [ _('Address or prefix'), el('input', { name: 'address', required: true, maxlength: 64, 'class': 'cbi-input-text' }) ]),
			el('label', {}, [ _('For'), el('select', { name: 'time', 'class': 'cbi-input-select' }, TIMES.map(([ value, label ]) => el('option', { value: value }, label))) ]),
			el('label', {}, [ _('Reason'), el('input', { name: 'reason', maxlength: 60, 'class': 'cbi-input-text' }) ]),
			el('button', { type: 'submit', name: 'block', 'class': 'btn cbi-button cbi-button-negative' }, _('Block'))
		]);
	}
});
