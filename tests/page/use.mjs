// How the page is used: tables, live events, looks, rights.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { execFileSync } from 'node:child_process';
import { port, place, project, pictures, TABS, POLLED, MOST_BYTES, ask, answer, log, packet, until, page, open, drawn, text, cells, hash, outside } from './harness.mjs';

export const tests = {
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

	async 'what is typed and focused outlasts a redraw'() {
		await open('ports');
		const search = page.locator('[name="ports.search"]');
		// Slower than the table is searched.
		await search.pressSequentially('tel', { delay: 400 });
		await page.waitForFunction(() => new URLSearchParams(location.hash.slice(1)).get('ports.search') == 'tel');
		assert.equal(await search.inputValue(), 'tel');
		await page.keyboard.press('ArrowLeft');
		await page.keyboard.type('x');
		await page.waitForFunction(() => new URLSearchParams(location.hash.slice(1)).get('ports.search') == 'texl');
		await page.keyboard.type('y');
		await page.waitForFunction(() => new URLSearchParams(location.hash.slice(1)).get('ports.search') == 'texyl');
		// A poll between a letter and the search; a value and a link keep the focus by their text.
		log([ packet('reject wan in: ', '203.0.113.79', 4714, 8), packet('reject wan in: ', '203.0.113.80', 4715, 9) ]);
		const look = () => page.evaluate(() => new Promise((resolve) => {
			document.addEventListener('fwstat-drawn', resolve, { once: true });
			document.dispatchEvent(new Event('visibilitychange'));
		}));
		await open('live');
		await page.waitForFunction(() => /203\.0\.113\.80/.test(document.body.innerText));
		assert.equal(await page.evaluate(() => new Promise((resolve) => {
			const input = document.querySelector('[name="live.search"]');
			input.focus();
			input.value = '203.0';
			document.addEventListener('fwstat-drawn', () => resolve(document.activeElement.value), { once: true });
			document.dispatchEvent(new Event('visibilitychange'));
		})), '203.0');
		await page.locator('[data-table=live] button', { hasText: '203.0.113.80' }).focus();
		await look();
		assert.equal(await page.evaluate(() => document.activeElement.textContent), '203.0.113.80');
	},

	async 'a poll that fails leaves the page and what is being written'() {
		await open('blocks');
		await page.locator('[name=address]').fill('203.0.113.0/24');
		const look = () => page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
		await page.route('**/ubus*', (route) => route.fulfill({ json: JSON.parse(route.request().postData()).map(({ id }) => ({ jsonrpc: '2.0', id, error: { code: -32000, message: 'Object not found' } })) }));
		for (let round = 0; round < 2; round++) {
			await look();
			await page.waitForFunction(() => document.querySelector('.fw-failed') && !document.querySelector('.fw-body[aria-busy]'));
		}
		assert.match(await text('.fw-failed'), /fwstat is not running/);
		assert.equal(await page.locator('.fw-failed').count(), 1);
		assert.equal(await page.locator('[name=address]').inputValue(), '203.0.113.0/24');
		await page.unroute('**/ubus*');
		await look();
		await page.waitForFunction(() => !document.querySelector('.fw-failed') && document.querySelector('[data-table=history]'));
		assert.equal(await page.locator('[name=address]').inputValue(), '203.0.113.0/24');
	},

	async 'hostile text is text everywhere'() {
		const evil = '<img src=x onerror=window.taken=1><script>window.taken=1</script>';
		// So many that the day's table, cut to its heaviest sources by the import, keeps this one.
		log(Array.from({ length: 40 }, (_, index) => packet(index % 2 ? `"><b>${evil}: ` : `reject ${evil} in: `, '203.0.113.66', index % 2 ? 22 : 23, index + 1)));
		await open('live');
		await page.waitForFunction(() => /203\.0\.113\.66/.test(document.body.innerText));
		assert.ok((await text('[data-table=live]')).includes('<img src=x'), 'the line is shown as it came');
		await open('sources', { state: 'address=203.0.113.66' });
		await page.waitForSelector('.fw-evidence');
		assert.ok((await text('.fw-evidence')).includes('<script>'));
		await open('overview', { state: 'ports.search=' + encodeURIComponent(evil) });
		await open('ports', { state: `ports.search=${encodeURIComponent(evil)}&from=${encodeURIComponent(evil)}` });
		await open('sources', { state: 'address=' + encodeURIComponent(evil) });
		for (const tab of [ 'overview', 'trends', 'ports', 'sources', 'countries' ]) {
			await open(tab, { state: 'to=' + encodeURIComponent(evil) });
			assert.doesNotMatch(await text('.fw-body'), /undefined|of null|Invalid/, tab);
		}
		await open('countries', { state: 'to=x' });
		assert.match(await text('.fw-body'), /A date is expected, as YYYY-MM-DD/);
		assert.equal(await page.evaluate(() => window.taken), undefined);
		assert.equal(await page.locator('#view img, #view script').count(), 0);
	},

	async 'what was asked before the filter was changed is not shown with it'() {
		log([ packet('reject wan in: ', '203.0.113.78', 4713, 6) ]);
		await open('live');
		await page.waitForSelector('[data-table=live] tbody tr');
		const late = {};
		late.asked = new Promise((resolve) => { late.ask = resolve; });
		late.filtered = new Promise((resolve) => { late.filter = resolve; });
		await page.route('**/ubus*', async (route) => {
			const asked = route.request().postData() || '';
			if (!/"recent"/.test(asked)) return route.continue();
			const response = await route.fetch(), body = await response.text();
			if (/"filter":"port:4711"/.test(asked)) late.filter();
			else if (!late.held && body.includes('203.0.113.77')) {
				late.held = true;
				late.ask();
				await late.filtered;
			}
			return route.fulfill({ response, body }).catch(() => {});
		});
		log([ packet('reject wan in: ', '203.0.113.77', 4712, 7) ]);
		await late.asked;
		await page.locator('[name=filter]').fill('port:4711');
		await page.locator('[name=apply]').click();
		await late.filtered;
		await page.waitForResponse((response) => /"filter":"port:4711"/.test(response.request().postData() || ''));
		await page.waitForResponse((response) => /"filter":"port:4711"/.test(response.request().postData() || ''));
		await drawn();
		await page.unroute('**/ubus*');
		assert.doesNotMatch(await text('[data-table=live]'), /203\.0\.113\.77/);
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
		assert.equal(hash().filter, 'port:22');
		await page.locator('.fw-tools button', { hasText: /^Port: 22$/ }).click();
		await page.waitForFunction(() => new URLSearchParams(location.hash.slice(1)).get('filter') == '!port:22');
		await drawn();
		assert.ok(!(await cells('live', 'port')).includes('22'));
		await open('live');
		for (let round = 0; round < 40; round++) {
			log(Array.from({ length: 100 }, (_, index) => packet('reject wan in: ', `198.51.${round}.${index}`, 1000 + index, round * 100 + index + 10)));
			await new Promise((resolve) => setTimeout(resolve, 60));
		}
		await page.waitForFunction(() => /came too fast/.test(document.body.innerText));
		assert.ok(await page.locator('[data-table=live] tbody tr').count() <= 200);
		await page.locator('[name=pause]').click();
		const rows = await text('[data-table=live] tbody');
		log([ packet('reject wan in: ', '203.0.113.77', 4444, 60000) ]);
		await new Promise((resolve) => setTimeout(resolve, 4000));
		assert.equal(await text('[data-table=live] tbody'), rows, 'paused');
		await page.locator('[name=pause]').click();
		await page.waitForFunction(() => /203\.0\.113\.77/.test(document.body.innerText));
	},

	async 'events that come after a restart of the daemon are shown'() {
		const packets = (source, from) => log(Array.from({ length: 10 }, (_, index) => packet('reject wan in: ', source, from + index, index + 1)));
		const shown = (from) => page.waitForFunction((from) => {
			const ports = [ ...document.querySelectorAll('[data-table=live] tbody .fw-col-port') ].map((cell) => cell.innerText);
			return Array.from({ length: 10 }, (_, index) => String(from + index)).every((port) => ports.includes(port));
		}, from);
		packets('203.0.113.91', 5100);
		await open('live');
		await shown(5100);
		// Its numbers begin at 1 again, so the new events have numbers of events that are shown, or smaller ones.
		execFileSync(path.join(project, 'tests/page/serve'), [ '--restart', place ]);
		packets('203.0.113.92', 5200);
		await shown(5200);
		await shown(5100);
	},

	async 'a rare event is found in a flood'() {
		await open('live');
		await page.locator('[name=filter]').fill('!port:1023 zone:wan dpt=4711');
		await page.locator('[name=apply]').click();
		await page.waitForFunction(() => /No events yet/.test(document.body.innerText));
		const flood = () => log(Array.from({ length: 400 }, (_, index) => packet('reject wan in: ', `198.51.200.${index % 250}`, 1023, index + 10)));
		flood();
		log([ packet('reject wan in: ', '203.0.113.47', 4711, 61000) ]);
		flood();
		await page.waitForFunction(() => document.querySelectorAll('[data-table=live] tbody tr').length == 1);
		assert.match(await text('[data-table=live] tbody'), /203\.0\.113\.47/);
		await page.setViewportSize({ width: 1280, height: 900 });
		await page.screenshot({ path: `${pictures}/live-filter.png` });
		await page.setViewportSize({ width: 360, height: 900 });
		assert.deepEqual(await page.evaluate(outside), []);
		await page.screenshot({ path: `${pictures}/live-filter-small.png` });
		await open('live', { query: 'lang=ja', state: 'filter=port:x' });
		assert.match(await text('.fw-body'), /「port:x」はフィルターの条件ではありません/);
	},

	async 'opening a tab asks each question once'() {
		for (const tab of TABS) {
			await open(tab);
			// LuCI's polling has run by then. What it asks again after three seconds or more is no question of the opening.
			await new Promise((resolve) => setTimeout(resolve, 1200));
			const calls = await page.evaluate(() => window.calls.filter((call) => call.tick < 3).map((call) => `${call.object} ${call.method} ${JSON.stringify(call.args)}`));
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
			// An answer may be on its way to what was asked before.
			await page.evaluate(() => { window.looked = performance.now(); document.dispatchEvent(new Event('visibilitychange')); });
			await page.waitForFunction(() => window.calls.some((call) => call.asked >= window.looked));
			await drawn();
			const calls = await page.evaluate(() => window.calls.filter((call) => call.asked >= window.looked));
			assert.equal(calls[0].method, POLLED[tab]);
			if (tab != 'live') assert.equal(calls.length, 1, JSON.stringify(calls));
			calls.forEach((call) => assert.ok(call.bytes <= MOST_BYTES, `${call.method}: ${call.bytes} bytes`));
		}
		await page.evaluate(() => Object.defineProperty(document, 'hidden', { get: () => true }));
		const hidden = await page.evaluate(() => performance.now());
		await new Promise((resolve) => setTimeout(resolve, 4500));
		assert.deepEqual(await page.evaluate((hidden) => window.calls.filter((call) => call.asked > hidden), hidden), [], 'hidden');
		for (const tab of [ 'trends', 'ports', 'sources', 'countries' ]) {
			await open(tab);
			for (const call of await page.evaluate(() => window.calls)) assert.ok(call.bytes <= MOST_BYTES, `${tab}: ${call.method}: ${call.bytes} bytes`);
		}
	},

	async 'every address in a log line is masked'() {
		await open('live', { state: 'mask=1' });
		const masked = await page.evaluate(() => L.require('fwstat.text').then((text) => [ 'from 2a00::1 port', 'SRC=2001:0db8:0000:0000:0000:0000:0000:0001 DST=2001:db8::2', 'from fe80::1', 'SRC=198.51.100.7 ' ].map(text.line)));
		assert.deepEqual(masked, [ 'from 2a00::x:: port', 'SRC=2001:0db8:x:: DST=2001:db8:x::', 'from fe80::x::', 'SRC=198.51.x.x ' ]);
	},

	async 'addresses are masked for a picture'() {
		await open('sources', { state: 'mask=1' });
		assert.match((await cells('sources', 'address'))[0], /^\d+\.\d+\.x\.x/);
		assert.doesNotMatch(await text('.fw-body'), /\b\d+\.\d+\.\d+\.\d+\b/);
		await open('live', { state: 'mask=1' });
		await page.waitForSelector('[data-table=live] tbody tr');
		assert.doesNotMatch(await text('.fw-body'), /\b\d+\.\d+\.\d+\.\d+\b/);
		// In a filter's field, too, and it stays what it is.
		await open('live', { state: 'mask=1&filter=source:203.0.113.66' });
		assert.equal(await page.locator('[name=filter]').inputValue(), 'source:203.0.x.x');
		await page.locator('[name=filter]').fill('source:203.0.x.x port:22');
		await page.locator('[name=apply]').click();
		await page.waitForFunction(() => new URLSearchParams(location.hash.slice(1)).get('filter') == 'source:203.0.113.66 port:22');
		// Hosts of the inside.
		log([ '[1.9] reject wan out: IN=wan OUT=br-lan MAC=00:00:5e:00:53:04 SRC=2001:db8:5::67 DST=2001:db8:9::7 LEN=60 TC=0 HOPLIMIT=60 FLOWLBL=0 PROTO=TCP SPT=40000 DPT=22 WINDOW=1024 RES=0x00 SYN URGP=0' ]);
		await until(async () => (await answer('rules')).targets.some((row) => row.address == '2001:db8:9::7'), 'a host of the inside was aimed at');
		await open('ports', { state: 'mask=1' });
		await page.waitForSelector('[data-table=targets]');
		assert.match(await text('[data-table=targets]'), /2001:db8:x::/);
		assert.doesNotMatch(await text('[data-table=targets]'), /2001:db8:9/);
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
	}
};
