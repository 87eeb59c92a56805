'use strict';
'require baseclass';
'require ui';
'require uci';
'require fwstat.page as page';
'require fwstat.block as block';
'require fwstat.data as data';
'require fwstat.table as table';
'require fwstat.text as text';
'require fwstat.words as words';

/* The block and the allow list as text files: one address or network a line, # begins a comment, as in banIP's lists. */

const el = page.el;
const MOST_BYTES = 65536;

const tell = (sentence, kind) => ui.addNotification(null, el('p', {}, sentence), kind);
const fail = (error) => tell(words.of(String(error && error.message || error)), 'error');

/* As the daemon reads it: a value of the allow list that it refuses leaves the guard off at the next start. */
function isNetwork(word) {
	const [ , address, given ] = /^([0-9a-f:.]+)(?:\/(\d{1,3}))?$/i.exec(word) || [], length = given || 128;
	if (!address) return false;
	if (!address.includes(':')) return /^(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}$/.test(address) && address.split('.').every((part) => part < 256) && (given || 32) <= 32;
	try {
		/* An IPv4-mapped prefix has at least the 96 bits before the address. */
		return length <= 128 && (!/^\[::ffff:\w+:\w+\]$/.test(new URL('http://[' + address + ']/').hostname) || length >= 96);
	} catch (error) {
		return false;
	}
}

/* The lines that are addresses or networks, and how many others there are. */
function read(content) {
	const lines = content.split(/\r?\n/).map((line) => line.split('#')[0].trim().split(/\s/)[0]).filter((line) => line);
	const good = lines.filter(isNetwork);
	return { lines: good, skipped: lines.length - good.length };
}

const skipped = (count) => count ? ' ' + N_(count, '%s line is not an address and was left out.', '%s lines are not addresses and were left out.').format(text.number(count)) : '';

function choose(name, label, take) {
	return el('label', { 'class': 'btn cbi-button fw-chip fw-file' }, [ label, el('input', { type: 'file', name: name, accept: 'text/plain,.txt,.blocklist,.allowlist', change: (event) => {
		const file = event.target.files[0];
		if (!file) return;
		if (file.size > MOST_BYTES) tell(_('The file is too large for a list.'), 'error');
		else file.text().then((content) => take(read(content))).catch(fail);
		event.target.value = '';
	} }) ]);
}

function importBlocked(tab, { lines, skipped: count }) {
	/* The daemon takes calls of up to 8 KB. */
	const parts = Array.from({ length: Math.ceil(lines.length / 128) }, (_part, at) => lines.slice(at * 128, at * 128 + 128));
	const sum = { blocked: 0, refused: 0, refusals: [] };
	return parts.reduce((before, part) => before.then(() => data.ask('block-list', { list: part.join('\n'), 'for': 'forever' })).then((answer) => {
		sum.blocked += answer.blocked;
		sum.refused += answer.refused;
		sum.refusals = sum.refusals.concat(answer.refusals).slice(0, 20);
	}), Promise.resolve()).catch(fail).then(() => {
		tell(N_(sum.blocked, '%s address or network is blocked.', '%s addresses and networks are blocked.').format(text.number(sum.blocked)) + skipped(count), 'info');
		sum.refusals.forEach((row) => tell(words.of('%s is not blocked: %s'.format(row.address, row.because)), 'error'));
		if (sum.refused > sum.refusals.length) tell(_('%s more are not blocked.').format(text.number(sum.refused - sum.refusals.length)), 'error');
		return tab.refresh();
	});
}

function importAllowed({ lines, skipped: count }) {
	return block.allow(lines).then((applied) => tell((applied ? _('%s lines are on the allow list.') : _('%s lines will be on the allow list once you apply the pending changes.')).format(text.number(lines.length)) + skipped(count), 'info'));
}

const allowed = () => uci.load('fwstat').then(() => [ uci.get('fwstat', 'guard', 'allow') ].flat().filter(Boolean).flatMap((value) => value.split(/\s+/)));

const file = (name, lines) => table.save(name + '.txt', lines.map((line) => line + '\n').join(''), 'text/plain;charset=utf-8');

return baseclass.extend({
	isNetwork: isNetwork,
	tools: (tab) => [
		el('p', { 'class': 'fw-soft' }, _('Text files with one address or network a line, such as banIP\'s local lists. What is imported stays blocked until it is unblocked.')),
		el('div', { 'class': 'fw-tools' }, [
			page.button(_('Save the block list'), () => block.everyBlock().then((rows) => file('fwstat-blocklist', rows.filter((row) => row.rule == 'manual' && row.kind != 'country').map((row) => row.address))).catch(fail), { name: 'blocklist', 'class': 'btn cbi-button fw-chip' }),
			data.mayWrite() ? choose('blocklist-file', _('Import a block list'), (list) => importBlocked(tab, list)) : null,
			page.button(_('Save the allow list'), () => allowed().then((lines) => file('fwstat-allowlist', lines)).catch(fail), { name: 'allowlist', 'class': 'btn cbi-button fw-chip' }),
			data.mayWrite() ? choose('allowlist-file', _('Import an allow list'), importAllowed) : null
		])
	]
});
