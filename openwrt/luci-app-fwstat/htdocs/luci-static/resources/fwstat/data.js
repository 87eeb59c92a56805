'use strict';
'require baseclass';
'require rpc';

/* The daemon's answers: one ubus call each. An error is a sentence for people. */

const NAMES = [ 'from', 'to', 'class', 'protocol', 'port', 'source', 'country', 'min', 'limit', 'cursor', 'address', 'for', 'reason', 'daily', 'list', 'filter' ];
const STATUS = {
	1: _('The daemon did not understand the request.'),
	2: _('The daemon refused an argument.'),
	3: _('This version of the daemon does not support the request.'),
	4: _('Nothing was found.'),
	5: _('That was not measured.'),
	6: _('You may not do this.'),
	7: _('The daemon did not answer in time.'),
	8: _('The daemon does not support this.')
};
const declared = {};
const systemInfo = rpc.declare({ object: 'system', method: 'info' });
/* How far the router's wall clock, read as UTC, is ahead of the browser's clock, in milliseconds. */
let ahead = null;

function ask(method, args) {
	declared[method] = declared[method] || rpc.declare({ object: 'fwstat', method: method, params: NAMES });
	const given = NAMES.map((name) => args && args[name] !== '' && args[name] != null ? args[name] : undefined);
	return declared[method](...given).catch((error) => {
		const text = String(error && error.message || error);
		if (/-32000|not found/i.test(text))
			throw new Error(_('fwstat is not running: start it under System > Startup, or with /etc/init.d/fwstat start.'));
		if (/-32002|denied/i.test(text))
			throw new Error(STATUS[6]);
		throw new Error(text);
	}).then((answer) => {
		if (answer === 4)
			throw new Error(_('fwstat is not running: start it under System > Startup, or with /etc/init.d/fwstat start.'));
		if (typeof(answer) == 'number' && answer !== 0)
			throw new Error(STATUS[answer] || _('The daemon did not answer (%s).').format(answer));
		/* A source's row has a number of that name: how much too high its count can be. */
		if (answer != null && typeof(answer.error) == 'string')
			throw new Error(answer.error);
		return answer === 0 ? {} : answer;
	});
}

return baseclass.extend({
	ask: ask,
	/* The answer, or an object with `failed`, so that one part of a page can fail alone. */
	attempt: (method, args) => ask(method, args).catch((error) => ({ failed: error.message })),
	/* The router's local date, YYYY-MM-DD; the browser's where the router does not tell. */
	today: () => (ahead != null ? Promise.resolve() : systemInfo().then((info) => {
		if (info.localtime > 0) ahead = info.localtime * 1000 - Date.now();
	}).catch(() => {})).then(() => {
		const now = new Date();
		return new Date(+now + (ahead != null ? ahead : -60000 * now.getTimezoneOffset())).toISOString().slice(0, 10);
	}),
	mayWrite: () => L.hasViewPermission() === true
});
