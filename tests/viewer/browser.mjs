// One Chromium for all studies: a request a line on stdin (JSON), an answer a line on stdout.
// usage: node browser.mjs TOOLS CHROMIUM PROFILE      TOOLS/node_modules holds playwright-core
// request  {url, out, steps: [{name, thumb | click, nth, until, beneath}]}
//   thumb    a Series Number; of several such series the nth; click: words; neither: wait for what the page shows first
//   until    words that must stand in the viewport, or after a click anywhere on the page, before the step is over
// answer   {pages, texts, clipped, overrun, covered, shots, failed, outside, log}
//   pages    the page's words after each step; texts: those within the viewport, a label on the image among them
//   clipped  lines of such a label that the viewport's edge cuts off: they are in texts, and nobody can read them
//   overrun  lines of a text page that run out of the viewport
//   covered  where `beneath` is set, PNG of what the controls for playing a clip hide: OHIF shows them over captures, too
//   shots    PNGs, one a step
//   failed   requests that did not succeed; outside: attempts to leave this machine
//   log      what the page threw or wrote to the console, and steps that could not be done
import { createRequire } from 'node:module';
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';

const [tools, executablePath, profile] = process.argv.slice(2);
const { chromium } = createRequire(path.join(path.resolve(tools), 'package.json'))('playwright-core');
const SIZE = { width: 1500, height: 950 };
const context = await chromium.launchPersistentContext(profile, {
  executablePath, headless: true, viewport: SIZE,
  args: ['--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--use-gl=angle', '--use-angle=swiftshader',
    '--enable-unsafe-swiftshader', '--ignore-gpu-blocklist',   // WebGL without a GPU
    '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',   // nothing else can be reached
    '--disable-gpu-compositing', '--disable-gpu-rasterization'],   // the page around it drawn without an emulated one
});
// OHIF greets a new profile with a guided tour that covers the page
await context.addInitScript(() => localStorage.setItem('shownTours', JSON.stringify(['basicViewerTour'])));
// when the page last changed, or a viewport drew its image (cornerstone's event does not bubble)
await context.addInitScript(() => {
  const changed = () => { window.lastChange = performance.now(); };
  changed();
  new MutationObserver(changed).observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
  document.addEventListener('CORNERSTONE_IMAGE_RENDERED', changed, true);
});
const PATIENCE_MS = 40000, QUIET_MS = 400, EVERY_MS = 100, HAND_MS = 2000;
const pause = ms => new Promise(done => setTimeout(done, ms));

// no request is routed through here: that would switch off the browser's cache, and each study compile OHIF again
const isOutside = url => /^(http|ws)s?:$/.test(new URL(url).protocol) && new URL(url).hostname !== '127.0.0.1';

function watched(page) {
  const seen = { failed: [], outside: [], log: [], busy: 0, last: Date.now() };
  const end = () => { seen.busy -= 1; seen.last = Date.now(); };
  page.on('console', m => seen.log.push(`${m.type()}: ${m.text()}`.slice(0, 600)));
  page.on('pageerror', e => seen.log.push(`PAGEERROR: ${e.message}`.slice(0, 600)));
  page.on('request', r => {
    seen.busy += 1;
    if (isOutside(r.url())) seen.outside.push(r.url());
  });
  page.on('websocket', w => { if (isOutside(w.url())) seen.outside.push(w.url()); });
  page.on('requestfinished', end);
  page.on('requestfailed', r => { end(); seen.failed.push(`${r.url().slice(0, 160)} ${r.failure()?.errorText}`); });
  page.on('response', r => { if (r.status() >= 400) seen.failed.push(`${r.status()} ${r.url().slice(0, 160)}`); });
  return seen;
}

const VIEWPORT = '[data-cy="viewport-grid"]', PLAYER = '[data-cy="cine-player-close"]';

async function words(page, where = 'body') {
  const found = page.locator(where).first();
  if (!await found.count()) return '';
  return (await found.innerText({ timeout: PATIENCE_MS })).replace(/\s*\n\s*/g, ' | ');
}

const clippedLines = page => page.evaluate(() => [...document.querySelectorAll('svg text tspan')].filter(t => {
  const a = t.getBoundingClientRect(), b = t.closest('svg').getBoundingClientRect();
  return a.width && (a.left < b.left || a.right > b.right || a.top < b.top || a.bottom > b.bottom);
}).map(t => t.textContent));

