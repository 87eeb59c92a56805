'use strict';
'require baseclass';
'require fs';
'require ui';
'require fwstat.data as data';
'require fwstat.page as page';
'require fwstat.text as text';
'require fwstat.words as words';

/* Backup, restore, import and delete: the program's own commands, each after a question. rpcd compares a command line with the
   patterns of acl.d, whose * is anything: only behind -- can no option be added. */

const el = page.el;
const PROGRAM = '/usr/bin/fwstat', UPLOADED = '/tmp/fwstat-upload', PACKED = '/tmp/fwstat-backup';

/* What a command answers, and its notes; what it complains of becomes an error. */
function run(args) {
	return fs.exec(PROGRAM, args).then((ran) => {
		const said = (ran.stderr || '').split(/^fwstat: |\n/m).filter(Boolean);
		if (ran.code) throw new Error(said.join('\n') || _('The command failed (%s).').format(ran.code));
		return [ ran.stdout || '', said ];
	});
}

const translated = (sentences) => sentences.map(words.of);

/* Shows what is done, and what came of it: a sentence and the command's notes. */
function act(output, action) {
	const show = (...notices) => output.replaceChildren(...notices.filter(Boolean));
	show(el('em', { 'class': 'spinning' }, _('Working…')));
	return action().then(([ done, notes ]) => show(page.notice('good', done), page.notice('note', translated(notes || []))))
		.catch((error) => show(page.notice('wrong', translated(error.message.split('\n')))));
}

/* By way of a file: of a command whose output goes to the browser nobody would know how it ended. */
function backup() {
	return run([ 'backup', '--json', PACKED ]).then(([ , notes ]) => fs.read_direct(PACKED, 'blob').then((blob) => {
		const address = URL.createObjectURL(blob), link = el('a', { href: address, download: 'fwstat-%s.tar.gz'.format(new Date().toISOString().slice(0, 10)) });
		document.body.append(link);
		link.click();
		link.remove();
		setTimeout(() => URL.revokeObjectURL(address), 60000);
		return [ _('The backup is %s bytes long.').format(text.number(blob.size)), notes ];
	})).finally(() => fs.remove(PACKED).catch(() => null));
}

/* A file of the browser's. */
function uploaded(use) {
	return ui.uploadFile(UPLOADED).then(() => use().finally(() => fs.remove(UPLOADED).catch(() => null)));
}

function restore() {
	return uploaded(() => {
		if (!window.confirm(_('Restore this backup? What the router has counted since stays.'))) return Promise.resolve([]);
		return run([ 'restore', '--json', UPLOADED ]).then(([ answer, notes ]) => {
			const restored = JSON.parse(answer);
			return [ [
				restored.days ? _('%s days from %s to %s are restored.').format(text.number(restored.days), restored.first, restored.last) : '',
				restored.networks ? N_(restored.networks, '%s block of a network or country is restored.', '%s blocks of networks and countries are restored.').format(text.number(restored.networks)) : ''
			].filter(Boolean).join(' ') || _('Nothing is missing: all that the backup holds is here.'), notes ];
		});
	});
}

function importLog() {
	return uploaded(() => {
		if (!window.confirm(_('Count the packets of this log, too? A file that was imported before is not counted again.'))) return Promise.resolve([]);
		/* "lines 7, events 7, …" */
		return run([ 'import', UPLOADED ]).then(([ answer, notes ]) => [ /, events 0,/.test(answer) ? _('Nothing was added.') : _('The log is imported.'), notes ]);
	});
}

function forgetBefore(output, field) {
	const first = field.value;
	if (!first || !window.confirm(_('Delete all statistics before %s? They cannot be restored without a backup.').format(first))) return;
	return act(output, () => run([ 'forget', '--json', '--before', first ]).then(([ answer ]) => [ _('%s days are deleted.').format(text.number(JSON.parse(answer).days)) ]));
}

function forgetSource(output, field) {
	const source = field.value.trim();
	if (!source || !window.confirm(_('Delete everything about %s? Totals stay, as they do not identify anybody.').format(source))) return;
	return act(output, () => run([ 'forget', '--json', '--', source ]).then(([ answer ]) => [ _('%s rows are deleted.').format(text.number(JSON.parse(answer).rows)) ]));
}

function deleted(status) {
	const rows = status.deleted || [];
	return rows.length ? page.fold('deleted', _('What was deleted'), el('table', { 'class': 'fw-table' }, el('tbody', {}, rows.map((row) =>
		el('tr', {}, [ el('td', {}, text.moment(row.when)), el('td', {}, words.of(row.what + ', because ' + row.because)) ]))))) : null;
}

return baseclass.extend({
	section: (status) => {
		const output = el('div', { 'class': 'fw-output', role: 'status' });
		const first = el('input', { type: 'date', name: 'forget-before', 'class': 'cbi-input-text fw-date', 'aria-label': _('First day that stays') });
		const source = el('input', { type: 'text', name: 'forget-source', 'class': 'cbi-input-text', 'aria-label': _('Address'), placeholder: '198.51.100.7' });
		const row = (label, ...children) => el('div', { 'class': 'fw-row' }, [ el('span', { 'class': 'fw-label' }, label), children ]);
		const does = (name, label, action) => page.button(label, () => act(output, action), { name: name });
		return page.section(_('Your data'), [
			data.mayWrite() ? [
				row(_('Backup'), does('backup', _('Download'), backup), does('restore', _('Restore…'), restore)),
				row(_('Log file'), does('import', _('Import…'), importLog)),
				row(_('Everything before'), first, page.button(_('Delete'), () => forgetBefore(output, first), { name: 'delete-before', 'class': 'btn cbi-button cbi-button-negative' })),
				row(_('A source'), source, page.button(_('Delete'), () => forgetSource(output, source), { name: 'delete-source', 'class': 'btn cbi-button cbi-button-negative' })),
				output
			] : null,
			deleted(status)
		]);
	}
});
