'use strict';
'require baseclass';
'require fwstat.page as page';
'require fwstat.data as data';
'require fwstat.text as text';
'require fwstat.words as words';

/* What to know and do about a known port, in the reader's language where the daemon has it. */

const el = page.el;

function paragraphs(rows) {
	return (rows || []).map((row) => [
		el('p', { 'class': 'fw-advice' }, row[text.language.slice(0, 2)] || row.en),
		row.sources ? el('p', { 'class': 'fw-advice fw-soft' }, _('Sources: %s').format(row.sources)) : null
	]);
}

return baseclass.extend({
	/* What an answer tells. */
	of: (answer) => paragraphs(answer.advice),

	/* What is asked for when it is unfolded. */
	folded: (row) => {
		let asked = false;
		const details = page.fold('advice %s %s'.format(row.protocol, row.port), _('What to do'), null, { 'class': 'fw-advice' });
		details.addEventListener('toggle', () => {
			if (asked || !details.open) return;
			asked = true;
			data.ask('services', { protocol: row.protocol, port: row.port, limit: 1 }).then((answer) => {
				details.append(...[ paragraphs(answer.advice) ].flat(2).filter(Boolean));
				if (!(answer.advice || []).length) details.append(el('p', {}, _('There is no advice about this port.')));
			}).catch((error) => {
				asked = false;
				details.append(page.notice('wrong', words.of(error.message)));
			});
		});
		return details;
	}
});
