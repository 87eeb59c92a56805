'use strict';
'require baseclass';
'require fwstat.page as page';
'require fwstat.text as text';
'require fwstat.uplot as uplot';

/* Charts: uPlot in the theme's colours, each with its figures as a table; and small lines as SVG. */

const el = page.el;
const live = [];
const DASHES = [ [], [ 8, 4 ], [ 2, 3 ], [ 10, 3, 2, 3 ] ];

function colour(name, fallback) {
	return window.getComputedStyle(document.querySelector('.fw-page') || document.documentElement).getPropertyValue(name).trim() || fallback;
}

/* The colour of the n-th series, told apart by dashes too once the colours begin again. */
const colourOf = (index) => colour('--fw-%s'.format(index % 8 + 1), '#0072b2');

function size(chart) {
	const width = Math.floor(chart.box.clientWidth);
	return width > 0 ? { width: width, height: Math.min(chart.options.height || 240, Math.max(170, Math.round(width * 0.62))) } : null;
}

function axes(options, width, log, most) {
	const ink = colour('--fw-ink', '#333'), grid = { stroke: colour('--fw-grid', '#ddd'), width: 1 };
	const font = '12px system-ui, sans-serif', count = options.labels.length;
	const room = Math.max(...options.labels.map((label) => String(label).length)) * 7.5 + 14;
	const step = Math.max(1, Math.ceil(count / Math.max(1, Math.floor((width - 90) / room))));
	const left = {
		scale: 'y', stroke: ink, grid: grid, ticks: grid, font: font, size: Math.max(34, text.number(log ? most * 1.3 : most).length * 7 + 20),
		values: (u, splits) => splits.map((value) => value == null ? '' : text.mean(value))
	};
	if (log) left.splits = () => [ 0, 1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8 ].filter((value) => value <= most * 1.3 && (value != 1 || most < 100));
	const all = [ {
		scale: 'x', stroke: ink, grid: { show: false }, ticks: grid, font: font, size: 32,
		splits: () => options.labels.map((label, index) => index).filter((index) => (count - 1 - index) % step == 0),
		values: (u, splits) => splits.map((index) => options.labels[index])
	}, left ];
	if (options.series.some((series) => series.axis == 'right'))
		all.push({ scale: 'right', side: 1, stroke: ink, grid: { show: false }, ticks: grid, font: font, size: 50, values: (u, splits) => splits.map((value) => text.ratio(value)) });
	return all;
}

function draw(chart) {
	if (chart.plot) {
		chart.plot.destroy();
		chart.plot = null;
	}
	const options = chart.options, wanted = size(chart), uPlot = uplot.uPlot;
	if (!wanted || !options.labels.length) return;
	const muted = colour('--fw-muted', '#bbb'), log = options.scale == 'log';
	const bars = uPlot.paths.bars({ size: [ 0.72, 60 ] }), columns = options.series.filter((series) => series.bars).length;
	const series = [ {} ].concat(options.series.map((row) => {
		const stroke = row.muted ? muted : row.colour || colourOf(row.hue || 0);
		const common = { label: row.name, scale: row.axis == 'right' ? 'right' : 'y', stroke: stroke, spanGaps: !row.bars };
		return row.bars ? Object.assign(common, { width: 0, fill: stroke, paths: row.thin ? uPlot.paths.bars({ size: [ 0.34, 30 ] }) : bars, points: { show: false } })
			: Object.assign(common, { width: row.muted ? 1 : row.thick ? 3 : 2, dash: row.muted ? [] : DASHES[Math.floor((row.hue || 0) / 8) % 4], points: { show: options.labels.length < 20 && !row.muted, size: 6 } });
	}));
	const most = Math.max(1, ...options.series.filter((row) => row.axis != 'right').flatMap((row) => row.values.map((value) => value || 0)));
	const ratios = options.series.filter((row) => row.axis == 'right').flatMap((row) => row.values.filter((value) => value != null));
	chart.plot = new uPlot({
		width: wanted.width, height: wanted.height, series: series, legend: { show: false },
		cursor: { y: false, points: { show: !columns }, drag: { x: false, y: false } },
		scales: {
			x: { time: false, range: () => [ -0.6, options.labels.length - 0.4 ] },
			y: log ? { distr: 4, asinh: 1, range: () => [ 0, most * 1.3 ] } : { range: () => [ 0, most * 1.08 ] },
			right: { range: () => [ 0, Math.max(2, ...ratios) * 1.2 ] }
		},
		axes: axes(options, wanted.width, log, most),
		hooks: { setCursor: [ (u) => say(chart, u.cursor.idx) ] }
	}, [ options.labels.map((label, index) => index) ].concat(options.series.map((row) => row.values)), chart.canvas);
	chart.plot.root.setAttribute('aria-hidden', 'true');
	if (options.pick) {
		chart.plot.over.style.cursor = 'pointer';
		chart.plot.over.addEventListener('click', () => chart.plot.cursor.idx != null && options.pick(chart.plot.cursor.idx));
	}
}

const written = (row, value) => row.axis == 'right' ? text.ratio(value) : text.mean(value);

/* The figures under the pointer. */
function say(chart, index) {
	const options = chart.options, rows = options.series.filter((row) => !row.muted);
	chart.readout.textContent = index == null ? options.hint || '\u00a0' : (options.titles || options.labels)[index] + ': ' +
		rows.filter((row) => row.values[index] != null).slice(0, 8).map((row) => (rows.length > 1 ? row.name + ' ' : '') + written(row, row.values[index])).join(' · ');
}

