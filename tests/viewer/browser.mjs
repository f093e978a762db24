// One Chromium for all studies: a request a line on stdin (JSON), an answer a line on stdout.
// usage: node browser.mjs TOOLS CHROMIUM PROFILE      TOOLS/node_modules holds playwright-core
// request  {url, out, steps: [{name, thumb | click, until}]}   `until`: words that must stand on the page before it is seen
// answer   {texts, clipped, shots, failed, outside, log}
//   texts    the page's words after each step; a label on the image is among them
//   clipped  lines of such a label that the viewport's edge cuts off: they are in texts, and nobody can read them
//   shots    PNGs, one a step
//   failed   requests that did not succeed; outside: attempts to leave this machine
//   log      what the page threw or wrote to the console, and steps that could not be done
import { createRequire } from 'node:module';
import path from 'node:path';
import readline from 'node:readline';

const [tools, executablePath, profile] = process.argv.slice(2);
const { chromium } = createRequire(path.join(path.resolve(tools), 'package.json'))('playwright-core');
const context = await chromium.launchPersistentContext(profile, {
  executablePath, headless: true, viewport: { width: 1500, height: 950 },
  args: ['--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--use-gl=angle', '--use-angle=swiftshader',
    '--enable-unsafe-swiftshader', '--ignore-gpu-blocklist'],   // WebGL without a GPU
});
// OHIF greets a new profile with a guided tour that covers the page
await context.addInitScript(() => localStorage.setItem('shownTours', JSON.stringify(['basicViewerTour'])));
const PATIENCE_MS = 25000, QUIET_MS = 500, EVERY_MS = 150;
const pause = ms => new Promise(done => setTimeout(done, ms));

function watched(page) {
  const seen = { failed: [], outside: [], log: [], busy: 0, last: Date.now() };
  const end = () => { seen.busy -= 1; seen.last = Date.now(); };
  page.on('console', m => seen.log.push(`${m.type()}: ${m.text()}`.slice(0, 600)));
  page.on('pageerror', e => seen.log.push(`PAGEERROR: ${e.message}`.slice(0, 600)));
  page.on('request', () => { seen.busy += 1; });
  page.on('requestfinished', end);
  page.on('requestfailed', r => { end(); seen.failed.push(`${r.url().slice(0, 160)} ${r.failure()?.errorText}`); });
  page.on('response', r => { if (r.status() >= 400) seen.failed.push(`${r.status()} ${r.url().slice(0, 160)}`); });
  return seen;
}

const words = async page => (await page.locator('body').innerText({ timeout: PATIENCE_MS })).replace(/\s*\n\s*/g, ' | ');

const cut = page => page.evaluate(() => [...document.querySelectorAll('svg text tspan')].filter(t => {
  const a = t.getBoundingClientRect(), b = t.closest('svg').getBoundingClientRect();
  return a.width && (a.left < b.left || a.right > b.right || a.top < b.top || a.bottom > b.bottom);
}).map(t => t.textContent));

// Wait until the words are there, nothing is loaded any more, and two pictures in a row are the same.
async function settled(page, seen, until) {
  const end = Date.now() + PATIENCE_MS;
  let before = null;
  while (Date.now() < end) {
    await pause(EVERY_MS);
    const text = await words(page);
    const loads = seen.busy > 0 || Date.now() - seen.last < QUIET_MS || /Loading/.test(text);
    if (loads || (until && !text.includes(until))) { before = null; continue; }
    const picture = await page.screenshot();
    if (before && picture.equals(before)) return;
    before = picture;
  }
  throw new Error(until ? `not seen, or never at rest: ${until}` : 'never at rest');
}

async function act(page, step) {
  if (step.thumb) {
    const wanted = page.locator('[data-cy^="study-browser-thumbnail"]').filter({ hasText: new RegExp(`S:\\s*${step.thumb}(?!\\d)`) });
    await wanted.first().dblclick({ timeout: 8000 });
  }
  if (step.click) await page.getByText(step.click, { exact: true }).first().click({ timeout: 8000 });
}

async function look({ url, out, steps }) {
  const page = await context.newPage();
  const seen = watched(page), texts = {}, clipped = {}, shots = [];
  await page.route(u => !['127.0.0.1', 'localhost'].includes(u.hostname) && /^(http|ws)s?:$/.test(u.protocol),
    r => { seen.outside.push(r.request().url()); r.abort(); });
  await page.goto(url, { waitUntil: 'domcontentloaded' });
  for (const step of steps) {
    try {
      await act(page, step);
      await settled(page, seen, step.until);
    } catch (e) { seen.log.push(`STEP ${step.name}: ${e.message.split('\n')[0]}`); }
    texts[step.name] = await words(page);
    const lines = await cut(page);
    if (lines.length) clipped[step.name] = lines;
    shots.push(`${out}-${shots.length}-${step.name}.png`);
    await page.screenshot({ path: shots.at(-1) });
  }
  const { failed, outside, log } = seen;
  await page.close();
  return { texts, clipped, shots, failed, outside: [...new Set(outside)], log: [...new Set(log)] };
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await look(JSON.parse(line))));
}
await context.close();