const overrunLines = page => page.evaluate(viewport => {
  const grid = document.querySelector(viewport);
  if (!grid) return [];
  const edge = grid.getBoundingClientRect().right, range = document.createRange();
  return [...grid.querySelectorAll('pre, span')].filter(e => {
    range.selectNodeContents(e);
    return !e.closest('svg') && range.getBoundingClientRect().right > edge + 1;
  }).map(e => e.textContent);
}, VIEWPORT);

// Take a picture of what the player's controls hide; false where there are none.
async function beneathPlayer(page, target) {
  const clip = await page.evaluate(player => {
    let bar = document.querySelector(player);
    while (bar && bar.getBoundingClientRect().width < 100) bar = bar.parentElement;
    if (!bar) return null;
    bar.style.visibility = 'hidden';
    bar.dataset.hidden = '';
    const { x, y, width, height } = bar.getBoundingClientRect();
    return { x, y, width, height };
  }, PLAYER);
  if (!clip) return false;
  await page.screenshot({ path: target, clip });
  await page.evaluate(() => { document.querySelector('[data-hidden]').style.visibility = ''; });
  return true;
}

// What stands in the way of a picture: 'words' are not there, or something is 'loading' or 'moving'; '' where nothing does.
const missing = (page, where, until) => page.evaluate(([place, wanted, quiet]) => {
  const text = document.querySelector(place)?.textContent ?? '';   // cheaper than innerText, which needs a layout
  if (/Loading/.test(text) || [...document.images].some(i => !i.complete)) return 'loading';
  if (performance.now() - window.lastChange < quiet || document.getAnimations().length) return 'moving';
  return text.includes(wanted) ? '' : 'words';
}, [where, until, QUIET_MS]);

// Wait until the words are there and nothing is loaded, changed or drawn any more; return the picture.
async function settled(page, seen, until, where) {
  const end = Date.now() + PATIENCE_MS;
  let hand = Date.now() + HAND_MS;
  seen.last = Date.now();
  while (Date.now() < end) {
    await pause(EVERY_MS);
    if (seen.busy > 0 || Date.now() - seen.last < QUIET_MS) continue;
    const why = await missing(page, where, until);
    if (!why) return await taken(page);
    // OHIF may add a label after the image was drawn, and shows it when it draws the next time: at another window's size
    if (why === 'words' && Date.now() > hand) {
      await page.setViewportSize({ ...SIZE, height: SIZE.height - 2 });
      await pause(QUIET_MS);
      await page.setViewportSize(SIZE);
      hand = Date.now() + HAND_MS;
    }
  }
  seen.log.push(`STEP never at rest, or not seen: ${until} (${await missing(page, where, until)})`);
  return await taken(page);
}

// playwright's own screenshot spends most of its time on making the file small
async function taken(page) {
  const session = await page.context().newCDPSession(page);
  const { data } = await session.send('Page.captureScreenshot', { format: 'png', optimizeForSpeed: true });
  await session.detach();
  return Buffer.from(data, 'base64');
}

async function act(page, step) {
  if (step.thumb) {
    const wanted = page.locator('[data-cy^="study-browser-thumbnail"]').filter({ hasText: new RegExp(`S:\\s*${step.thumb}(?!\\d)`) });
    await wanted.nth(step.nth).dblclick({ timeout: 15000 });
  }
  if (step.click) await page.getByText(step.click, { exact: true }).first().click({ timeout: 15000 });
}

async function look({ url, out, steps }) {
  const page = await context.newPage();
  const seen = watched(page);
  const pages = {}, texts = {}, clipped = {}, overrun = {}, covered = {}, shots = {};
  await page.goto(url, { waitUntil: 'domcontentloaded' });
  for (const step of steps) {
    try { await act(page, step); } catch (e) { seen.log.push(`STEP ${step.name}: ${e.message.split('\n')[0]}`); }
    const picture = await settled(page, seen, step.until, step.thumb ? VIEWPORT : 'body');
    pages[step.name] = await words(page);
    texts[step.name] = await words(page, VIEWPORT);
    const [cut, over] = [await clippedLines(page), await overrunLines(page)];
    if (cut.length) clipped[step.name] = cut;
    if (over.length) overrun[step.name] = over;
    const target = `${out}-${Object.keys(shots).length}-${step.name}`;
    fs.writeFileSync(shots[step.name] = `${target}.png`, picture);
    if (step.beneath && await beneathPlayer(page, `${target}-covered.png`)) covered[step.name] = `${target}-covered.png`;
  }
  const { failed, outside, log } = seen;
  await page.close();
  return { pages, texts, clipped, overrun, covered, shots, failed, outside: [...new Set(outside)], log: [...new Set(log)] };
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await look(JSON.parse(line))));
}
await context.close();
