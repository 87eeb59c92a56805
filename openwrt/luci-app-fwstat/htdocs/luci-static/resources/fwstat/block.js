'use strict';
'require baseclass';
'require ui';
'require uci';
'require rpc';
'require fwstat.page as page';
'require fwstat.data as data';
'require fwstat.options as options';
'require fwstat.text as text';
'require fwstat.words as words';

/* Blocking and unblocking. Who may only read gets no button. */

const el = page.el;
const TIMES = [ [ '1h', _('1 hour') ], [ '1d', _('1 day') ], [ '7d', _('7 days') ], [ 'forever', _('Until unblocked') ] ];

function tell(sentence, kind) {
	ui.addNotification(null, el('p', {}, sentence), kind);
}

function act(tab, method, args, done, form) {
	return data.ask(method, args).then(() => {
		if (form) form.reset();
		tell(done, 'info');
	}, (error) => tell(words.of(error.message), 'error')).then(() => tab.refresh());
}

/* A network or a country hits many: the daemon tells how many, or what is against it, before anything is blocked. */
function confirmed(target) {
	if (!/\/|^[a-z]{2}$/i.test(target)) return Promise.resolve(true);
	return data.ask('guard-test', { address: target }).then((answer) => {
		if (answer.would_block === false)
			throw new Error('%s is not blocked: %s'.format(target, answer.protected_by));
		return !answer.warning || window.confirm(_('Block %s? %s. Replies to connections from inside still pass; addresses on the allow list stay reachable.').format(target, words.of(answer.warning)));
	});
}

/* Each by itself: one that is gone already keeps none of the others. */
function unblockEach(tab, addresses) {
	let failed = null;
	return addresses.reduce((before, address) => before.then(() => data.ask('unblock', { address: address }).catch((error) => { failed = error; })), Promise.resolve())
		.then(() => failed ? tell(words.of(failed.message), 'error') : tell(N_(addresses.length, '%s source is no longer blocked.', '%s sources are no longer blocked.').format(text.number(addresses.length)), 'info'))
		.then(() => tab.refresh());
}

/* Every block that there is, also those that the page does not show. */
function everyBlock(cursor, found) {
	return data.ask('blocks', { limit: 1000, cursor: cursor }).then((answer) => {
		const all = (found || []).concat(answer.blocks);
		return answer.cursor != null && answer.blocks.length ? everyBlock(answer.cursor, all) : all;
	});
}

const applyStaged = rpc.declare({ object: 'uci', method: 'apply', params: [ 'timeout', 'rollback' ], reject: true });
const confirmApplied = rpc.declare({ object: 'uci', method: 'confirm', reject: true });

/*
 * Confirmed at once, as no address that is allowed can cut off the browser. Not without a rollback: rpcd would delete the
 * copies from which it rolls back another change that waits for its confirmation.
 */
function apply() {
	return applyStaged(10, true).then(() => confirmApplied(), (error) => {
		/* Permission denied: while another change waits for its confirmation, this one waits, too. */
		if (!/ubus code 6\b/.test(error && error.message || error)) throw error;
	});
}

const isEmpty = (changes) => !Object.keys(changes || {}).length;

function add(addresses) {
	/* Not as it was loaded some time ago: the whole list is written. */
	uci.unload('fwstat');
	return Promise.all([ uci.load('fwstat'), uci.changes() ]).then(([ , waiting ]) => {
		const allowed = [ uci.get('fwstat', 'guard', 'allow') ].flat().filter(Boolean), more = [ ...new Set(addresses) ].filter((address) => !allowed.includes(address));
		const most = options.guard.allow.most;
		if (allowed.length + more.length > most) throw new Error(_('it has at most %s entries').format(most));
		if (more.length) uci.set('fwstat', 'guard', 'allow', allowed.concat(more));
		return uci.save().then(() => more.length && isEmpty(waiting) ? apply() : null);
	}).then(() => {
		uci.unload('fwstat');
		return uci.changes();
	}).then(isEmpty).catch((error) => {
		throw new Error(_('The allow list was not changed: %s').format(error && error.message || error));
	});
}

