// What the page shows: the figures of the answers, ranges, the ways from one to another.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { execFileSync } from 'node:child_process';
import { place, port, pictures, TABS, number, answer, log, packet, config, program, until, configure, page, open, drawn, text, cells, figures, hash, outside } from './harness.mjs';

export const tests = {
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
		assert.deepEqual(await reasons('up to 5 packets on 2026-03-01 are in no figure: lost before they were read (entries of the log count as packets), or refused where only their number is known; the clock is not set', 100000),
			{ large: [ 'the clock is not set' ], small: [ 'up to 5 packets of 2026-03-01 are in no figure: lost before they were read (entries of the log count as packets), or refused where only their number is known' ] });
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
		assert.match(await text('.fw-body'), /It does not say who uses the address/);
		await page.screenshot({ path: `${pictures}/countries.png`, fullPage: true });
		await page.locator('[data-table=countries] a', { hasText: 'Japan' }).click();
		await page.waitForSelector('[data-table=sources] tbody tr');
		assert.match(await text('.fw-body'), /Only: Japan/);
		assert.deepEqual(await cells('sources', 'attempts'), sources.map((row) => number(row.attempts)));
		assert.deepEqual([ ...new Set(await cells('sources', 'country')) ], [ 'Japan' ]);
		await open('countries', { state: 'service=tcp/23' });
		const telnet = (await answer('countries', { from, to, protocol: 'tcp', port: 23, limit: 250 })).countries;
		assert.deepEqual(await cells('countries', 'attempts'), telnet.map((row) => number(row.attempts)));
		// A service that is not among those of the range is still the chosen one.
		await open('countries', { state: 'service=tcp/23&from=2001-01-01&to=2001-01-01' });
		assert.equal(await page.locator('select[name=service]').inputValue(), 'tcp/23');
		assert.equal(await page.locator('select[name=service] option:checked').innerText(), 'TCP 23');

		const before = fs.readFileSync(config, 'utf8');
		await configure(before.replace('country.mmdb', 'none.mmdb'), async () => (await answer('status')).countries.state == 'none');
		// What was looked up before stays; of a day without it nothing is known.
		await open('countries', { state: 'from=2001-01-01&to=2001-01-01' });
		assert.match(await text('.fw-notice'), /No country database is installed[^]*opkg install fwstat-country/);
		await configure(before, async () => (await answer('status')).countries.state == 'ok');
	},

	async 'networks: a table beside the countries, and in the view of a source'() {
		await open('countries');
		const { from, to } = await page.evaluate(() => Object.fromEntries([ 'from', 'to' ].map((name) => [ name, document.querySelector(`input[name=${name}]`).value ])));
		const { asns, covers } = await answer('asns', { from, to, limit: 100 });
		assert.ok(asns.length >= 4 && asns.some((row) => row.asn == 4200000001) && covers > 0.1, JSON.stringify({ asns, covers }));
		assert.deepEqual(await cells('networks', 'asn'), asns.map((row) => row.asn == null ? 'unknown' : String(row.asn)));
		assert.deepEqual(await cells('networks', 'attempts'), asns.map((row) => number(row.attempts)));
		assert.deepEqual(await cells('networks', 'listed_sources'), asns.map((row) => number(row.listed_sources)));
		assert.ok((await cells('networks', 'name')).some((name) => name.includes('<img src=x')), 'a name is text');
		if (covers < 1) assert.match(await text('[data-fact=covers]'), /^Only sources that are listed individually: \d+ % of the attempts\.$/);
		await page.locator('[data-table=networks]').scrollIntoViewIfNeeded();
		await page.setViewportSize({ width: 1280, height: 900 });
		await page.screenshot({ path: `${pictures}/networks.png`, fullPage: true });
		await page.setViewportSize({ width: 360, height: 900 });
		assert.deepEqual(await page.evaluate(outside), []);
		await page.screenshot({ path: `${pictures}/networks-small.png`, fullPage: true });
		const [ download ] = await Promise.all([ page.waitForEvent('download'), page.locator('[name="networks.csv"]').click() ]);
		assert.match(fs.readFileSync(await download.path(), 'utf8'), /(^|\n)64503,'=cmd/, 'no name begins a formula');

		const row = (await answer('sources', { from, to, limit: 80 })).sources.find((row) => row.asn == 64501);
		await open('sources', { state: `from=${from}&to=${to}` });
		assert.ok((await cells('sources', 'asn')).includes('64501'));
		await open('sources', { state: `address=${row.address}&from=${from}&to=${to}`, width: 1280 });
		assert.equal(await text('[data-fact=network]'), 'AS64501 <img src=x onerror=window.taken=1>');
		await page.screenshot({ path: `${pictures}/source-network.png` });
		await open('sources', { state: `address=${row.address}&from=${from}&to=${to}`, width: 360 });
		assert.deepEqual(await page.evaluate(outside), []);
		await page.screenshot({ path: `${pictures}/source-network-small.png` });
		assert.equal(await page.evaluate(() => window.taken), undefined);
		await open('countries', { query: 'lang=ja' });
		assert.match(await text('.fw-body'), /ネットワーク/);

		// Without the option nobody is asked, and no table is there.
		const before = fs.readFileSync(config, 'utf8');
		await configure(before.replace(/.*as_database.*\n/, ''), async () => (await answer('status')).asns == null);
		await open('countries');
		assert.equal(await page.locator('[data-table=networks]').count(), 0);
		assert.ok(!(await page.evaluate(() => window.calls)).some((call) => call.method == 'asns'));
		await configure(before, async () => (await answer('status')).asns?.state == 'ok');
	},

	async 'open ports that were tried are told on the overview'() {
		await open('overview');
		const { exposure } = await answer('summary', { limit: 8 });
		const told = exposure.ports.filter((row) => row.attempts > 0).map((row) => `TCP ${row.port} (${row.name}) is open to the Internet and was tried ${number(row.attempts)} times ${row.unique_sources == null ? '' : `from ${row.unique_sources_error ? '~' : ''}${number(row.unique_sources)} addresses `}this month`);
		assert.deepEqual(exposure.ports.map((row) => row.port), [ 22 ]);
		assert.deepEqual(await page.locator('.fw-notice.fw-wrong p').allInnerTexts(), told);
	},

	async 'firewall rules, zones, and the hosts inside that were aimed at'() {
		const forwarded = (host, port, id) => packet('drop wan forward: ', '198.51.100.77', port, id).replace('OUT=', 'OUT=br-lan').replace('DST=192.0.2.1', 'DST=' + host);
		log(Array.from({ length: 30 }, (_, index) => forwarded(index % 3 ? '192.168.1.10' : '192.168.1.23', index % 2 ? 22 : 8443, 7000 + index)));
		// Text of the log, and no markup.
		log([ packet('<img src=x onerror=alert(1)>: ', '198.51.100.77', 22, 7100) ]);
		await until(async () => (await answer('rules')).rules.some((row) => /onerror/.test(row.prefix)), 'the rules are counted');
		await until(async () => (await answer('rules')).targets.reduce((sum, row) => sum + row.attempts, 0) == 30, 'the targets are counted');
		for (const width of [ 360, 1280 ]) for (const lang of [ 'ja', 'en' ]) {
			await open('ports', { query: 'lang=' + lang, width });
			const { rules, zones, targets } = await answer('rules', { limit: 30 });
			assert.deepEqual(await cells('rules', 'prefix'), rules.map((row) => row.prefix || '–'));
			assert.deepEqual(await cells('rules', 'attempts'), rules.map((row) => number(row.attempts)));
			assert.deepEqual(await cells('zones', 'zone'), zones.map((row) => row.zone || (lang == 'ja' ? '不明' : 'not known')));
			assert.deepEqual(await cells('zones', 'attempts'), zones.map((row) => number(row.attempts)));
			assert.deepEqual(await cells('targets', 'address'), targets.map((row) => row.address));
			assert.deepEqual(await cells('targets', 'attempts'), targets.map((row) => number(row.attempts)));
			assert.ok(targets.some((row) => row.address == '192.168.1.10' && row.port == 22 && row.attempts == 10));
			assert.match(await text('.fw-body'), lang == 'ja' ? /ファイアウォールのルール[^]*転送先/ : /Firewall rules[^]*Forwarded to/);
			assert.deepEqual(await page.evaluate(outside), []);
			await page.screenshot({ path: `${pictures}/rules-${lang}-${width}.png`, fullPage: true });
		}
		await page.locator('[data-table="targets"] a', { hasText: 'SSH' }).first().click();
		await page.waitForSelector('[data-fact=attempts]');
		assert.equal(hash().port, '22');
	}
};
