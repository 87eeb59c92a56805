'use strict';
'require baseclass';

/* The view's state in the part of the URL behind #, so that a link shows the same. */

function read() {
	const state = {};
	new URLSearchParams(window.location.hash.slice(1)).forEach((value, name) => { state[name] = value; });
	return state;
}

function write(state) {
	const parts = new URLSearchParams();
	Object.keys(state).sort().forEach((name) => {
		if (state[name] != null && state[name] !== '' && state[name] !== false) parts.set(name, state[name]);
	});
	return parts.toString().replace(/%2F/g, '/').replace(/%3A/g, ':');
}

return baseclass.extend({
	read: read,
	/* The address of a tab with this state; the mask goes along. */
	link: (tab, state) => {
		const hash = write(Object.assign({ mask: read().mask }, state));
		return L.url('admin/status/fwstat', tab) + (hash ? '#' + hash : '');
	},
	/* Changes the state; `step` makes it a step that the browser can go back. */
	change: (changes, step) => {
		const url = window.location.pathname + window.location.search + '#' + write(Object.assign(read(), changes));
		window.history[step ? 'pushState' : 'replaceState'](null, '', url);
	}
});
