'use strict';
'require baseclass';
'require fwstat.text as text';

/* What to do about a port, in the reader's language where the daemon has it. */

return baseclass.extend({
	of: (row) => {
		const advice = row.advice;
		if (advice == null || typeof(advice) != 'object') return advice == null ? null : String(advice);
		const words = advice[text.language.slice(0, 2)] || advice.en;
		return words == null ? null : String(words);
	}
});