function figures(options) {
	const titles = options.titles || options.labels;
	return page.fold('figures ' + options.id, _('The figures as a table'), el('div', { 'class': 'fw-scroll' },
		el('table', { 'class': 'fw-table' }, [
			el('thead', {}, el('tr', {}, [ el('th', { scope: 'col' }, options.first || '') ].concat(options.series.map((row) => el('th', { scope: 'col', 'class': 'fw-right' }, row.name))))),
			el('tbody', {}, titles.map((title, index) => el('tr', {}, [
				el('th', { scope: 'row' }, options.pick ? el('button', { type: 'button', 'class': 'fw-sort', click: () => options.pick(index) }, title) : title)
			].concat(options.series.map((row) => el('td', { 'class': 'fw-right' }, row.values[index] == null ? '–' : written(row, row.values[index])))))))
		])), { 'class': 'fw-figures' });
}

/* What a reader hears who does not see the chart. */
function summary(options) {
	const titles = options.titles || options.labels, row = options.series[0];
	const values = row ? row.values.map((value) => value || 0) : [], top = values.indexOf(Math.max(...values));
	return values.length ? _('%s. Maximum: %s, %s.').format(options.name, titles[top], written(row, values[top])) : options.name;
}

/* Draws again what is on the page; forgets what is not. */
function settle(force) {
	for (let index = live.length - 1; index >= 0; index--) {
		const chart = live[index];
		if (!chart.box.isConnected) {
			if (chart.plot) chart.plot.destroy();
			chart.watch.disconnect();
			live.splice(index, 1);
		} else if (force || !chart.plot) {
			draw(chart);
		}
	}
}
document.addEventListener('fwstat-drawn', () => settle(false));
document.addEventListener('fwstat-colours', () => settle(true));

function uplotStyle() {
	if (!document.getElementById('fwstat-uplot'))
		document.head.appendChild(el('style', { id: 'fwstat-uplot' }, uplot.css));
}

return baseclass.extend({
	colourOf: colourOf,

	/*
	 * options: { name, labels (short), titles (long), first: what a row is, series: [{ name, values, bars, axis: 'right', hue, muted, thick }],
	 * scale: 'log', height, hint, pick(index) }
	 */
	make: (options) => {
		uplotStyle();
		const chart = { options: options, plot: null };
		chart.canvas = el('div', { 'class': 'fw-canvas' });
		chart.box = el('div', { 'class': 'fw-chart', role: 'img', 'aria-label': summary(options) }, chart.canvas);
		chart.readout = el('p', { 'class': 'fw-readout', 'aria-hidden': 'true' }, options.hint || '\u00a0');
		let before = 0;
		chart.watch = new ResizeObserver(() => {
			if (chart.box.isConnected && Math.abs(chart.box.clientWidth - before) > 1) {
				before = chart.box.clientWidth;
				draw(chart);
			}
		});
		chart.watch.observe(chart.box);
		live.push(chart);
		const many = options.series.length > 1;
		return el('figure', { 'class': 'fw-figure', 'data-chart': options.id }, [
			many ? el('figcaption', { 'class': 'fw-legend' }, options.series.map((row) => {
				const mark = el('span', { 'class': 'fw-mark' + (row.bars ? ' fw-bar' : ''), 'data-dash': String(Math.floor((row.hue || 0) / 8) % 4),
					style: 'color: var(%s)'.format(row.muted ? '--fw-muted' : '--fw-%s'.format((row.hue || 0) % 8 + 1)) });
				return row.choose ? el('button', { type: 'button', 'class': 'fw-key' + (row.thick ? ' fw-chosen' : ''), click: row.choose, 'aria-pressed': String(!!row.thick) }, [ mark, row.name ])
					: el('span', { 'class': 'fw-key' }, [ mark, row.name ]);
			})) : null,
			chart.box, chart.readout, figures(options)
		]);
	},

	/* A line the height of a text line. */
	spark: (values, label) => {
		const name = 'http://www.w3.org/2000/svg', most = Math.max(1, ...values), width = 120, height = 22;
		const svg = document.createElementNS(name, 'svg'), path = document.createElementNS(name, 'path'), title = document.createElementNS(name, 'title');
		/* As the square root, so that one huge day leaves the others to be seen. */
		const point = (value, index) => '%s %s'.format((index * width / Math.max(1, values.length - 1)).toFixed(1), (height - 1 - Math.sqrt(value / most) * (height - 3)).toFixed(1));
		path.setAttribute('d', values.length ? 'M' + values.map(point).join('L') : '');
		title.textContent = label;
		svg.setAttribute('viewBox', '0 0 %s %s'.format(width, height));
		svg.setAttribute('class', 'fw-spark');
		svg.setAttribute('role', 'img');
		svg.setAttribute('preserveAspectRatio', 'none');
		svg.append(title, path);
		return svg;
	},

	/* A number with a bar as long as its share. */
	share: (part, all) => el('span', { 'class': 'fw-share' }, [
		el('span', { 'class': 'fw-share-bar', style: 'width: %s%%'.format(all > 0 ? Math.max(0.5, Math.min(100, part / all * 100)).toFixed(1) : 0) }),
		el('span', { 'class': 'fw-share-text' }, text.share(part, all))
	])
});