/*
 * Puts addresses on the guard's allow list. Where other changes wait to be applied in LuCI, this one
 * waits with them. One after the other: each sets the whole list.
 */
let last = Promise.resolve();

function allow(addresses) {
	last = last.catch(() => null).then(() => add(addresses));
	return last;
}

function never(tab, address) {
	return allow([ address ]).then((applied) => {
		return act(tab, 'unblock', { address: address }, applied ? _('%s is never blocked again.').format(text.address(address))
			: _('%s will be on the allow list once you apply the pending changes.').format(text.address(address)));
	}).catch((error) => tell(error.message, 'error'));
}

const unblock = (tab, address) => act(tab, 'unblock', { address: address }, _('%s is no longer blocked.').format(text.address(address)));

return baseclass.extend({
	/* Whether a source is blocked, why and for how long, in one line. */
	why: (answer) => {
		const row = answer.block;
		if (!row) return answer.blocked == null ? _('the guard is off') : _('no');
		return [ row.dry ? _('dry run: would be blocked') : null, row.kind ? _('with %s').format(row.address) : null, words.of(row.reason), row.expires ? _('%s left').format(text.until(row.expires)) : _('until unblocked'),
			row.dropped > 0 ? N_(row.dropped, '%s packet stopped', '%s packets stopped').format(text.number(row.dropped)) : null ].filter(Boolean).join(' · ');
	},

	unblockButton: (tab, address) => data.mayWrite() ? page.button(_('Unblock'), (event) => {
		event.target.disabled = true;
		unblock(tab, address);
	}, { 'class': 'btn cbi-button cbi-button-remove fw-chip', name: 'unblock-' + address }) : null,

	neverButton: (tab, address) => data.mayWrite() ? page.button(_('Never block'), (event) => {
		event.target.disabled = true;
		never(tab, address);
	}, { 'class': 'btn cbi-button fw-chip', name: 'never-' + address, title: _('Puts it on the guard\'s allow list.') }) : null,

	allow: allow,
	everyBlock: everyBlock,
	unblockEach: unblockEach,
	unblockAll: (tab) => everyBlock().then((rows) => rows.map((row) => row.address)).then((addresses) => window.confirm(N_(addresses.length, 'End %s block?', 'End all %s blocks?').format(text.number(addresses.length)))
		? unblockEach(tab, addresses) : null).catch((error) => tell(words.of(error.message), 'error')),

	/* What can be done with an address; without one it can be written. */
	form: function(tab, address, blocked) {
		if (!data.mayWrite()) return null;
		if (blocked) return el('p', { 'class': 'fw-tools' }, [ this.unblockButton(tab, blocked.address), this.neverButton(tab, blocked.address) ]);
		return el('form', { 'class': 'fw-form', submit: (event) => {
			event.preventDefault();
			const fields = event.target.elements, chosen = address || fields.address.value.trim();
			fields.block.disabled = true;
			const form = event.target, done = _('%s is blocked.').format(text.address(chosen));
			confirmed(chosen).then((sure) => sure ? act(tab, 'block', { address: chosen, 'for': fields.time.value, reason: fields.reason.value.trim() || undefined }, done, form) : null,
				(error) => tell(words.of(error.message), 'error')).then(() => { fields.block.disabled = false; });
		} }, [
			address ? null : el('label', {}, [ _('Address, network (198.51.100.0/24) or country (two letters)'), el('input', { name: 'address', required: true, maxlength: 64, 'class': 'cbi-input-text' }) ]),
			el('label', {}, [ _('For'), el('select', { name: 'time', 'class': 'cbi-input-select' }, TIMES.map(([ value, label ]) => el('option', { value: value }, label))) ]),
			el('label', {}, [ _('Reason'), el('input', { name: 'reason', maxlength: 60, 'class': 'cbi-input-text' }) ]),
			el('button', { type: 'submit', name: 'block', 'class': 'btn cbi-button cbi-button-negative' }, _('Block'))
		]);
	}
});
