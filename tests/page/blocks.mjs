// Blocks, settings, and the page without a daemon. The last test ends the daemon.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { place, base, pictures, MOST_BYTES, number, ask, answer, log, packet, inKernel, config, until, configure, page, open, drawn, text, cells, outside } from './harness.mjs';

const uci = async (method, args) => (await (await fetch(base + '/ubus', { method: 'POST', body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'call', params: [ 'writer', 'uci', method, args ] }) })).json()).result;

export const tests = {
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
		for (const [ what, words ] of [ [ '192.168.1.5', /192\.168\.1\.5 is not blocked: it is a private or reserved address/ ], [ '10.0.0.0/8', /10\.0\.0\.0\/8 is not blocked: it is a private or reserved address/ ], [ '0.0.0.0/0', /the prefix is too short/ ],
			[ '192.0.2.0/24', /192\.0\.2\.0\/24 is not blocked: it holds 192\.0\.2\.53: it is a name server in use/ ],
			[ '<img src=x>', /"<img src=x>" is no IPv4 or IPv6 address/ ] ]) {
			await block(what, '1h');
			await page.waitForFunction((words) => new RegExp(words).test([ ...document.querySelectorAll('.alert-message.error') ].at(-1)?.innerText), words.source);
			await drawn();
			assert.equal(await page.locator('[name=address]').inputValue(), what, 'what was written stays');
		}
		assert.equal((await answer('blocks')).blocks.length, 1);
		await ask('unblock', { address: '2001:db8:7::' });
	},

	async 'a network and a country are blocked after a warning, and lists are saved and imported'() {
		await open('blocks');
		const form = async (what, time) => {
			await page.locator('[name=address]').fill(what);
			await page.locator('select[name=time]').selectOption(time);
			const asked = new Promise((resolve) => page.once('dialog', (dialog) => { resolve(dialog.message()); dialog.accept(); }));
			await page.locator('[name=block]').click();
			return asked;
		};
		assert.match(await form('203.0.113.128/25', 'forever'), /^Block 203\.0\.113\.128\/25\? Nobody at 128 IPv4 addresses can open a connection/);
		await page.waitForFunction(() => /203\.0\.113\.128\/25/.test(document.querySelector('[data-table=blocks]')?.innerText));
		await until(() => inKernel('203.0.113.128'), 'the network is in the kernel\'s set');
		assert.match(await form('jp', '7d'), /^Block jp\? Nobody at \d+ IPv4 addresses/);
		await page.waitForFunction(() => /Japan/.test(document.querySelector('[data-table=blocks]')?.innerText));
		assert.deepEqual((await cells('blocks', 'expires')).sort(), [ '7 days', 'until unblocked' ]);
		await page.setViewportSize({ width: 1280, height: 900 });
		await page.screenshot({ path: `${pictures}/blocks-networks.png`, fullPage: true });
		await page.setViewportSize({ width: 360, height: 900 });
		assert.deepEqual(await page.evaluate(outside), []);
		await page.screenshot({ path: `${pictures}/blocks-networks-small.png`, fullPage: true });
		await open('blocks', { query: 'lang=ja' });
		assert.match(await text('[data-table=blocks]'), /解除するまで/);
		assert.match(await text('.fw-body'), /ブロックリストを取り込む/);
		await page.screenshot({ path: `${pictures}/blocks-networks-ja.png`, fullPage: true });

		await open('blocks');
		const [ saved ] = await Promise.all([ page.waitForEvent('download'), page.locator('[name=blocklist]').click() ]);
		assert.equal(fs.readFileSync(await saved.path(), 'utf8'), '203.0.113.128/25\n');
		// Its input is invisible: the label shows where the focus is.
		await page.locator('[name=blocklist-file]').focus();
		assert.equal(await page.locator('label:has([name=blocklist-file])').evaluate((label) => getComputedStyle(label).outlineStyle), 'solid');
		await page.locator('[name=blocklist-file]').setInputFiles({ name: 'list.txt', mimeType: 'text/plain', buffer: Buffer.from('# mine\n198.51.100.0/25 # x\nexample.org\n10.1.2.3\n') });
		await page.waitForFunction(() => /1 address or network is blocked\. 1 line is not an address/.test(document.body.innerText));
		await page.waitForFunction(() => /10\.1\.2\.3 is not blocked: it is within 10\.0\.0\.0\/8/.test(document.body.innerText));
		await until(() => inKernel('198.51.100.0'), 'what was imported is in the kernel\'s set');

		const before = fs.readFileSync(config, 'utf8');
		await page.locator('[name=allowlist-file]').setInputFiles({ name: 'list.txt', mimeType: 'text/plain', buffer: Buffer.from('192.0.2.77\n2001:db8:a::/48\n') });
		await page.waitForFunction(() => /2 lines are on the allow list/.test(document.body.innerText));
		assert.match(fs.readFileSync(config, 'utf8'), /list allow '192\.0\.2\.77'\n\s*list allow '2001:db8:a::\/48'/);
		// What the daemon would refuse, with the guard's whole section, is left out: banIP's lists have MAC addresses, too.
		const refused = [ 'C8:C2:9B:F7:80:12', 'abc.de', '1.2.3', '999.1.1.1', '01.2.3.4', '10.0.0.0/33', '10.0.0.0/255.0.0.0', '2001:db8::/129', '::ffff:192.0.2.1/64', 'fe80::1%eth0', ':::' ];
		const taken = [ '192.0.2.77', '198.51.100.0/24', '::ffff:192.0.2.1/120', '2001:DB8:b::/48', '2001:db8::192.0.2.1', '192.0.2.77' ];
		const list = (name, lines) => page.locator(`[name=${name}-file]`).setInputFiles({ name: 'list.txt', mimeType: 'text/plain', buffer: Buffer.from(lines.join('\n')) });
		await list('allowlist', taken.concat(refused));
		await page.waitForFunction((count) => document.body.innerText.includes(`${count} lines are not addresses and were left out.`), refused.length);
		await configure(fs.readFileSync(config, 'utf8'), async () => (await answer('guard-test', { address: '198.51.100.1' })).protected_by == 'it is on the allow list');
		assert.equal((await answer('status')).guard.state, 'on');
		const full = fs.readFileSync(config, 'utf8');
		assert.equal(full.match(/list allow/g).length, 6, 'two lines stood there, four are new');
		await list('allowlist', Array.from({ length: 1019 }, (_, index) => `198.18.${index >> 8}.${index & 255}`));
		await page.waitForFunction(() => /The allow list was not changed: it has at most 1024 entries/.test(document.body.innerText));
		assert.equal(fs.readFileSync(config, 'utf8'), full);
		fs.writeFileSync(config, full.replace(/\tlist allow '(198|::ffff|2001:DB8|2001:db8::192).*\n/g, ''));
		await open('blocks');
		const [ allowed ] = await Promise.all([ page.waitForEvent('download'), page.locator('[name=allowlist]').click() ]);
		assert.equal(fs.readFileSync(await allowed.path(), 'utf8'), '192.0.2.77\n2001:db8:a::/48\n');
		await configure(before, async () => (await answer('status')).guard.state == 'on');
		for (const address of [ '203.0.113.128/25', 'JP', '198.51.100.0/25' ]) await ask('unblock', { address });
		await until(() => !inKernel('198.51.100.0') && !inKernel('203.0.113.128'), 'they left the kernel\'s set');
		await open('blocks');
		const over = await text('[data-table=history] tbody');
		assert.match(over, /203\.0\.113\.128\/25[^]*unblocked by hand/);
		assert.match(over, /Japan[^]*unblocked by hand/);
		await open('blocks', { query: 'lang=ja' });
		assert.match(await text('[data-table=history] tbody'), /日本[^]*203\.0\.113\.128\/25|203\.0\.113\.128\/25[^]*日本/);
	},

	async 'addresses are allowed at once, one after the other, and with other changes that wait'() {
		const addresses = [ 1, 2, 3 ].map((last) => `203.0.113.${210 + last}`), before = fs.readFileSync(config, 'utf8');
		const allowed = () => [ ...fs.readFileSync(config, 'utf8').matchAll(/list allow '(.*)'/g) ].map(([ , address ]) => address);
		for (const address of addresses) await ask('block', { address });
		await open('blocks');
		for (const address of addresses.slice(0, 2)) await page.locator(`[name="never-${address}"]`).click();
		for (const address of addresses.slice(0, 2)) await page.waitForFunction((address) => document.body.innerText.includes(address + ' is never blocked again'), address);
		assert.deepEqual(await uci('confirm', {}), [ 5 ], 'nothing waits for a confirmation: the page can be left');
		assert.deepEqual(allowed(), addresses.slice(0, 2));
		// What stands there already is not applied again.
		const list = (lines) => page.locator('[name=allowlist-file]').setInputFiles({ name: 'list.txt', mimeType: 'text/plain', buffer: Buffer.from(lines.join('\n')) });
		await list(addresses.slice(0, 2));
		await page.waitForFunction(() => /2 lines are on the allow list/.test(document.body.innerText));
		// Another change that waits is not applied by this one.
		assert.deepEqual(await uci('set', { config: 'fwstat', section: 'guard', values: { block_for: '2h' } }), [ 0 ]);
		await page.locator(`[name="never-${addresses[2]}"]`).click();
		await page.waitForFunction((address) => document.body.innerText.includes(address + ' will be on the allow list once you apply'), addresses[2]);
		assert.deepEqual(allowed(), addresses.slice(0, 2));
		assert.deepEqual(await uci('apply', { rollback: true, timeout: 10 }), [ 0 ]);
		assert.deepEqual(allowed(), addresses);
		// Neither is it said to be done while LuCI waits for the confirmation of what was applied elsewhere.
		await list([ '192.0.2.78', '192.0.2.79' ]);
		await page.waitForFunction(() => /2 lines will be on the allow list once you apply/.test(document.body.innerText));
		assert.deepEqual(await uci('confirm', {}), [ 0 ]);
		assert.deepEqual(await uci('apply', {}), [ 0 ]);
		assert.deepEqual(allowed(), addresses.concat('192.0.2.78', '192.0.2.79'));
		fs.writeFileSync(config, before);
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
		await until(() => attackers.every(inKernel), 'all are in the kernel\'s set');
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
		await page.evaluate(() => { window.looked = performance.now(); document.dispatchEvent(new Event('visibilitychange')); });
		await page.waitForFunction(() => window.calls.some((call) => call.asked >= window.looked));
		const calls = await page.evaluate(() => window.calls.filter((call) => call.asked >= window.looked));
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
		// And a page that is open sees when that changes.
		await configure(before, async () => (await answer('status')).guard.state == 'on');
		await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
		await page.waitForFunction(() => /The guard is on/.test(document.querySelector('.fw-notice').innerText));
		await configure(before.replace("option enabled '1'", "option enabled '0'"), async () => (await answer('status')).guard.state == 'off');
		await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
		await page.waitForFunction(() => /The guard is off/.test(document.querySelector('.fw-notice').innerText));
		assert.equal(await page.locator('[name=block]').count(), 0);
		await open('sources', { state: 'address=203.0.113.66' });
		assert.match(await text('[data-fact=blocked]'), /the guard is off/);
		await configure(before.replace("option enabled '1'", "option enabled '1'\n\toption flood 'much'"), async () => (await answer('status')).guard.why != null);
		await open('overview');
		assert.match(await text('.fw-notice'), /The guard is off[^]*flood/, 'the health line tells why');
		await open('overview', { query: 'lang=ja' });
		assert.match(await text('.fw-notice'), /fwstat:\d+: オプション flood「much」: 指定できる値: .*; ガードは以前の設定のままです/);
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
		const refused = async (name, value, sentence) => {
			const field = page.locator(`[name=${name}]`), good = await field.inputValue();
			await field.fill(value);
			await page.locator('.cbi-button-apply').click();
			await page.waitForSelector('.alert-message.error');
			assert.match(await page.locator('.alert-message.error').innerText(), sentence);
			await page.locator('.alert-message.error').evaluate((node) => node.remove());
			await field.fill(good);
		};
		// What the daemon refuses the form refuses, too.
		for (const [ name, value, sentence ] of [ [ 'commit_interval', 'soon', /A time from 1m to 7d/ ], [ 'commit_interval', '30s', /A time from 1m to 7d/ ], [ 'flood', '0/1m', /A number from 1 to 1000000/ ],
			[ 'block_for', '999d', /A time from 10s to 30d/ ], [ 'evidence', '5000', /A whole number from 0 to 2000/ ], [ 'max_blocks', '99999', /A whole number from 1 to 16384/ ],
			[ 'database', '/tmp/../etc', /A path of letters/ ], [ 'url', 'http://fleet.example.net/', /An address that begins with https/ ], [ 'keep', '1h', /A time from 1d to 60d/ ],
			[ 'most', '1000/1440m', /A number, a slash and a time, such as 6\/1h, in at most 9 characters/ ], [ 'most', '0/1h', /A number, a slash and a time/ ],
			// Addresses that leave the guard off, and a control character.
			[ 'allow', '01.2.3.4', /"01\.2\.3\.4" is no IPv4 or IPv6 address/ ], [ 'allow', '::ffff:192.0.2.1/64', /is no IPv4 or IPv6 address/ ], [ 'hash_key', '\u0085', /At most 128 characters/ ],
			[ 'allow', Array.from({ length: 1025 }, (_, index) => `198.18.${index >> 8}.${index & 255}`).join(' '), /At most 1024 addresses and prefixes/ ] ])
			await refused(name, value, sentence);
		await page.locator('[name=hash_key]').fill('\u{1f511}'.repeat(128));
		await page.locator('[name=commit_interval]').fill('2h');
		await page.locator('.cbi-button-apply').click();
		await page.waitForSelector('.alert-message.info');
		assert.match(fs.readFileSync(path.join(place, 'config/fwstat'), 'utf8'), /option commit_interval '2h'/);
		assert.ok(!(await answer('status')).findings.some((finding) => /option hash_key '/.test(finding.text)), 'the daemon takes 128 characters, too');
		// What is on or off by another word stays so.
		const before = fs.readFileSync(config, 'utf8'), set = (text, section, values) => text.replace(new RegExp(`config ${section} .*`), `$&\n${values.map((one) => `\toption ${one}\n`).join('')}`);
		const plain = before.replace(/\toption (enabled|watch_egress|abuseipdb) .*\n/g, '');
		fs.writeFileSync(config, [ [ 'fwstat', [ "enabled 'yes'", "watch_egress 'off'" ] ], [ 'guard', [ "enabled 'on'" ] ], [ 'notify', [ "abuseipdb 'true'" ] ] ].reduce((text, [ section, values ]) => set(text, section, values), plain));
		await open('settings');
		await page.locator('.cbi-button-apply').click();
		await page.waitForSelector('.alert-message.info');
		const { main, guard, notify } = (await uci('get', { config: 'fwstat' }))[1].values;
		assert.deepEqual([ main.enabled, main.watch_egress, guard.enabled, notify.abuseipdb ], [ '1', '0', '1', '1' ]);
		await configure(before, async () => (await answer('status')).guard.state == 'on');
	},

	async 'statistics are backed up, deleted and restored'() {
		const of2020 = async () => (await answer('days', { from: '2001-01-01', to: '2099-12-31', limit: 1000 })).days.length;
		const before = await of2020(), today = (await answer('summary')).attempts;
		assert.ok(before > 20);
		await ask('block', { address: '203.0.113.128/25', for: 'forever' });
		await open('settings');
		const [ download ] = await Promise.all([ page.waitForEvent('download'), page.locator('[name=backup]').click() ]);
		assert.match(download.suggestedFilename(), /^fwstat-\d{4}-\d\d-\d\d\.tar\.gz$/);
		const backup = fs.readFileSync(await download.path());
		await until(async () => /The backup is/.test(await text('.fw-output')), 'the backup is told');
		await until(() => !fs.existsSync('/tmp/fwstat-backup'), 'the router has no copy');
		// One that cannot be written is none.
		fs.mkdirSync('/tmp/fwstat-backup');
		await page.locator('[name=backup]').click();
		await until(async () => /cannot write \/tmp\/fwstat-backup/.test(await text('.fw-output .fw-wrong')), 'the failure is told');
		fs.rmSync('/tmp/fwstat-backup', { recursive: true, force: true });
		await ask('unblock', { address: '203.0.113.128/25' });
		// Declined, nothing happens.
		const days = (await answer('days', { from: '2001-01-01', to: '2099-12-31', limit: 1000 })).days;
		const first = days[days.length - 10].date;
		await page.locator('[name=forget-before]').fill(first);
		page.once('dialog', (dialog) => dialog.dismiss());
		await page.locator('[name=delete-before]').click();
		assert.equal(await of2020(), before);
		page.once('dialog', (dialog) => { assert.ok(dialog.message().includes(first)); dialog.accept(); });
		await page.locator('[name=delete-before]').click();
		await until(async () => /days are deleted/.test(await text('.fw-output')), 'the deletion is told');
		assert.equal(await of2020(), 10);
		assert.ok((await answer('status')).deleted[0].what.includes(first));
		const choose = (content) => page.evaluate((content) => { window.chosen = content && new Uint8Array(content); }, content && [ ...content ]);
		const restore = async (content, said) => {
			await choose(content);
			page.once('dialog', (dialog) => dialog.accept());
			await page.locator('[name=restore]').click();
			await until(async () => said.test(await text('.fw-output')), String(said));
		};
		await restore(backup.subarray(0, backup.length - 9), /damaged or incomplete. Nothing was changed/);
		await restore(Buffer.from('no backup'), /not a backup of fwstat/);
		assert.equal(await of2020(), 10);
		await restore(backup, /days from .* are restored\. 1 block of a network or country is restored\./);
		await until(() => inKernel('203.0.113.128'), 'the blocked network is in the kernel\'s set again');
		await ask('unblock', { address: '203.0.113.128/25' });
		await until(async () => await of2020() == before, 'all days are back');
		assert.ok((await answer('summary')).attempts >= today, 'today\'s counts stay');
		for (const said of [ /^The log is imported\.$/, /^Nothing was added\.\s+This log was imported before/ ]) {
			await choose(Buffer.from('2020-03-02T08:00:00+09:00 router kernel: ' + packet('reject wan in: ', '203.0.113.81', 23, 1) + '\n'));
			page.once('dialog', (dialog) => dialog.accept());
			await page.locator('[name=import]').click();
			await until(async () => said.test((await text('.fw-output')).trim()), String(said));
		}
		await page.locator('[name=forget-source]').fill('nonsense');
		page.once('dialog', (dialog) => dialog.accept());
		await page.locator('[name=delete-source]').click();
		await until(async () => /"nonsense" is no IPv4 or IPv6/.test(await text('.fw-output')), 'what is wrong is told');
		// Whoever may write can run these commands as they are, and add no option to them.
		const exec = async (...params) => (await (await fetch(base + '/ubus', { method: 'POST', body: JSON.stringify(
			{ jsonrpc: '2.0', id: 1, method: 'call', params: [ 'writer', 'file', 'exec', { command: '/usr/bin/fwstat', params: params } ] }) })).json()).result;
		const elsewhere = path.join(place, 'elsewhere');
		for (const params of [
			[ 'forget', '--json', '--source', '203.0.113.66' ], [ 'forget', '--json', '--source', '203.0.113.66', '--db', elsewhere ],
			[ 'forget', '--json', '--before', '2000-01-01', '--db', elsewhere ], [ 'forget', '--json', '--before', '2000--a-bc' ],
			[ 'backup', '-', '--db', elsewhere ], [ 'backup', elsewhere ], [ 'backup', '-' ], [ 'backup', '--json', elsewhere ], [ 'backup', '--json', '/tmp/fwstat-backup', '--db', elsewhere ],
			 [ 'import', '/tmp/fwstat-upload', '--db', elsewhere ],
			[ 'import', '/tmp/fwstat-upload', '/etc/shadow' ], [ 'restore', '--json', '/tmp/fwstat-upload', '--db', elsewhere ],
			[ 'block', '203.0.113.66' ], [ 'daemon' ], []
		]) assert.deepEqual(await exec(...params), [ 6 ], params.join(' '));
		for (const params of [ [ '203.0.113.66', '--db', elsewhere ], [ '--db', elsewhere ], [ '203.0.113.66 --db ' + elsewhere ] ]) {
			const [ status, ran ] = await exec('forget', '--json', '--', ...params);
			assert.deepEqual([ status, ran.code, ran.stdout ], [ 0, 2, '' ], params.join(' '));
		}
		assert.ok(!fs.existsSync(elsewhere));
		await open('settings', { query: 'lang=ja' });
		await page.getByText('削除したもの').click();
		assert.match(await page.locator('.fw-body').innerText(), /より前すべて \(所有者の指示\)/);
		for (const width of [ 1280, 360 ]) {
			await open('settings', { width });
			assert.deepEqual(await page.evaluate(outside), [], `${width} px`);
			await page.screenshot({ path: path.join(pictures, `settings-${width}.png`), fullPage: true });
		}
		// Who may only read has no button, and no right.
		await open('settings', { query: 'user=reader' });
		assert.equal(await page.locator('[name=backup], [name=delete-source]').count(), 0);
		const refused = await fetch(base + '/cgi-bin/cgi-download', { method: 'POST', body: JSON.stringify({ sessionid: 'reader', path: '/tmp/fwstat-backup' }) + '\n' });
		assert.equal(refused.status, 403);
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
