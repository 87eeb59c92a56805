'use strict';
'require baseclass';

/* The daemon's sentences in the reader's language. One that is not known here stays English. */

const sentences = [
	[ /^(\d+) packets were lost today before they were read$/, _('%s packets were lost today before they could be read') ],
	[ /^days before (\S+) are kept by month only$/, _('days before %s are kept by month only') ],
	[ /^services with up to (\d+) attempts can be missing$/, _('services with up to %s attempts can be missing') ],
	[ /^sources with up to (\d+) attempts can be missing$/, _('sources with up to %s attempts can be missing') ],
	[ /^the attempts of some services can be up to (\d+) too low$/, _('the attempts of some services can be up to %s too low') ],
	[ /^the attempts of some sources can be up to (\d+) too low$/, _('the attempts of some sources can be up to %s too low') ],
	[ /^days with up to (\d+) such attempts are left out: too few to be kept$/, _('days with up to %s such attempts are left out: too few to be kept') ],
	[ /^the hours of (\d+) attempts are not kept: services and sources keep theirs from (\S+) on, and only where they are among the day's heaviest$/,
		_('the hours of %s attempts are not kept: services and sources keep theirs from %s on, and only the heaviest of a day do') ],
	[ /^the clock is not set: packets are counted and get their day once it is$/, _('the clock is not set: packets are counted and get their day once it is') ],
	[ /^older events are no longer held$/, _('older events are no longer held') ],
	[ /^no country database.*$/, _('no country database is installed') ],
	[ /^input (\S+): no ubus$/, _('the input %s does not work: there is no ubus') ],
	[ /^input (\S+): no logd$/, _('the input %s does not work: there is no logd') ],
	[ /^input (\S+): connecting$/, _('the input %s is being connected') ],
	[ /^input (\S+): reading$/, _('the input %s still reads what came before') ],
	[ /^input (\S+): (.+)$/, _('the input %s does not work: %s') ]
];

/* Of texts that stand in the daemon's table of services: po/collect takes them from there. */
const known = _;

function translate(sentence) {
	for (const [ pattern, words ] of sentences) {
		const match = pattern.exec(sentence);
		if (match) return words.format(...match.slice(1));
	}
	return sentence;
}

return baseclass.extend({
	/* One sentence. */
	of: translate,
	/* The reasons of an answer, each in a sentence of its own. */
	reasons: (answer) => answer && answer.complete === false
		? String(answer.incomplete_because || '').split('; ').filter((reason) => reason).map(translate) : [],
	/* What an attack on a service wants. */
	wants: (phrase) => known(phrase),
	classes: {
		attempt: _('Attempt'), backscatter: _('Stray reply'), noise: _('Noise'), egress: _('From inside'), login: _('Failed login')
	},
	verdicts: { accept: _('accepted'), drop: _('dropped'), reject: _('rejected'), unknown: _('unknown') }
});
