'use strict';
'require baseclass';
'require fwstat.data as data';
'require fwstat.guard as guard';
'require fwstat.page as page';
'require fwstat.text as text';
'require fwstat.words as words';

/* The card on LuCI's own Overview. */

const el = page.el;
const EVERY_MS = 30000;

let answer = null, asked = 0;

return baseclass.extend({
	title: _('Firewall Statistics'),

	/* LuCI asks every few seconds; the figures need not be that new. */
	load: () => {
		const now = Date.now();
		if (answer == null || now - asked > EVERY_MS) {
			asked = now;
			answer = data.attempt('summary', { limit: 1 });
		}
		return answer;
	},

	render: (answer) => {
		page.styles();
		if (answer.failed) return el('p', {}, words.of(answer.failed));
		const fact = (label, number) => el('span', {}, [ el('b', {}, number), ' ' + label ]), top = answer.services[0], out = (answer.anomalies_lately || [])[0];
		const wrong = words.reasons(answer).large.concat((answer.warnings || []).map(words.of)).concat(guard.wrong(answer.guard) ? guard.sentences(answer.guard) : []);
		return el('div', { 'class': 'fw-card' }, [
			fact(_('attempts today'), text.number(answer.attempts)),
			answer.usual_per_day != null ? fact(_('usual for a day'), text.number(answer.usual_per_day)) : null,
			answer.unique_sources != null ? fact(_('different sources'), text.number(answer.unique_sources)) : null,
			answer.blocks && answer.guard && answer.guard.enabled ? fact(_('blocked now'), text.number(answer.blocks.active)) : null,
			top ? el('span', {}, _('Most tried: %s').format(text.namedService(top))) : null,
			out ? el('span', {}, _('Anomaly: %s').format(text.namedService(out))) : null,
			wrong.length ? el('span', { title: wrong.join('\n') }, _('The figures need attention.')) : null,
			page.link(_('See all'), 'overview')
		]);
	}
});
