// The page in Debian's Chromium, with a daemon behind it that has sixteen months: page.mjs PLACE (as `serve` made it).
// Screenshots of every tab go to tests/screenshots.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const { chromium } = createRequire(path.join(process.env.FWSTAT_NODE_MODULES, '..', 'index.js'))('playwright-core');
const place = process.argv[2], port = fs.readFileSync(path.join(place, 'port'), 'utf8').trim(), base = `http://127.0.0.1:${port}`;
const pictures = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'screenshots');
fs.mkdirSync(pictures, { recursive: true });

const TABS = [ 'overview', 'trends', 'ports', 'sources', 'countries', 'blocks', 'live', 'settings' ];
const POLLED = { overview: 'summary', blocks: 'blocks', live: 'recent' };
const MOST_BYTES = 20 * 1024;
const number = (value) => new Intl.NumberFormat('en').format(value);

async function ask(method, args = {}, session = 'writer') {
	const request = { jsonrpc: '2.0', id: 1, method: 'call', params: [ session, 'fwstat', method, args ] };
	return (await fetch(base + '/ubus', { method: 'POST', body: JSON.stringify(request) })).json();
}
const answer = async (method, args) => (await ask(method, args)).result[1];
const log = (lines) => fs.appendFileSync(path.join(place, 'log'), lines.map((line) => line + '\n').join(''));
const packet = (prefix, source, port, id) => `[1.${id}] ${prefix}IN=wan OUT= MAC=00:00:5e:00:53:04 SRC=${source} DST=192.0.2.1 LEN=44 TOS=0x00 PREC=0x00 TTL=58 ID=${id} PROTO=TCP SPT=40000 DPT=${port} WINDOW=1024 RES=0x00 SYN URGP=0`;

// The daemon's own network.
const netns = fs.readFileSync(path.join(place, 'netns'), 'utf8').trim();
const inKernel = (address) => execFileSync('ip', [ 'netns', 'exec', netns, 'nft', 'list', 'table', 'inet', 'fwstat' ], { encoding: 'utf8' }).split(/[\s,{}]+/).some((word) => word.split('/')[0] == address);
const config = path.join(place, 'config/fwstat');
const project = path.join(path.dirname(fileURLToPath(import.meta.url)), '../..');
const program = path.join(process.env.CARGO_TARGET_DIR || path.join(project, 'target'), 'debug/fwstat');

async function until(done, what) {
	for (const end = Date.now() + 20000; !(await done());) {
		assert.ok(Date.now() < end, `not within 20 s: ${what}`);
		await new Promise((resolve) => setTimeout(resolve, 50));
	}
}

async function configure(content, done) {
	fs.writeFileSync(config, content);
	process.kill(+fs.readFileSync(path.join(place, 'daemon.pid'), 'utf8'), 'SIGHUP');
	await until(done, 'the options hold');
}

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: [ '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync' ] });
const page = await browser.newPage({ viewport: { width: 1180, height: 900 } });
page.setDefaultTimeout(20000);
const complaints = [];
page.on('console', (message) => message.type() == 'error' && !/favicon/.test(message.location().url) && complaints.push(`${page.url()}: ${message.text()}`));
page.on('pageerror', (error) => complaints.push(`${page.url()}: ${error.message}`));

async function open(tab, { query = '', state = '', width = 1180 } = {}) {
	await page.setViewportSize({ width, height: 900 });
	await page.goto('about:blank');
	await page.goto(`${base}/cgi-bin/luci/admin/status/fwstat/${tab}?${query}${state ? '#' + state : ''}`);
	await drawn();
}
const drawn = () => page.waitForFunction(() => document.querySelector('.fw-body:not([aria-busy])') && !document.querySelector('.fw-body .spinning'));
const text = (selector) => page.locator(selector).first().innerText();
const cells = (table, column) => page.locator(`[data-table="${table}"] .fw-col-${column}`).allInnerTexts();
// A column of a chart's figures; the table may be folded.
const figures = (chart) => page.locator(`[data-chart="${chart}"] tbody td:nth-of-type(1)`).allTextContents();
const hash = () => Object.fromEntries(new URLSearchParams(new URL(page.url()).hash.slice(1)));

// What can be used and is cut off by the box around it, or by the window.
const outside = () => [ ...document.querySelectorAll('.fw-page :is(a, button, input, select, summary)') ].filter((node) => node.checkVisibility()).filter((node) => {
	const own = node.getBoundingClientRect();
	for (let box = node.parentElement; box; box = box.parentElement) {
		const { left, width } = box.getBoundingClientRect();
		if (getComputedStyle(box).overflowX != 'visible' && (own.left < left - 1 || own.right > left + width + 1)) return true;
	}
	return own.left < -1 || own.right > window.innerWidth + 1;
}).map((node) => node.outerHTML.slice(0, 120));

