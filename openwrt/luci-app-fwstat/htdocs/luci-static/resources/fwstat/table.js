'use strict';
'require baseclass';
'require fwstat.page as page';
'require fwstat.address as address';
'require fwstat.text as text';

/* A table with search, sorting and a download as CSV. What is searched and sorted by stands in the URL. */

const STEP = 50;
/* The timer of the search that is being typed, also when its table is drawn again meanwhile. */
let waiting = 0;
const el = page.el;

/* A cell that a spreadsheet takes as text: none begins a formula. */
function cell(value) {
	let plain = value == null ? '' : String(value);
	if (typeof(value) != 'number' && /^[=+\-@\t\r]/.test(plain)) plain = "'" + plain;
	return /[",\n\r]/.test(plain) ? '"' + plain.replace(/"/g, '""') + '"' : plain;
}

function csv(all, rows) {
	const columns = all.filter((column) => !column.act);
	const lines = [ columns.map((column) => cell(column.key)) ].concat(rows.map((row) => columns.map((column) => cell(column.value(row)))));
	return lines.map((line) => line.join(',')).join('\r\n') + '\r\n';
}

function save(name, content, type) {
	const url = URL.createObjectURL(new Blob([ content ], { type: type }));
	const anchor = el('a', { href: url, download: name });
	document.body.appendChild(anchor);
	anchor.click();
	anchor.remove();
	window.setTimeout(() => URL.revokeObjectURL(url), 1000);
}

return baseclass.extend({
	csv: csv,
	save: save,

	/*
	 * columns: { key, title, value(row): number or text, show(row): element, right, wide: left out on a small screen,
	 * plain: not sorted by, known: left out where no row has a value,
	 * act: what can be done with the row, not part of the download }
	 * options: { name, tab, sort: 'key' or '-key', search, empty, more: what loads more rows than are given }. The names of
	 * the state begin with the table's. On a small screen the rows are stacked.
	 */
	make: (columns, rows, options) => {
		columns = columns.filter((column) => !column.known || !rows.length || rows.some((row) => column.value(row) != null));
		const tab = options.tab, mine = options.name, state = address.read();
		const sort = state[mine + '.sort'] || options.sort || '', search = state[mine + '.search'] || '';
		const shown = (+state[mine + '.rows'] || 0) || STEP;
		let seen = rows.slice();
		if (search) {
			const wanted = search.toLowerCase();
			seen = seen.filter((row) => columns.some((column) => String(column.value(row) == null ? '' : column.value(row)).toLowerCase().includes(wanted)));
		}
		const by = columns.find((column) => column.key == sort.replace(/^-/, ''));
		if (by) {
			const sign = sort[0] == '-' ? -1 : 1;
			seen.sort((a, b) => {
				const [ one, other ] = [ by.value(a), by.value(b) ];
				if (one == null || other == null) return (one == null) - (other == null);
				return sign * (typeof(one) == 'number' && typeof(other) == 'number' ? one - other : String(one).localeCompare(String(other)));
			});
		}
		const head = columns.map((column) => {
			const down = sort == '-' + column.key, up = sort == column.key;
			const next = down ? column.key : up || column.right ? '-' + column.key : column.key;
			return el('th', {
				'class': [ column.right && 'fw-right', column.wide && 'fw-wide' ].filter(Boolean).join(' '), scope: 'col',
				'aria-sort': down ? 'descending' : up ? 'ascending' : null
			}, column.plain ? column.title : el('button', { type: 'button', 'class': 'fw-sort', name: mine + '.sort.' + column.key,
				click: () => tab.show({ [mine + '.sort']: next }) }, column.title + (down ? ' ▾' : up ? ' ▴' : '')));
		});
		const body = seen.slice(0, shown).map((row) => el('tr', {}, columns.map((column) => {
			const value = column.value(row);
			return el('td', { 'data-label': column.title || null, 'class': [ column.right && 'fw-right', column.wide && 'fw-wide', 'fw-col-' + column.key ].filter(Boolean).join(' ') },
				column.show ? column.show(row) : typeof(value) == 'number' ? text.number(value) : value == null ? '–' : value);
		})));
		return el('div', { 'class': 'fw-tablebox', 'data-table': mine }, [
			el('div', { 'class': 'fw-tools' }, [
				options.search === false ? null : el('input', {
					type: 'search', name: mine + '.search', value: search, placeholder: _('Search'), 'aria-label': _('Search'), 'class': 'cbi-input-text fw-search',
					input: (event) => {
						window.clearTimeout(waiting);
						waiting = window.setTimeout(() => tab.show({ [mine + '.search']: event.target.value, [mine + '.rows']: '' }), 250);
					}
				}),
				el('span', { 'class': 'fw-count' }, N_(seen.length, '%s row', '%s rows').format(text.number(seen.length))),
				page.button(_('CSV'), () => save('fwstat-' + mine + '.csv', '\ufeff' + csv(columns, seen), 'text/csv;charset=utf-8'), { title: _('Download this table as CSV'), name: mine + '.csv', 'class': 'btn cbi-button fw-chip' })
			]),
			seen.length ? el('div', { 'class': 'fw-scroll' }, el('table', { 'class': 'fw-table fw-list' }, [ el('thead', {}, el('tr', {}, head)), el('tbody', {}, body) ]))
				: el('p', { 'class': 'fw-empty' }, search ? _('No row fits the search.') : options.empty || _('There is nothing to show.')),
			seen.length > shown ? page.button(_('Show more'), () => tab.show({ [mine + '.rows']: shown + STEP * 2 }), { name: mine + '.more' })
				: options.more ? page.button(_('Show more'), () => options.more(), { name: mine + '.more' }) : null
		]);
	}
});
