// What the page's tests share: the browser, the daemon behind the page, and how both are asked.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const { chromium } = createRequire(path.join(process.env.FWSTAT_NODE_MODULES, '..', 'index.js'))('playwright-core');
export const place = process.argv[2], port = fs.readFileSync(path.join(place, 'port'), 'utf8').trim(), base = `http://127.0.0.1:${port}`;
export const pictures = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'screenshots');
fs.mkdirSync(pictures, { recursive: true });

export const TABS = [ 'overview', 'trends', 'ports', 'sources', 'countries', 'blocks', 'live', 'settings' ];
export const POLLED = { overview: 'summary', blocks: 'blocks', live: 'recent' };
export const MOST_BYTES = 20 * 1024;
export const number = (value) => new Intl.NumberFormat('en').format(value);

export async function ask(method, args = {}, session = 'writer') {
	const request = { jsonrpc: '2.0', id: 1, method: 'call', params: [ session, 'fwstat', method, args ] };
	return (await fetch(base + '/ubus', { method: 'POST', body: JSON.stringify(request) })).json();
}
export const answer = async (method, args) => (await ask(method, args)).result[1];
export const log = (lines) => fs.appendFileSync(path.join(place, 'log'), lines.map((line) => line + '\n').join(''));
export const packet = (prefix, source, port, id) => `[1.${id}] ${prefix}IN=wan OUT= MAC=00:00:5e:00:53:04 SRC=${source} DST=192.0.2.1 LEN=44 TOS=0x00 PREC=0x00 TTL=58 ID=${id} PROTO=TCP SPT=40000 DPT=${port} WINDOW=1024 RES=0x00 SYN URGP=0`;

// The daemon's own network.
export const netns = fs.readFileSync(path.join(place, 'netns'), 'utf8').trim();
export const inKernel = (address) => execFileSync('ip', [ 'netns', 'exec', netns, 'nft', 'list', 'table', 'inet', 'fwstat' ], { encoding: 'utf8' }).split(/[\s,{}]+/).some((word) => word.split('/')[0] == address);
export const config = path.join(place, 'config/fwstat');
export const project = path.join(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const program = path.join(process.env.CARGO_TARGET_DIR || path.join(project, 'target'), 'debug/fwstat');

export async function until(done, what) {
	for (const end = Date.now() + 120000; !(await done());) {
		assert.ok(Date.now() < end, `not within 120 s: ${what}`);
		await new Promise((resolve) => setTimeout(resolve, 50));
	}
}

export async function configure(content, done) {
	fs.writeFileSync(config, content);
	process.kill(+fs.readFileSync(path.join(place, 'daemon.pid'), 'utf8'), 'SIGHUP');
	await until(done, 'the options hold');
}

export const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: [ '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync' ] });
export const page = await browser.newPage({ viewport: { width: 1180, height: 900 } });
page.setDefaultTimeout(120000);
export const complaints = [];
page.on('console', (message) => message.type() == 'error' && !/favicon/.test(message.location().url) && complaints.push(`${page.url()}: ${message.text()}`));
page.on('pageerror', (error) => complaints.push(`${page.url()}: ${error.message}`));

export async function open(tab, { query = '', state = '', width = 1180 } = {}) {
	await page.setViewportSize({ width, height: 900 });
	await page.goto('about:blank');
	await page.goto(`${base}/cgi-bin/luci/admin/status/fwstat/${tab}?${query}${state ? '#' + state : ''}`);
	await drawn();
}
export const drawn = () => page.waitForFunction(() => document.querySelector('.fw-body:not([aria-busy])') && !document.querySelector('.fw-body .spinning'));
export const text = (selector) => page.locator(selector).first().innerText();
export const cells = (table, column) => page.locator(`[data-table="${table}"] .fw-col-${column}`).allInnerTexts();
// A column of a chart's figures; the table may be folded.
export const figures = (chart) => page.locator(`[data-chart="${chart}"] tbody td:nth-of-type(1)`).allTextContents();
export const hash = () => Object.fromEntries(new URLSearchParams(new URL(page.url()).hash.slice(1)));

// What can be used and is cut off by the box around it, or by the window.
export const outside = () => [ ...document.querySelectorAll('.fw-page :is(a, button, input, select, summary)') ].filter((node) => node.checkVisibility()).filter((node) => {
	const own = node.getBoundingClientRect();
	for (let box = node.parentElement; box; box = box.parentElement) {
		const { left, width } = box.getBoundingClientRect();
		if (getComputedStyle(box).overflowX != 'visible' && (own.left < left - 1 || own.right > left + width + 1)) return true;
	}
	return own.left < -1 || own.right > window.innerWidth + 1;
}).map((node) => node.outerHTML.slice(0, 120));
