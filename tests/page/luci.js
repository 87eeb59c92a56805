'use strict';
/*
 * Stands in for LuCI's runtime, as far as the page uses it: modules, elements, rpc, polling, forms, translations. Written
 * from LuCI's documentation of its API. `?lang=ja`, `?dark=1` and `?user=reader` choose what LuCI's session would.
 */
(() => {
const asked = new URLSearchParams(location.search);
const user = asked.get('user') === 'reader' ? 'reader' : 'writer';
const language = asked.get('lang') || 'en';
document.documentElement.lang = language;
if (asked.get('dark') === '1') document.documentElement.setAttribute('data-darkmode', 'true');

String.prototype.format = function(...values) {
	let index = 0;
	return this.replace(/%(%|s|d)/g, (match, kind) => kind === '%' ? '%' : String(values[index++]));
};

/* The catalogue as LuCI serves it: texts by the hash of their key. */
let catalogue = null;

function sfh(text) {
	const bytes = new TextEncoder().encode(text), u16 = (at) => bytes[at] | bytes[at + 1] << 8, s8 = (at) => bytes[at] << 24 >> 24;
	let hash = bytes.length >>> 0, at = 0;
	for (let words = bytes.length >>> 2; words > 0; words--, at += 4) {
		hash = (hash + u16(at)) >>> 0;
		const mixed = ((u16(at + 2) << 11) ^ hash) >>> 0;
		hash = ((hash << 16) ^ mixed) >>> 0;
		hash = (hash + (hash >>> 11)) >>> 0;
	}
	const rest = bytes.length & 3;
	if (rest == 3) { hash = (hash + u16(at)) >>> 0; hash = (hash ^ (hash << 16)) >>> 0; hash = (hash ^ (s8(at + 2) << 18)) >>> 0; hash = (hash + (hash >>> 11)) >>> 0; }
	if (rest == 2) { hash = (hash + u16(at)) >>> 0; hash = (hash ^ (hash << 11)) >>> 0; hash = (hash + (hash >>> 17)) >>> 0; }
	if (rest == 1) { hash = (hash + s8(at)) >>> 0; hash = (hash ^ (hash << 10)) >>> 0; hash = (hash + (hash >>> 1)) >>> 0; }
	hash = (hash ^ (hash << 3)) >>> 0; hash = (hash + (hash >>> 5)) >>> 0;
	hash = (hash ^ (hash << 4)) >>> 0; hash = (hash + (hash >>> 17)) >>> 0;
	hash = (hash ^ (hash << 25)) >>> 0; hash = (hash + (hash >>> 6)) >>> 0;
	return hash;
}

function readCatalogue(buffer) {
	const view = new DataView(buffer), index = view.getUint32(buffer.byteLength - 4), texts = new Map(), decoder = new TextDecoder();
	for (let at = index; at < buffer.byteLength - 4; at += 16)
		texts.set(view.getUint32(at), decoder.decode(new Uint8Array(buffer, view.getUint32(at + 8), view.getUint32(at + 12))));
	return texts;
}

window.untranslated = [];
window._ = (text) => {
	const found = catalogue && catalogue.get(sfh(text.trim()));
	if (catalogue && !found) window.untranslated.push(text);
	return found || text;
};
window.N_ = (count, one, many) => catalogue ? catalogue.get(sfh(one + '\u0002' + '0')) || many : count == 1 ? one : many;

/* Like LuCI: a lone string as children is markup. */
window.E = (tag, attributes, children) => {
	const node = document.createElement(tag);
	for (const name in attributes || {}) {
		const value = attributes[name];
		if (typeof(value) == 'function') node.addEventListener(name, value);
		else if (value != null) node.setAttribute(name, value);
	}
	if (Array.isArray(children)) children.forEach((child) => node.append(child));
	else if (children instanceof Node) node.append(children);
	else if (children != null) node.innerHTML = children;
	return node;
};

const url = (...parts) => '/cgi-bin/luci/' + parts.filter(Boolean).join('/') + location.search;
window.L = {
	env: { sessionid: user, nodespec: { readonly: user == 'reader', satisfied: true } },
	url: url,
	resource: (...parts) => '/luci-static/resources/' + parts.join('/'),
	hasViewPermission: () => user == 'writer',
	resolveDefault: (value, fallback) => Promise.resolve(value).catch(() => fallback)
};

/* Calls of one moment go together. */
let batch = [];
window.calls = [];
const post = (object, method, args) => new Promise((resolve, reject) => {
	batch.push({ resolve, reject, asked: performance.now(), tick: poll.tick, request: { jsonrpc: '2.0', id: batch.length + 1, method: 'call', params: [ user, object, method, args ] } });
	if (batch.length > 1) return;
	setTimeout(() => {
		const sent = batch;
		batch = [];
		fetch('/ubus', { method: 'POST', body: JSON.stringify(sent.map((one) => one.request)) }).then((answer) => answer.json()).then((answers) => sent.forEach((one, index) => {
			const answer = answers[index], [ , object, method ] = one.request.params;
			window.calls.push({ object, method, args: one.request.params[3], bytes: JSON.stringify(answer).length, asked: one.asked, tick: one.tick });
			if (answer.error) one.reject(new Error('RPC call failed with error %d: %s'.format(answer.error.code, answer.error.message)));
			else one.resolve(answer.result.length > 1 ? answer.result[1] : answer.result[0]);
		})).catch((error) => sent.forEach((one) => one.reject(error)));
	}, 0);
});

const extend = (properties) => {
	const made = function() {};
	made.prototype = properties;
	made.made = true;
	return made;
};

const notify = (title, content, kind) => document.getElementById('header').append(E('div', { 'class': 'alert-message ' + (kind || '') }, [ content ]));

/* As LuCI's: the first that is added runs at once, each then at the multiples of its seconds, and never twice at a time. */
const poll = {
	queue: [], tick: 0, timer: null,
	add(fn, interval) {
		if (isNaN(interval) || typeof(fn) != 'function') throw new TypeError('Invalid argument to LuCI.poll.add()');
		if (this.queue.some((entry) => entry.fn === fn)) return false;
		this.queue.push({ ready: true, interval: interval >>> 0, fn: fn });
		if (this.timer == null) this.start();
		return true;
	},
	start() {
		this.tick = 0;
		this.timer = setInterval(() => this.step(), 1000);
		this.step();
	},
	step() {
		for (const entry of this.queue) {
			if (this.tick % entry.interval != 0 || !entry.ready) continue;
			entry.ready = false;
			Promise.resolve(entry.fn()).finally(() => { entry.ready = true; });
		}
		this.tick++;
	}
};

/* Forms: a map of sections of options, each an input; enough to set and save. */
class Option {
	constructor(option, title, description) { Object.assign(this, { option, title, description, values: [] }); }
	value(value, label) { this.values.push([ value, label || value ]); }
	load(section) { return uci.get('fwstat', section, this.option); }
	current(section) { return this.load(section) ?? this.default ?? ''; }
	node(section) { return E('input', { 'class': 'cbi-input-text', name: this.option, value: [ this.current(section) ].flat().join(' '), placeholder: this.placeholder || '' }); }
	read(node) { return node.value; }
	formvalue() { return this.element && this.read(this.element); }
	check(section) { return this.validate ? this.validate(section, this.formvalue()) : true; }
}
class Flag extends Option {
	node(section) { return E('input', Object.assign({ type: 'checkbox', name: this.option }, this.current(section) == '1' ? { checked: '' } : {})); }
	read(node) { return node.checked ? '1' : '0'; }
}
class ListValue extends Option {
	node(section) { return E('select', { name: this.option }, this.values.map(([ value, label ]) => E('option', Object.assign({ value }, value == this.current(section) ? { selected: '' } : {}), [ label ]))); }
}
class List extends Option {
	read(node) { return node.value.split(/\s+/).filter(Boolean); }
}
/* Only what is typed into the field for another entry is checked, by itself. */
class DynamicList extends List {
	check(section) { return this.formvalue().map((value) => this.validate ? this.validate(section, value) : true).find((verdict) => verdict !== true) ?? true; }
}
class Map_ {
	constructor(config) { Object.assign(this, { config, sections: [] }); }
	section(kind, name, type, title, description) {
		const section = { name, type, title, description, options: [], option(Kind, ...rest) { const option = new Kind(...rest); this.options.push(option); return option; } };
		this.sections.push(section);
		return section;
	}
	render() {
		return Promise.resolve(E('div', { 'class': 'cbi-map' }, this.sections.map((section) => E('div', { 'class': 'cbi-section', 'data-section': section.name }, [
			E('h3', {}, [ section.title ]), E('p', {}, [ section.description || '' ]),
			...section.options.map((option) => {
				option.element = option.node(section.name);
				return E('div', { 'class': 'cbi-value' }, [ E('label', {}, [ option.title ]), E('div', {}, [ option.element, E('div', { 'class': 'cbi-value-description' }, [ option.description || '' ]) ]) ]);
			})
		])).concat(L.hasViewPermission() ? [ E('button', { 'class': 'btn cbi-button-apply', click: () => this.save() }, [ _('Save & Apply') ]) ] : [])));
	}
	save() {
		for (const section of this.sections) for (const option of section.options) {
			const verdict = option.check(section.name);
			if (verdict !== true) return notify(null, E('p', {}, [ option.title + ': ' + verdict ]), 'error');
		}
		return this.sections.reduce((before, section) => before.then(() => post('uci', 'set', { config: this.config, section: section.name,
			values: Object.fromEntries(section.options.map((option) => [ option.option, option.formvalue() ])) })), Promise.resolve())
			.then(() => post('uci', 'apply', { timeout: 10, rollback: true })).then(() => post('uci', 'confirm', {})).then(() => notify(null, E('p', {}, [ 'saved' ]), 'info'));
	}
}
/* As LuCI's uci: what is not loaded cannot be set, and nothing says so; what is unloaded loses its changes. */
let uciValues = {}, uciChanged = {}, uciLoading = null;
const checked = (answer) => typeof(answer) == 'number' && answer ? Promise.reject(new Error('ubus code ' + answer)) : answer;
const uci = {
	load: (config) => uciLoading = uciLoading || post('uci', 'get', { config }).then((answer) => { uciValues = answer.values; }),
	unload: () => { [ uciValues, uciChanged, uciLoading ] = [ {}, {}, null ]; },
	get: (config, section, option) => Object.assign({}, uciValues[section], uciChanged[section])[option],
	set: (config, section, option, value) => { if (uciValues[section]) uciChanged[section] = Object.assign(uciChanged[section] || {}, { [option]: value }); },
	save: () => Promise.all(Object.entries(uciChanged).map(([ section, values ]) => post('uci', 'set', { config: 'fwstat', section, values }).then(checked)))
		.then((saved) => saved.length ? (uci.unload(), uci.load('fwstat')) : null),
	changes: () => post('uci', 'changes', {}).then((answer) => answer.changes),
	/* It is done before it is confirmed. */
	apply: (timeout) => post('uci', 'apply', { timeout: timeout || 10, rollback: true }).then(checked).then(() => { setTimeout(() => post('uci', 'confirm', {}), 1000); })
};

const known = {
	baseclass: { extend }, view: { extend }, form: { Map: Map_, NamedSection: 'named', Value: Option, Flag, ListValue, MultiValue: List, DynamicList },
	'tools.widgets': { ZoneSelect: List },
	rpc: { declare: (spec) => (...args) => post(spec.object, spec.method, Object.fromEntries((spec.params || []).map((name, index) => [ name, args[index] ])))
		.then((answer) => spec.reject ? checked(answer) : answer) },
	poll: poll,
	/* As LuCI's, for the file that a test names in window.chosen; null: none is chosen. */
	ui: { addNotification: notify, uploadFile: (path) => window.chosen == null ? Promise.reject(new Error('Upload has been cancelled'))
		: fetch('/cgi-bin/cgi-upload', { method: 'POST', body: new Blob([ JSON.stringify({ sessionid: user, filename: path }), '\n', window.chosen ]) })
			.then((answer) => answer.ok ? { name: path } : Promise.reject(new Error('Upload request failed'))) },
	fs: {
		exec: (command, params) => post('file', 'exec', { command, params }).then((answer) => typeof(answer) == 'number' && answer ? Promise.reject(new Error('Permission denied')) : answer),
		read_direct: (path, type) => fetch('/cgi-bin/cgi-download', { method: 'POST', body: JSON.stringify({ sessionid: user, path: path }) + '\n' })
			.then((answer) => answer.ok ? answer[type]() : Promise.reject(new Error('Permission denied'))),
		remove: (path) => post('file', 'remove', { path }).then(checked)
	},
	uci: uci
};

L.require = (name) => known[name] = known[name] || fetch(L.resource(name.replace(/\./g, '/') + '.js')).then((answer) => {
	if (!answer.ok) throw new Error('no module ' + name);
	return answer.text();
}).then((source) => {
	const wanted = [];
	for (const line of source.split('\n')) {
		const match = /^'(?:use strict|require (\S+)(?: as (\S+))?)';$/.exec(line);
		if (!match) break;
		if (match[1]) wanted.push([ match[1], match[2] || match[1].replace(/\W/g, '_') ]);
	}
	return Promise.all(wanted.map(([ name ]) => L.require(name))).then((modules) => {
		const made = new Function('window', 'document', 'L', ...wanted.map(([ , as ]) => as), source + '\n//# sourceURL=' + name)(window, document, L, ...modules);
		if (!made || !made.made) throw new Error(name + ' gives no class');
		return new made();
	});
});

const tab = /fwstat\/(\w+)/.exec(location.pathname), path = tab ? tab[1] : location.pathname.endsWith('/card') ? 'card' : 'overview';
const ready = language == 'en' ? Promise.resolve() : fetch('/usr/lib/lua/luci/i18n/fwstat.%s.lmo'.format(language)).then((answer) => answer.arrayBuffer()).then((buffer) => { catalogue = readCatalogue(buffer); });
ready.then(() => fetch('/usr/share/luci/menu.d/luci-app-fwstat.json')).then((answer) => answer.json()).then((menu) => {
	for (const node in menu) if (menu[node].action.type == 'view')
		document.getElementById('tabs').append(E('li', { 'class': node.endsWith('/' + path) ? 'active' : '' }, [ E('a', { href: url(node) }, [ _(menu[node].title) ]) ]));
	if (path == 'card')
		return L.require('view.status.include.70_fwstat').then((card) => Promise.resolve(card.load()).then((answer) => E('div', { 'class': 'cbi-section' }, [ E('h3', {}, [ card.title ]), card.render(answer) ])));
	return L.require('view.fwstat.' + path).then((view) => Promise.resolve(view.load ? view.load() : null).then((loaded) => view.render(loaded)));
}).then((node) => document.getElementById('view').append(node));
})();