const tests = {
	async 'every tab opens in English and light, in Japanese and dark, and at 360 pixels'() {
		for (const tab of TABS) {
			await open(tab);
			await page.screenshot({ path: `${pictures}/${tab}.png`, fullPage: true });
			await open(tab, { query: 'lang=ja&dark=1' });
			assert.deepEqual(await page.evaluate(() => window.untranslated.filter((text) => text != 'CSV' && text != 'Save & Apply')), [], `${tab}: texts without Japanese`);
			assert.equal(await page.evaluate(() => document.documentElement.dataset.fwstatDark), 'true');
			assert.match(await text('.fw-head'), /ファイアウォール統計/);
			await page.screenshot({ path: `${pictures}/${tab}-ja-dark.png`, fullPage: true });
			await open(tab, { width: 360 });
			assert.doesNotMatch(await text('.fw-page'), /\[object|undefined|NaN/);
			assert.equal(await page.evaluate(() => Math.max(0, document.documentElement.scrollWidth - window.innerWidth)), 0, `${tab} is wider than 360 pixels`);
			assert.deepEqual(await page.evaluate(outside), [], `${tab}: what acts is outside its box at 360 pixels`);
			await page.screenshot({ path: `${pictures}/${tab}-small.png`, fullPage: true });
		}
	},

	async 'the figures of the overview are those of the answer'() {
		await open('overview');
		const summary = await answer('summary', { limit: 8 });
		assert.equal(await text('.fw-tile .fw-figure-number'), number(summary.attempts));
		assert.ok((await text('.fw-tiles')).includes(`yesterday in all: ${number(summary.before.attempts)}`));
		assert.deepEqual(await cells('services', 'attempts'), summary.services.map((row) => number(row.attempts)));
		assert.deepEqual(await cells('sources', 'attempts'), summary.sources.map((row) => number(row.attempts)));
		const flood = summary.anomalies_lately.find((row) => row.port == 1900);
		assert.ok(flood.attempts == 92890 && (await text('.fw-anomalies')).includes('UDP 1900 (SSDP): 92,890 attempts on '), 'the flood is told in words');
		assert.deepEqual(await figures('hours'), summary.hours.map((row) => number(row.attempts)));
		assert.ok(await page.locator('[data-chart="hours"] canvas').count() == 1, 'the chart is drawn');
		assert.match(await page.locator('[data-chart="hours"] .fw-chart').getAttribute('aria-label'), /Attempts by hour/);
	},

	async 'the overview of another range, and its way back to today'() {
		await open('overview');
		assert.match(await text('.fw-updated'), /^Updated \d\d:\d\d:\d\d/);
		await page.evaluate(() => { window.calls.length = 0; });
		await page.locator('[name=reload]').click();
		await page.waitForFunction(() => window.calls.some((call) => call.method == 'summary'));
		await page.locator('.fw-chip', { hasText: '30 days' }).click();
		await page.waitForFunction(() => /a day$/m.test(document.querySelector('.fw-tiles')?.innerText));
		const { from, to } = hash(), summary = await answer('summary', { limit: 8, from, to });
		assert.equal((Date.parse(to) - Date.parse(from)) / 86400000, 29);
		assert.equal(await text('.fw-tile .fw-figure-number'), number(summary.attempts));
		assert.match(await text('.fw-tiles'), new RegExp(`the same time before: ${number(summary.before.attempts)}`));
		assert.deepEqual(await figures('hours'), summary.hours.map((row) => number(row.attempts)));
		assert.doesNotMatch(await text('.fw-body'), /today in|yesterday/);
		const names = Object.keys(summary.protocols).sort((a, b) => summary.protocols[b] - summary.protocols[a]).map((name) => name.toUpperCase());
		assert.ok(names.length > 1);
		const tile = await page.locator('.fw-tile', { hasText: 'By protocol' }).innerText();
		assert.deepEqual(tile.match(/\b[A-Z]+[0-9]?(?= [\d<])/g), names.slice(0, 4), 'the card has protocols and nothing else');
		assert.match(await text('.fw-others'), /^Besides attempts:/);
		await page.screenshot({ path: `${pictures}/overview-30-days.png`, fullPage: true });
		await page.locator('.fw-chip', { hasText: 'Today' }).click();
		await page.waitForFunction(() => /Attempts today/.test(document.body.innerText));
		assert.deepEqual(hash(), {});
	},

	async 'what is less than 1 % is no alarm'() {
		await open('overview');
		const reasons = (because, attempts) => page.evaluate(([ because, attempts ]) => L.require('fwstat.words').then((words) =>
			words.reasons({ complete: false, incomplete_because: because, attempts })), [ because, attempts ]);
		const low = 'the attempts of some services can be up to 3 too low';
		assert.deepEqual(await reasons(low, 3964), { large: [], small: [ low ] });
		assert.deepEqual(await reasons(low, 300), { large: [ low ], small: [] });
		assert.deepEqual(await reasons('5 packets were lost today before they were read; the clock is not set', 100000),
			{ large: [ 'the clock is not set' ], small: [ '5 packets were lost today before they could be read' ] });
		const loss = await page.evaluate(() => L.require('fwstat.words').then((words) => words.reasons({ complete: true, attempts: 1 })));
		assert.deepEqual(loss, { large: [], small: [] });
	},

	async 'a moment is shown as exactly as it is known'() {
		await open('overview');
		const moments = (list) => page.evaluate((list) => L.require('fwstat.text').then((text) => list.map((one) => text.moment(one))), list);
		const year = new Date().getFullYear();
		assert.deepEqual(await moments([ `${year}-03-04T05:06:07+09:00`, `${year - 1}-03-04T05:06:07+09:00`, `${year - 1}-03-04T00:00:00+09:00`, `${year - 1}-03-04`, null, 'at once' ]),
			[ 'Mar 4, 05:06:07', `Mar 4, ${year - 1}, 05:06:07`, `Mar 4, ${year - 1}`, `Mar 4, ${year - 1}`, '–', 'at once' ]);
	},

	async 'hours by day of the week'() {
		await open('trends');
		await page.locator('.fw-heatfold summary').click();
		await page.waitForSelector('.fw-heat');
		const today = await page.evaluate(() => L.require('fwstat.data').then((data) => data.today()));
		const day = (back) => new Date(Date.parse(today) - back * 86400000).toISOString().slice(0, 10);
		const counts = Array.from({ length: 7 }, () => Array.from({ length: 24 }, () => []));
		for (let back = 1; back <= 28; back++)
			for (const { hour, attempts } of (await answer('hours', { from: day(back), to: day(back) })).hours)
				counts[(new Date(day(back)).getUTCDay() + 6) % 7][hour].push(attempts);
		const wanted = counts.map((hours) => hours.map((four) => four.sort((a, b) => a - b)).map((four) => (four[1] + four[2]) / 2));
		const shown = await page.locator('.fw-heat tbody tr').evaluateAll((rows) => rows.map((row) => [ ...row.querySelectorAll('td') ].map((cell) => +cell.dataset.value)));
		assert.deepEqual(shown, wanted);
		assert.ok(Math.max(...wanted.flat()) > 0);
		await page.screenshot({ path: `${pictures}/trends-heat.png`, fullPage: true });
	},

	async 'the report of a month: a page of its own in both languages, nothing fetched, addresses masked'() {
		const { month } = (await answer('months', { limit: 1000 })).months.at(-2);
		const last = new Date(Date.UTC(+month.slice(0, 4), +month.slice(5), 0)).toISOString().slice(0, 10);
		const { days } = await answer('days', { from: `${month}-01`, to: last });
		for (const lang of [ 'en', 'ja' ]) {
			const file = path.join(pictures, `report-${lang}.html`), asked = [], note = (request) => asked.push(request.url());
			fs.writeFileSync(file, execFileSync(program, [ 'report', '--month', month, '--format', 'html', '--lang', lang, '--ubus', path.join(place, 'ubus.sock') ]));
			page.on('request', note);
			await page.goto(`file://${file}`);
			page.off('request', note);
			assert.deepEqual(asked, [ `file://${file}` ]);
			assert.equal(await page.evaluate(() => document.documentElement.lang), lang);
			assert.equal(await page.locator('script, link, img, iframe').count(), 0);
			assert.deepEqual(await page.locator('svg').first().locator('rect title').allTextContents(), days.map((row) => `${row.date}: ${number(row.attempts)}`));
			const shown = await page.evaluate(() => document.body.innerText);
			assert.match(shown, /\d+\.\d+\.x\.x/);
			assert.doesNotMatch(shown, /\d+\.\d+\.\d+\.\d+/);
			await page.screenshot({ path: `${pictures}/report-${lang}.png`, fullPage: true });
		}
	},

	async 'months, days and ports: from a month down to a log line'() {
		await open('trends');
		const { months } = await answer('months', { limit: 1000 }), month = months.at(-1);
		assert.deepEqual(await figures('months'), months.map((row) => number(Math.round(row.attempts_per_day))));
		await page.locator('[name=usual]').check();
		await drawn();
		await page.waitForFunction((wanted) => [ ...document.querySelectorAll('[data-chart="months"] tbody td:nth-of-type(1)') ].at(-1).textContent == wanted, number(Math.round(month.attempts_per_day_usual)));
		assert.equal((await figures('months')).at(-1), number(Math.round(month.attempts_per_day_usual)));
		assert.equal(hash().usual, '1');
		await page.locator('select[name=month]').selectOption(months.at(-2).month);
		await drawn();
		assert.equal(hash().month, months.at(-2).month);
		await page.waitForFunction((wanted) => document.querySelector('select[name=month]').value == wanted, months.at(-2).month);
		const first = months.at(-2).month + '-01', last = new Date(Date.UTC(+first.slice(0, 4), +first.slice(5, 7), 0)).toISOString().slice(0, 10);
		const { days } = await answer('days', { from: first, to: last });
		assert.deepEqual(await figures('days'), days.map((row) => number(row.attempts)));
		await page.locator('[name=least]').fill('300');
		await page.locator('[name=least]').press('Enter');
		await page.waitForFunction(() => /at least 300/.test(document.body.innerText));
		const lines = await page.locator('[data-chart="ports"] .fw-key').allInnerTexts();
		assert.ok(lines.some((name) => /TCP 23 \(Telnet\)/.test(name)) && lines.length < 8, String(lines));

		// A day of the chart, one of its ports, one of its sources.
		await page.locator('[data-chart="ports"] summary').click();
		await page.locator('[data-chart="ports"] tbody th button').last().click();
		await page.waitForURL(/ports/);
		await drawn();
		const { from, to } = hash();
		assert.ok(from && from == to);
		const listed = (await answer('services', { from, to, limit: 40 })).services;
		assert.deepEqual(await cells('ports', 'attempts'), listed.map((row) => number(row.attempts)));
		await page.locator('[data-table="ports"] a', { hasText: 'TCP 23 (Telnet)' }).click();
		await page.waitForSelector('[data-fact=attempts]');
		const telnet = listed.find((row) => row.protocol == 'tcp' && row.port == 23);
		assert.equal(await text('[data-fact=attempts]'), number(telnet.attempts));
		assert.equal(await text('[data-fact=sources]'), number(telnet.unique_sources));
		assert.deepEqual(await cells('countries', 'attempts'), (await answer('countries', { from, to, protocol: 'tcp', port: 23 })).countries.map((row) => number(row.attempts)));
		assert.match(await text('[data-fact=advice]'), /Telnet is an unencrypted remote shell[^]*Sources: .*Mirai/);
		await page.screenshot({ path: `${pictures}/port.png`, fullPage: true });
		await page.locator('[data-table="sources"] a').first().click();
		await page.waitForURL(/sources/);
		await page.waitForSelector('[data-fact=attempts]');
		const source = await answer('source', { address: hash().address, from, to });
		assert.equal(await text('[data-fact=attempts]'), number(source.attempts));
		assert.match(await text('.fw-columns'), /Telnet is an unencrypted remote shell/);
		await page.screenshot({ path: `${pictures}/source.png`, fullPage: true });
		await open('ports', { query: 'lang=ja' });
		await page.locator('[data-table=ports] tr', { hasText: 'Telnet' }).first().locator('summary').click();
		await page.waitForFunction(() => /Telnetは暗号化されない/.test(document.body.innerText));
	},

	async 'countries: figures, one port, and the way to their sources'() {
		log(Array.from({ length: 40 }, (_, index) => packet('reject wan in: ', '203.0.113.40', 23, index + 1)));
		await until(async () => (await answer('countries')).countries.some((row) => row.country == 'ZZ'), 'somebody without a country');
		await open('countries');
		const { from, to } = await page.evaluate(() => Object.fromEntries([ 'from', 'to' ].map((name) => [ name, document.querySelector(`input[name=${name}]`).value ])));
		const { countries } = await answer('countries', { from, to, limit: 250 }), sources = (await answer('sources', { from, to, country: 'JP', limit: 80 })).sources.slice(0, 50);
		assert.ok(countries.length >= 7 && countries.some((row) => row.country == 'JP') && countries.some((row) => row.country == 'ZZ'));
		assert.deepEqual(await cells('countries', 'attempts'), countries.map((row) => number(row.attempts)));
		assert.deepEqual(await cells('countries', 'unique_sources'), countries.map((row) => row.unique_sources == null ? '–' : row.unique_sources_error ? `${number(row.unique_sources)} ± ${number(row.unique_sources_error)}` : number(row.unique_sources)));
		assert.ok((await cells('countries', 'country')).includes('Japan'));
		assert.match(await text('.fw-body'), /Country database: .*country\.mmdb, data of /);
		assert.match(await text('.fw-body'), /it does not tell who sits behind it/);
		await page.screenshot({ path: `${pictures}/countries.png`, fullPage: true });
		await page.locator('[data-table=countries] a', { hasText: 'Japan' }).click();
		await page.waitForSelector('[data-table=sources] tbody tr');
		assert.match(await text('.fw-body'), /Only: Japan/);
		assert.deepEqual(await cells('sources', 'attempts'), sources.map((row) => number(row.attempts)));
		assert.deepEqual([ ...new Set(await cells('sources', 'country')) ], [ 'Japan' ]);
		await open('countries', { state: 'service=tcp/23' });
		const telnet = (await answer('countries', { from, to, protocol: 'tcp', port: 23, limit: 250 })).countries;
		assert.deepEqual(await cells('countries', 'attempts'), telnet.map((row) => number(row.attempts)));

		const before = fs.readFileSync(config, 'utf8');
		await configure(before.replace('country.mmdb', 'none.mmdb'), async () => (await answer('status')).countries.state == 'none');
		// What was looked up before stays; of a day without it nothing is known.
		await open('countries', { state: 'from=2001-01-01&to=2001-01-01' });
		assert.match(await text('.fw-notice'), /No country database is installed[^]*opkg install fwstat-country/);
		await configure(before, async () => (await answer('status')).countries.state == 'ok');
	},

	async 'open ports that were tried are told on the overview'() {
		await open('overview');
		const { exposure } = await answer('summary', { limit: 8 });
		const told = exposure.ports.filter((row) => row.attempts > 0).map((row) => `TCP ${row.port} (${row.name}) is open to the Internet and was tried ${number(row.attempts)} times ${row.unique_sources == null ? '' : `from ${row.unique_sources_error ? '~' : ''}${number(row.unique_sources)} addresses `}this month`);
		assert.deepEqual(exposure.ports.map((row) => row.port), [ 22 ]);
		assert.deepEqual(await page.locator('.fw-notice.fw-wrong p').allInnerTexts(), told);
	},

	async 'tables are searched, sorted and downloaded, and a link shows the same'() {
		await open('ports');
		await page.locator('[name="ports.search"]').fill('windows');
		await page.waitForFunction(() => new URLSearchParams(location.hash.slice(1)).get('ports.search') == 'windows');
		const found = await page.locator('[data-table=ports] tbody tr').count();
		assert.ok(found == 0 || found < 10);
		await page.locator('[name="ports.search"]').fill('telnet');
		await page.waitForFunction(() => /Telnet/.test(document.querySelector('[data-table=ports] tbody')?.innerText) && document.querySelectorAll('[data-table=ports] tbody tr').length < 6);
		await page.locator('[name="ports.sort.service"]').click();
		const before = await text('[data-table=ports] tbody');
		await page.reload();
		await drawn();
		assert.equal(await text('[data-table=ports] tbody'), before, 'the link shows the same');
		const [ download ] = await Promise.all([ page.waitForEvent('download'), page.locator('[name="ports.csv"]').click() ]);
		const csv = fs.readFileSync(await download.path(), 'utf8').replace('\ufeff', '').trim().split('\r\n');
		assert.match(csv[0], /^service,attempts,unique_sources,daily,wants$/);
		assert.equal(csv.length - 1, await page.locator('[data-table=ports] tbody tr').count());
	},

	async 'hostile text is text everywhere'() {
		const evil = '<img src=x onerror=window.taken=1><script>window.taken=1</script>';
		// So many that the day's table, cut to its heaviest sources by the import, keeps this one.
		log(Array.from({ length: 40 }, (_, index) => packet(index % 2 ? `"><b>${evil}: ` : `reject ${evil} in: `, '203.0.113.66', index % 2 ? 22 : 23, index + 1)));
		await open('live');
		await page.waitForFunction(() => /203\.0\.113\.66/.test(document.body.innerText), null, { timeout: 20000 });
		assert.ok((await text('[data-table=live]')).includes('<img src=x'), 'the line is shown as it came');
		await open('sources', { state: 'address=203.0.113.66' });
		await page.waitForSelector('.fw-evidence');
		assert.ok((await text('.fw-evidence')).includes('<script>'));
		await open('overview', { state: 'ports.search=' + encodeURIComponent(evil) });
		await open('ports', { state: `ports.search=${encodeURIComponent(evil)}&from=${encodeURIComponent(evil)}` });
		await open('sources', { state: 'address=' + encodeURIComponent(evil) });
		assert.equal(await page.evaluate(() => window.taken), undefined);
		assert.equal(await page.locator('#view img, #view script').count(), 0);
	},

	async 'live events are filtered, paused, and a flood leaves the page alive'() {
		await open('live');
		await page.waitForSelector('[data-table=live] tbody tr');
		await page.screenshot({ path: `${pictures}/live.png`, fullPage: true });
		await page.setViewportSize({ width: 360, height: 900 });
		assert.deepEqual(await page.evaluate(outside), []);
		assert.ok(await page.locator('[data-table=live] .fw-col-port button').first().isVisible());
		await page.screenshot({ path: `${pictures}/live-small.png` });
		await page.setViewportSize({ width: 1180, height: 900 });
		await page.locator('[data-table=live] .fw-col-port button', { hasText: /^22$/ }).first().click();
		await page.waitForFunction(() => [ ...document.querySelectorAll('[data-table=live] tbody .fw-col-port') ].every((cell) => cell.innerText == '22'));
		assert.equal(hash().port, '22');
		await open('live');
		for (let round = 0; round < 40; round++) {
			log(Array.from({ length: 100 }, (_, index) => packet('reject wan in: ', `198.51.${round}.${index}`, 1000 + index, round * 100 + index + 10)));
			await new Promise((resolve) => setTimeout(resolve, 60));
		}
		await page.waitForFunction(() => /came too fast/.test(document.body.innerText), null, { timeout: 20000 });
		assert.ok(await page.locator('[data-table=live] tbody tr').count() <= 200);
		await page.locator('[name=pause]').click();
		const rows = await text('[data-table=live] tbody');
		log([ packet('reject wan in: ', '203.0.113.77', 4444, 60000) ]);
		await new Promise((resolve) => setTimeout(resolve, 4000));
		assert.equal(await text('[data-table=live] tbody'), rows, 'paused');
		await page.locator('[name=pause]').click();
		await page.waitForFunction(() => /203\.0\.113\.77/.test(document.body.innerText));
	},

	async 'opening a tab asks each question once'() {
		for (const tab of TABS) {
			await open(tab);
			// LuCI's polling has run by then.
			await new Promise((resolve) => setTimeout(resolve, 1200));
			const calls = await page.evaluate(() => window.calls.map((call) => `${call.object} ${call.method} ${JSON.stringify(call.args)}`));
			assert.deepEqual(calls, [ ...new Set(calls) ], tab);
			assert.equal(calls.filter((call) => call.startsWith('fwstat summary')).length, tab == 'overview' ? 1 : 0, tab);
		}
	},

	async 'no event stands in two rows'() {
		log(Array.from({ length: 5 }, (_, index) => packet('reject wan in: ', '203.0.113.88', 5000 + index, index + 1)));
		await until(async () => (await answer('recent', { limit: 10, source: '203.0.113.88' })).events.length == 5, 'they are there');
		await open('live');
		await page.waitForFunction(() => /203\.0\.113\.88/.test(document.body.innerText));
		await new Promise((resolve) => setTimeout(resolve, 4000));
		const ports = (await cells('live', 'port')).filter((port) => /^500\d$/.test(port));
		assert.deepEqual(ports.sort(), [ '5000', '5001', '5002', '5003', '5004' ]);
	},

	async 'a look is one small call, and a hidden page asks nothing'() {
		for (const tab of Object.keys(POLLED)) {
			await open(tab);
			await page.evaluate(() => { window.calls.length = 0; });
			await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
			await page.waitForFunction(() => window.calls.length > 0);
			await drawn();
			const calls = await page.evaluate(() => window.calls);
			assert.equal(calls[0].method, POLLED[tab]);
			if (tab != 'live') assert.equal(calls.length, 1, JSON.stringify(calls));
			calls.forEach((call) => assert.ok(call.bytes <= MOST_BYTES, `${call.method}: ${call.bytes} bytes`));
		}
		await page.evaluate(() => Object.defineProperty(document, 'hidden', { get: () => true }));
		await new Promise((resolve) => setTimeout(resolve, 500));
		const before = await page.evaluate(() => window.calls.length);
		await new Promise((resolve) => setTimeout(resolve, 4000));
		assert.equal(await page.evaluate(() => window.calls.length), before, 'hidden');
		for (const tab of [ 'trends', 'ports', 'sources', 'countries' ]) {
			await open(tab);
			for (const call of await page.evaluate(() => window.calls)) assert.ok(call.bytes <= MOST_BYTES, `${tab}: ${call.method}: ${call.bytes} bytes`);
		}
	},

	async 'addresses are masked for a picture'() {
		await open('sources', { state: 'mask=1' });
		assert.match((await cells('sources', 'address'))[0], /^\d+\.\d+\.x\.x/);
		assert.doesNotMatch(await text('.fw-body'), /\b\d+\.\d+\.\d+\.\d+\b/);
		await open('live', { state: 'mask=1' });
		await page.waitForSelector('[data-table=live] tbody tr');
		assert.doesNotMatch(await text('.fw-body'), /\b\d+\.\d+\.\d+\.\d+\b/);
	},

	async 'a reader is offered nothing that he may not do'() {
		assert.equal((await ask('block', { address: '203.0.113.5' }, 'reader')).error.code, -32002);
		for (const tab of [ 'blocks', 'settings' ]) {
			await open(tab, { query: 'user=reader' });
			assert.equal(await page.locator('[name=block], [name^=unblock], .cbi-button-apply').count(), 0, tab);
		}
		await open('sources', { query: 'user=reader', state: 'address=203.0.113.66' });
		assert.equal(await page.locator('[name=block]').count(), 0);
		await open('sources', { state: 'address=203.0.113.66' });
		assert.equal(await page.locator('[name=block]').count(), 1);
	},

	async 'an address is blocked and unblocked by hand, in the kernel too'() {
		const address = '203.0.113.66';
		await open('sources', { state: `address=${address}` });
		await page.locator('[name=reason]').fill('tried <b>too</b> often');
		await page.locator('[name=block]').click();
		await page.waitForSelector('.alert-message.info');
		await page.waitForFunction(() => /tried <b>too<\/b> often · (60 minutes|1 hour) left/.test(document.querySelector('[data-fact=blocked]').innerText));
		await until(() => inKernel(address), 'it is in the kernel\'s set');
		assert.equal((await answer('blocks')).blocks[0].rule, 'manual');
		await open('blocks');
		assert.ok((await text('[data-table=blocks]')).includes('tried <b>too</b> often'));
		assert.match((await cells('blocks', 'expires'))[0], /^(60 minutes|1 hour)$/);
		assert.match(await text('.fw-notice'), /The guard is on/);
		await page.locator(`[name="unblock-${address}"]`).click();
		await page.waitForFunction(() => !/203\.0\.113\.66/.test(document.querySelector('[data-table=blocks]').innerText));
		await until(() => !inKernel(address), 'it left the kernel\'s set');
		assert.match(await text('[data-table=history] tbody'), /203\.0\.113\.66[^]*tried <b>too<\/b> often[^]*unblocked by hand/);

		// From the form, for a day; anew for an hour; and what is refused.
		const block = async (what, time) => {
			await page.locator('[name=address]').fill(what);
			await page.locator('select[name=time]').selectOption(time);
			await page.locator('[name=block]').click();
		};
		await block('2001:db8:7::1', '1d');
		await page.waitForFunction(() => /2001:db8:7::\/64/.test(document.querySelector('[data-table=blocks]').innerText));
		assert.match((await cells('blocks', 'expires'))[0], /^24 hours$/);
		await until(() => inKernel('2001:db8:7::'), 'the /64 is in the kernel\'s set');
		await drawn();
		assert.equal(await page.locator('[name=address]').inputValue(), '');
		// On a small screen the row is stacked, and nothing is cut off.
		await page.setViewportSize({ width: 360, height: 900 });
		assert.deepEqual(await page.evaluate(outside), []);
		assert.ok(await page.locator('[name="unblock-2001:db8:7::/64"]').isVisible());
		await page.screenshot({ path: `${pictures}/blocks-one-small.png`, fullPage: true });
		await page.setViewportSize({ width: 1180, height: 900 });
		for (const [ what, words ] of [ [ '192.168.1.5', /192\.168\.1\.5 is not blocked: it is a private or reserved address/ ], [ '192.0.2.0/24', /neither a single address nor an IPv6 \/64/ ],
			[ '<img src=x>', /"<img src=x>" is no IPv4 or IPv6 address/ ] ]) {
			await block(what, '1h');
			await page.waitForFunction((words) => new RegExp(words).test([ ...document.querySelectorAll('.alert-message.error') ].at(-1)?.innerText), words.source);
			await drawn();
			assert.equal(await page.locator('[name=address]').inputValue(), what, 'what was written stays');
		}
		assert.equal((await answer('blocks')).blocks.length, 1);
		await ask('unblock', { address: '2001:db8:7::' });
	},

	async 'blocks are ended together, all at once, and never made again'() {
		const addresses = [ 1, 2, 3, 4, 5 ].map((last) => `203.0.113.${200 + last}`);
		for (const address of addresses) await ask('block', { address });
		await open('blocks');
		const listed = () => cells('blocks', 'address').then((list) => list.sort());
		assert.deepEqual(await listed(), addresses);
		assert.ok(await page.locator('[name=unblock-chosen]').isDisabled());
		for (const address of addresses.slice(0, 2)) await page.locator(`[name="tick-${address}"]`).check();
		await page.locator('[name=unblock-chosen]').click();
		await page.waitForFunction(() => document.querySelectorAll('[data-table=blocks] tbody tr').length == 3);
		assert.deepEqual(await listed(), addresses.slice(2));
		const [ download ] = await Promise.all([ page.waitForEvent('download'), page.locator('[name="blocks.csv"]').click() ]);
		assert.match(fs.readFileSync(await download.path(), 'utf8'), /^\ufeffaddress,reason,[^\n]*dropped\r\n/);

		const before = fs.readFileSync(config, 'utf8');
		await page.locator(`[name="never-${addresses[2]}"]`).click();
		await page.waitForFunction(() => /is never blocked again/.test(document.body.innerText));
		assert.match(fs.readFileSync(config, 'utf8'), new RegExp(`list allow '${addresses[2]}'`));
		await configure(fs.readFileSync(config, 'utf8'), async () => /allow list/.test(JSON.stringify(await ask('block', { address: addresses[2] }))));
		await configure(before, async () => (await answer('status')).guard.state == 'on');

		let asked = '';
		page.once('dialog', (dialog) => { asked = dialog.message(); dialog.accept(); });
		await page.locator('[name=unblock-all]').click();
		await page.waitForFunction(() => /Nobody is blocked/.test(document.body.innerText));
		assert.equal(asked, 'End all 2 blocks?');
		await until(() => !addresses.some(inKernel), 'none is in the kernel');
	},

	async 'who that is: names, links, only on request'() {
		await open('sources', { state: 'address=203.0.113.66' });
		assert.deepEqual((await page.evaluate(() => window.calls)).filter((call) => call.object == 'network.rrdns'), [], 'nothing is looked up unasked');
		await page.locator('[name=lookup]').click();
		await page.waitForFunction(() => document.querySelector('[data-fact=name]').innerText == '<b>scan</b>.example.net');
		const links = () => page.locator('[data-fact=links] a').evaluateAll((list) => list.map((one) => [ one.textContent, one.href, one.rel, one.target ]));
		await page.waitForSelector('[data-fact=links] a');
		assert.deepEqual((await links())[1], [ 'AbuseIPDB', 'https://www.abuseipdb.com/check/203.0.113.66', 'noreferrer noopener', '_blank' ]);
		assert.ok((await links()).every(([ , , rel ]) => rel == 'noreferrer noopener'));
		// Also of an address that was never seen.
		await open('sources', { state: 'address=192.168.1.7' });
		await page.waitForFunction(() => document.querySelector('[data-fact=name]').innerText == 'camera.lan');
		assert.equal(await page.locator('[data-fact=links]').count(), 0, 'nobody outside knows an address of the inside');
		await open('sources', { state: 'address=203.0.113.66&mask=1' });
		assert.equal(await page.locator('[data-fact=links], [data-fact=name]').count(), 0);

		const before = fs.readFileSync(config, 'utf8');
		fs.writeFileSync(config, before.replace(/config page 'page'\n/, `$&\tlist link 'Mine|https://example.org/{address}'\n\tlist link 'bad|javascript:alert({address})'\n`));
		await open('sources', { state: 'address=203.0.113.66' });
		await page.waitForSelector('[data-fact=links] a');
		assert.deepEqual((await links()).map(([ name, href ]) => [ name, href ]), [ [ 'Mine', 'https://example.org/203.0.113.66' ] ]);
		await configure(before, async () => true);
	},

	async 'who floods is blocked, with evidence; who may read only sees it'() {
		const evil = '"><img src=x onerror=window.taken=1>', attackers = Array.from({ length: 14 }, (_, index) => `198.51.100.${index + 1}`);
		for (const address of attackers)
			log(Array.from({ length: 205 }, (_, index) => packet(`reject ${evil} in: `, address, 23, index + 1)));
		await until(async () => (await answer('summary', { limit: 1 })).blocks.active == attackers.length, 'all are blocked');
		attackers.forEach((address) => assert.ok(inKernel(address), address));
		await open('blocks');
		assert.equal(await page.locator('[data-table=blocks] tbody tr').count(), 12);
		await page.locator('[name=all]').click();
		await page.waitForFunction(() => document.querySelectorAll('[data-table=blocks] tbody tr').length == 14);
		const rows = (await answer('blocks', { limit: 1000 })).blocks;
		assert.deepEqual(await cells('blocks', 'count'), rows.map((row) => number(row.count)));
		assert.deepEqual([ ...new Set(await cells('blocks', 'rule')) ], [ 'Flood' ]);
		assert.match((await cells('blocks', 'reason'))[0], /^a flood, 200 attempts within 1m \(tcp 23\)/);
		await page.locator('[data-table=blocks] summary').first().click();
		await page.locator('[name="blocks.sort.count"]').click();
		await page.locator('[name="blocks.sort.since"]').click();
		const shown = await text('[data-table=blocks] details[open] .fw-evidence');
		assert.equal(shown, rows[0].evidence.join('\n'), 'the lines are shown as they came, and stay unfolded');
		assert.ok(rows[0].evidence[0].includes(evil));
		await page.screenshot({ path: `${pictures}/blocks.png`, fullPage: true });
		await open('blocks', { query: 'lang=ja&dark=1' });
		assert.match((await cells('blocks', 'reason'))[0], /大量送信、試行 200 件/);
		await page.screenshot({ path: `${pictures}/blocks-ja-dark.png`, fullPage: true });
		await open('overview');
		assert.match(await text('.fw-tiles'), /Blocked now\s+14/);
		assert.match(await text('[data-table=sources]'), /198\.51\.100\.\d+\s+.*\s*blocked/);
		await open('sources', { query: 'user=reader', state: `address=${attackers[0]}` });
		assert.match(await text('[data-fact=blocked]'), /a flood, 200 attempts/);
		assert.equal(await page.locator('[name=block], [name^=unblock]').count(), 0);
		assert.equal((await ask('unblock', { address: attackers[0] }, 'reader')).error.code, -32002);
		assert.equal(await page.evaluate(() => window.taken), undefined);
		// Then a look at the blocks is as large as it gets.
		await open('blocks');
		await page.evaluate(() => { window.calls.length = 0; });
		await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
		await page.waitForFunction(() => window.calls.length > 0);
		const calls = await page.evaluate(() => window.calls);
		assert.equal(calls.length, 1);
		assert.ok(calls[0].bytes > 8000 && calls[0].bytes <= MOST_BYTES, `${calls[0].bytes} bytes`);
		for (const address of attackers) await ask('unblock', { address });
		await until(() => !attackers.some(inKernel), 'all left the kernel\'s set');
	},

	async 'a guard that is off or makes a dry run says so'() {
		const before = fs.readFileSync(config, 'utf8');
		await configure(before.replace("option enabled '1'", "option enabled 'dry'"), async () => (await answer('status')).guard.state == 'dry');
		await ask('block', { address: '203.0.113.9', reason: 'a trial' });
		await open('blocks');
		assert.match(await text('.fw-notice'), /dry run/);
		assert.match((await cells('blocks', 'address'))[0], /203\.0\.113\.9 dry run/);
		assert.ok(!inKernel('203.0.113.9'));
		await open('overview');
		assert.match(await text('.fw-tiles'), /Blocked now\s+–\s+dry run/);
		await configure(before.replace("option enabled '1'", "option enabled '0'"), async () => (await answer('status')).guard.state == 'off');
		await open('blocks');
		assert.match(await text('.fw-notice'), /The guard is off/);
		assert.equal(await page.locator('[name=block]').count(), 0);
		await open('sources', { state: 'address=203.0.113.66' });
		assert.match(await text('[data-fact=blocked]'), /the guard is off/);
		await configure(before.replace("option enabled '1'", "option enabled '1'\n\toption flood 'much'"), async () => (await answer('status')).guard.why != null);
		await open('overview');
		assert.match(await text('.fw-notice'), /The guard is off[^]*flood/, 'the health line tells why');
		await configure(before, async () => (await answer('status')).guard.state == 'on');
	},

	async 'settings are checked and saved, with the findings above them'() {
		await open('settings');
		const { findings } = await answer('status');
		assert.ok(findings.length > 5);
		await page.locator('.fw-body summary').click();
		// Each is one that the page has words for: it keeps what the daemon names.
		const told = await text('.fw-body');
		for (const finding of findings)
			(finding.text.match(/\/[\w/.-]+|\bwan\b/g) || []).forEach((name) => assert.ok(told.includes(name), finding.text));
		await open('settings', { query: 'lang=ja' });
		await page.locator('.fw-body summary').click();
		assert.match(await text('.fw-body'), /すべてのオプションが有効/);
		for (const row of await page.locator('.fw-body td:last-child').allInnerTexts()) assert.match(row, /[ぁ-ん]/, 'in Japanese');
		await open('settings');
		// What the daemon refuses the form refuses, too.
		for (const [ name, value, sentence ] of [ [ 'commit_interval', 'soon', /A time from 1m to 7d/ ], [ 'commit_interval', '30s', /A time from 1m to 7d/ ], [ 'flood', '0/1m', /A number from 1 to 1000000/ ],
			[ 'block_for', '999d', /A time from 10s to 30d/ ], [ 'evidence', '5000', /A whole number from 0 to 2000/ ], [ 'max_blocks', '99999', /A whole number from 1 to 16384/ ],
			[ 'database', '/tmp/../etc', /A path that begins with/ ] ]) {
			const field = page.locator(`[name=${name}]`), good = await field.inputValue();
			await field.fill(value);
			await page.locator('.cbi-button-apply').click();
			await page.waitForSelector('.alert-message.error');
			assert.match(await page.locator('.alert-message.error').innerText(), sentence);
			await page.locator('.alert-message.error').evaluate((node) => node.remove());
			await field.fill(good);
		}
		await page.locator('[name=commit_interval]').fill('2h');
		await page.locator('.cbi-button-apply').click();
		await page.waitForSelector('.alert-message.info');
		assert.match(fs.readFileSync(path.join(place, 'config/fwstat'), 'utf8'), /option commit_interval '2h'/);
	},

	async 'the card for LuCI\'s own Overview'() {
		await page.goto(`${base}/cgi-bin/luci/card`);
		await page.waitForSelector('.fw-card');
		assert.ok((await text('.fw-card')).includes(number((await answer('summary')).attempts)));
	},

	async 'without a daemon the page says what to do'() {
		process.kill(+fs.readFileSync(path.join(place, 'daemon.pid'), 'utf8'));
		await new Promise((resolve) => setTimeout(resolve, 1500));
		await page.goto('about:blank');
		await page.goto(`${base}/cgi-bin/luci/admin/status/fwstat/overview`);
		await page.waitForFunction(() => /fwstat is not running/.test(document.body.innerText));
	}
};

let failed = 0;
// PAGE_TESTS=words: only the tests whose names have them.
const chosen = Object.entries(tests).filter(([ name ]) => name.includes(process.env.PAGE_TESTS || ''));
for (const [ name, run ] of chosen) {
	try {
		await run();
		assert.doesNotMatch(await page.evaluate(() => document.body.innerText), /\[object/, 'elements are elements');
		assert.deepEqual(complaints, [], 'no errors in the console');
		console.log(`ok    ${name}`);
	} catch (error) {
		failed++;
		console.log(`FAIL  ${name}\n${error.stack}`);
		await page.screenshot({ path: `${pictures}/failed.png`, fullPage: true }).catch(() => {});
	}
	complaints.length = 0;
}
await browser.close();
console.log(failed ? `${failed} of ${chosen.length} failed` : `all ${chosen.length} passed`);
process.exit(failed ? 1 : 0);
