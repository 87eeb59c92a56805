// The page in Debian's Chromium, with a daemon behind it that has sixteen months: page.mjs PLACE (as `serve` made it).
// Screenshots of every tab go to tests/screenshots.

import assert from 'node:assert/strict';
import { browser, complaints, page, pictures } from './harness.mjs';
import { tests as figures } from './figures.mjs';
import { tests as use } from './use.mjs';
import { tests as blocks } from './blocks.mjs';

const tests = { ...figures, ...use, ...blocks };

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
