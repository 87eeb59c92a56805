'use strict';
'require baseclass';
'require poll';
'require fwstat.address as address';
'require fwstat.data as data';
'require fwstat.text as text';
'require fwstat.words as words';

/* What all tabs share: elements whose text is text, the frame of a tab, its period, and when it asks again. */

function el(tag, attributes, children) {
	const kept = {};
	for (const name in attributes || {})
		if (attributes[name] != null && attributes[name] !== false) kept[name] = attributes[name] === true ? '' : attributes[name];
	const list = [ children ].flat(Infinity).filter((child) => child != null && child !== false && child !== '');
	/* Always an array: a lone string would be taken as markup. */
	return E(tag, kept, list.map((child) => child instanceof Node ? child : document.createTextNode(String(child))));
}

function styles() {
	if (document.getElementById('fwstat-style')) return;
	document.head.appendChild(el('link', { id: 'fwstat-style', rel: 'stylesheet', href: L.resource('fwstat/page.css') }));
	darkness();
	/* A theme can say that it is dark; of another one the colour behind the text tells. */
	new MutationObserver(darkness).observe(document.documentElement, { attributes: true, attributeFilter: [ 'data-darkmode', 'class', 'style' ] });
	window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', darkness);
}

function darkness() {
	let dark = document.documentElement.getAttribute('data-darkmode');
	if (dark == null) {
		const colour = /rgba?\((\d+), (\d+), (\d+)(?:, ([\d.]+))?/.exec(window.getComputedStyle(document.body).backgroundColor);
		dark = String(colour != null && colour[4] !== '0' && +colour[1] + +colour[2] + +colour[3] < 300);
	}
	if (document.documentElement.getAttribute('data-fwstat-dark') === dark) return;
	document.documentElement.setAttribute('data-fwstat-dark', dark);
	document.dispatchEvent(new CustomEvent('fwstat-colours'));
}

function notice(kind, sentences) {
	sentences = [ sentences ].flat().filter((sentence) => sentence);
	return sentences.length ? el('div', { 'class': 'fw-notice fw-' + kind, role: kind == 'wrong' ? 'alert' : 'note' },
		sentences.map((sentence) => el('p', {}, sentence))) : null;
}

function section(title, children, tools) {
	return el('div', { 'class': 'cbi-section fw-section' }, [
		title ? el('div', { 'class': 'fw-title' }, [ el('h3', {}, title), tools ? el('div', { 'class': 'fw-tools' }, tools) : null ]) : null,
		children
	]);
}

function button(label, click, attributes) {
	return el('button', Object.assign({ type: 'button', 'class': 'btn cbi-button', click: click }, attributes), label);
}

/* What is unfolded stays so when the page is drawn again. */
const unfolded = new Set();

function fold(key, summary, children, attributes) {
	return el('details', Object.assign({
		open: unfolded.has(key), toggle: (event) => { event.target.open ? unfolded.add(key) : unfolded.delete(key); }
	}, attributes), [ el('summary', {}, summary), children ]);
}

return baseclass.extend({
	el: el, notice: notice, section: section, button: button, fold: fold, styles: styles,

	link: (label, tab, state, title) => el('a', { href: address.link(tab, state), title: title }, label),
	incomplete: (answer) => {
		const reasons = words.reasons(answer);
		return [
			reasons.large.length ? notice('note', [ _('These figures are not complete:') ].concat(reasons.large)) : null,
			reasons.small.length ? el('p', { 'class': 'fw-soft fw-small' }, _('Below one percent of the attempts: %s.').format(reasons.small.join('; '))) : null
		];
	},
	failed: (answer) => answer.failed ? notice('wrong', words.of(answer.failed)) : null,

	/* A switch that lives in the URL. */
	toggle: (tab, name, label, on) => el('label', { 'class': 'fw-switch' }, [
		el('input', { type: 'checkbox', checked: on, name: name, change: (event) => tab.set({ [name]: event.target.checked ? '1' : '' }) }),
		' ' + label
	]),

	choice: (tab, name, label, options, chosen) => el('label', { 'class': 'fw-switch' }, [
		label ? label + ' ' : null,
		el('select', { name: name, 'class': 'cbi-input-select', change: (event) => tab.set({ [name]: event.target.value }, true) },
			options.map(([ value, words ]) => el('option', { value: value, selected: value === chosen }, words)))
	]),

	/* First and last day, and the usual periods. */
	period: (tab, now, from, to) => {
		const span = (days, back) => ({ from: text.plusDays(now, 1 - days - (back || 0)), to: text.plusDays(now, -(back || 0)) });
		const usual = [ [ _('Today'), span(1) ], [ _('Yesterday'), span(1, 1) ], [ _('7 days'), span(7) ], [ _('30 days'), span(30) ], [ _('60 days'), span(60) ] ];
		const input = (name, value, label) => el('input', { type: 'date', name: name, value: value, 'aria-label': label, 'class': 'cbi-input-text fw-date',
			change: (event) => event.target.value && tab.set(Object.assign({ from: from, to: to }, name == 'from'
				? { from: event.target.value, to: event.target.value > to ? event.target.value : to }
				: { to: event.target.value, from: event.target.value < from ? event.target.value : from }), true) });
		return el('div', { 'class': 'fw-period' }, [
			/* Where the page shows today by itself, it goes on to the next day by itself. */
			usual.map(([ label, range ]) => button(label, () => tab.set(tab.current && range.from == now ? { from: '', to: '' } : range, true),
				{ 'class': 'btn cbi-button fw-chip' + (range.from == from && range.to == to ? ' fw-chosen' : ''), 'aria-pressed': String(range.from == from && range.to == to) })),
			el('span', { 'class': 'fw-dates' }, [ input('from', from, _('First day')), ' – ', input('to', to, _('Last day')) ])
		]);
	},

	/*
	 * The frame of a tab. `load(state, again)` gives a promise of what `draw(state, loaded, tab)` makes elements of;
	 * `every`: seconds between two loads while the page is seen, each of them one call. `current`: without a range in the
	 * URL the tab shows today. `masks`: false where no address is shown.
	 */
	open: function(tab) {
		styles();
		const body = el('div', { 'class': 'fw-body', 'aria-live': 'off' }, el('em', { 'class': 'spinning' }, _('Loading…')));
		const updated = el('span', { 'class': 'fw-soft fw-updated' });
		let turn = 0, loaded = null, drawn = null, asked = -Infinity;
		const state = () => {
			const now = address.read();
			text.setMask(now.mask === '1');
			return now;
		};
		const draw = () => {
			const active = body.contains(document.activeElement) ? document.activeElement : null, focused = active && active.getAttribute('name');
			/* Of what has no name the same among those with its text. */
			const alike = () => [ ...body.querySelectorAll(active.tagName) ].filter((one) => one.textContent == active.textContent);
			const place = active && !focused ? alike().indexOf(active) : -1;
			/* What is being written stays, unless it was about something else. */
			const typed = drawn === window.location.hash ? [ ...body.querySelectorAll('.fw-form input, .fw-form select, .fw-search') ].map((field) => [ field.name, field.value ]) : [];
			drawn = window.location.hash;
			const parts = [ tab.draw(state(), loaded, tab) ].flat(Infinity).filter((part) => part != null && part !== false);
			body.replaceChildren(...parts);
			const named = (name) => body.querySelector('[name="%s"]'.format(CSS.escape(name)));
			typed.forEach(([ name, value ]) => { if (named(name)) named(name).value = value; });
			const same = focused ? named(focused) : place >= 0 ? alike()[place] : null;
			if (same) same.focus({ preventScroll: true });
			if (same && typeof(active.selectionStart) == 'number') same.setSelectionRange(active.selectionStart, active.selectionEnd);
			document.dispatchEvent(new CustomEvent('fwstat-drawn'));
		};
		const refresh = (again) => {
			const mine = ++turn;
			asked = Date.now();
			body.setAttribute('aria-busy', 'true');
			return Promise.resolve(tab.load(state(), again === true)).then((answer) => {
				if (mine !== turn) return;
				loaded = answer;
				updated.textContent = _('Updated %s').format(text.clock(new Date()));
				draw();
			}).catch((error) => {
				if (mine !== turn) return;
				const wrong = notice('wrong', words.of(error.message));
				wrong.classList.add('fw-failed');
				body.querySelectorAll(':scope > .fw-failed').forEach((old) => old.remove());
				/* A poll that fails leaves what is shown and what is being written. */
				again === true && loaded != null ? body.prepend(wrong) : body.replaceChildren(wrong);
			}).finally(() => { if (mine === turn) body.removeAttribute('aria-busy'); });
		};
		/* Changes the state in the URL; `step`: one can go back from it. */
		tab.set = (changes, step) => {
			address.change(changes, step);
			return refresh();
		};
		/* Another look of what is there already. */
		tab.show = (changes) => {
			address.change(changes);
			if (loaded != null) draw();
		};
		tab.refresh = refresh;
		tab.draw_again = () => { if (loaded != null) draw(); };
		window.addEventListener('popstate', () => refresh());
		refresh();
		if (tab.every) {
			const waits = () => document.hidden || tab.paused && tab.paused(state());
			/* LuCI runs what is added at once: the first question is on its way by then. */
			poll.add(() => waits() || Date.now() - asked < tab.every * 500 ? Promise.resolve() : refresh(true), tab.every);
			document.addEventListener('visibilitychange', () => { if (!waits()) refresh(true); });
		}
		const mask = tab.masks === false ? null : el('label', { 'class': 'fw-switch fw-mask' }, [
			el('input', { type: 'checkbox', name: 'mask', checked: state().mask === '1', change: (event) => tab.show({ mask: event.target.checked ? '1' : '' }) }),
			' ' + _('Mask addresses')
		]);
		return el('div', { 'class': 'fw-page', 'data-page': tab.name }, [
			el('div', { 'class': 'fw-head' }, [ el('h2', {}, _('Firewall Statistics')), el('div', { 'class': 'fw-tools' }, [
				updated, button(_('Reload'), () => refresh(), { name: 'reload', 'class': 'btn cbi-button fw-chip' }), mask
			]) ]), body
		]);
	}
});
