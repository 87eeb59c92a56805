'use strict';
'require baseclass';
'require fwstat.page as page';
'require fwstat.words as words';

/* What the guard does now, in words. */

const STATES = {
	off: _('The guard is off: no source is blocked automatically.'),
	on: _('The guard is on: sources that flood, scan or guess passwords are blocked.'),
	dry: _('The guard makes a dry run: it shows which sources it would block, and blocks none.'),
	starting: _('The guard is starting.'),
	degraded: _('The guard does not work as it should:')
};
/* The same in short. */
const SHORT = { off: _('the guard is off'), dry: _('dry run'), starting: _('the guard is starting'), degraded: _('the guard does not work as it should') };

const sentences = (guard) => [ STATES[guard.state] || guard.state ].concat(words.apart(guard.why).filter(Boolean).map(words.of));

return baseclass.extend({
	sentences: sentences,
	/* Something to be noticed: it is off by mistake, or does not do what it should. */
	wrong: (guard) => guard != null && (guard.state == 'degraded' || !!guard.why),
	short: (guard) => guard ? SHORT[guard.state] || null : null,
	notice: (guard) => guard == null ? null : page.notice(guard.state == 'on' ? 'good' : guard.state == 'degraded' ? 'wrong' : 'note',
		sentences(guard).concat(guard.enabled ? [] : [ page.link(_('It is switched on in the settings.'), 'settings') ]))
});
