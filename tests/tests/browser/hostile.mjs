// People who call themselves what would get the better of a page: in everything that a platform supplies, in addresses, and by configuration.
import { writeFileSync } from 'node:fs';
import { ELEMENTS, PAYLOADS } from './payloads.mjs';
import { Watched, assert, play, told, until } from './watch.mjs';

const { host, emulator, admin, overlay, password } = told;
const PEOPLE = ['mira', 'jonas', 'nova', 'linnea', 'noor'];
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'";

/** As many of these do something in a page that takes them as they are. With fewer, nothing that follows would show anything. */
const LIVE = 50;

/** So many texts at a time. */
function groups(texts, size) {
  return Array.from({ length: Math.ceil(texts.length / size) }, (_, at) => texts.slice(at * size, (at + 1) * size));
}

/** Longer ones are no part of an address. */
const SHORT = PAYLOADS.filter((text) => text.length < 700);

/** What is shown as it is written, if it is shown. */
const isPlain = (text) => /^[!-~]+( [!-~]+)*$/.test(text) && text.length < 200;

async function order(path, body) {
  const headers = { authorization: `Bearer ${admin}`, 'content-type': 'application/json' };
  const answer = await fetch(`${emulator}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  assert(answer.ok, `${path}: ${answer.status} ${await answer.text()}`);
}

/** Nothing ran, nothing was asked for elsewhere, and the page fits. */
async function assertHarmless(watched, where) {
  assert(!(await watched.page.evaluate(() => top.__ran)), `a script ran: ${where}`);
  watched.assertWell(where);
  await watched.assertFits(where);
}

/** Opens pages that write each payload as it is, and gives how many of them did something. */
async function harm(browser, headers, payloads) {
  const watched = await Watched.open(browser, { origins: [host] });
  let body = '';
  await watched.context.route(`${host}/raw`, (route) => route.fulfill({ contentType: 'text/html', headers, body }));
  let ran = 0;
  let told = 0;
  for (const payload of payloads) {
    body = `<!doctype html><title>x</title><p>${payload}</p>`;
    watched.problems = [];
    // It may lead the browser away.
    await watched.page.goto(`${host}/raw`).catch(() => {});
    if (await watched.page.evaluate(() => top.__ran).catch(() => 0)) ran += 1;
    else if (watched.problems.length > 0) told += 1;
  }
  await watched.context.close();
  return { ran, told };
}

/** The watch sees what there is to see. */
async function provesItself(browser) {
  const open = await harm(browser, {}, ELEMENTS);
  console.log(`of ${ELEMENTS.length} elements, written as they are, ${open.ran} run and ${open.told} do something else`);
  assert(open.ran >= LIVE / 2 && open.ran + open.told >= LIVE, `few of the payloads do anything: ${JSON.stringify(open)}`);
  const held = await harm(browser, { 'content-security-policy': POLICY }, ELEMENTS);
  assert(held.ran === 0, `${held.ran} run in spite of the policy`);
  assert(held.told >= LIVE / 2, `${held.told} breaches of the policy are seen`);
}

/** A card is replaced in place by what the platform says now. */
async function updates(page, at) {
  const article = page.locator('#cards > article').nth(at);
  await article.evaluate((one) => one.setAttribute('data-old', ''));
  await article.getByRole('button', { name: 'Update metrics' }).click();
  await until('the card is replaced', async () => (await page.locator('article[data-old]').count()) === 0);
}

async function supplied(watched) {
  const { page } = watched;
  const texts = groups(PAYLOADS, 3).map((group) => group.join(' '));
  const text = (at) => texts[at % texts.length];
  const isThere = new Set();
  for (let round = 0; round * PEOPLE.length < texts.length; round += 1) {
    const first = round * PEOPLE.length;
    for (const [at, person] of PEOPLE.entries()) {
      const [display_name, username, bio_description] = [0, 37, 71].map((away) => text(first + at + away));
      await order(`/admin/people/${person}`, { display_name, username, bio_description });
    }
    const all = PEOPLE.map((_, at) => text(first + at)).join(' ');
    const extra = (scope, value) => ({ scope: `user.info.${scope}`, value });
    const extra_fields = { link: extra('profile', all), picture: extra('basic', text(first)), number: extra('profile', text(first + 1)) };
    await order('/admin/switches', { extra_fields });

    const where = `round ${round}`;
    await page.goto(`${host}/`);
    for (const at of PEOPLE.keys()) await updates(page, at);
    await assertHarmless(watched, `${where}, cards that were replaced`);
    await page.goto(`${host}/`);
    const links = await page.locator('#cards > article h3 a').evaluateAll((found) => found.map((one) => one.getAttribute('href')));
    assert(links.length === PEOPLE.length, `${links.length} cards`);
    await assertHarmless(watched, `${where}, the connections`);
    for (const path of links) {
      for (const below of ['', '/disconnect']) {
        await page.goto(`${host}${path}${below}`);
        await assertHarmless(watched, `${where}, ${path}${below}`);
        const said = await page.evaluate(() => document.body.textContent);
        PAYLOADS.filter((payload) => isPlain(payload) && said.includes(payload)).forEach((payload) => isThere.add(payload));
      }
    }
    await page.goto(`${emulator}/`);
    await assertHarmless(watched, `${where}, the platform`);
  }
  const lost = PAYLOADS.filter((payload) => isPlain(payload) && !isThere.has(payload));
  assert(lost.length === 0, `never shown: ${lost.join('\n')}`);
}

async function inAddresses(watched) {
  const { page } = watched;
  for (const status of [400, 404]) watched.expect(status);
  for (const group of groups(SHORT, 4)) {
    const text = encodeURIComponent(group.join(' '));
    for (const path of [`/?tenant=${text}&reference=${text}&said=${text}`, `/?state=${text}`, `/connections/${text}`, `/sign-in?next=${text}`]) {
      await page.goto(`${host}${path}`);
      await assertHarmless(watched, path);
    }
  }
}

/** The platform sends the browser back with these words. */
async function calledBack(watched) {
  const { page } = watched;
  for (const group of groups(SHORT, 20)) {
    const text = group.join(' ').slice(0, 4_000);
    await page.goto(`${host}/`);
    await page.getByRole('button', { name: 'Connect', exact: true }).click();
    await page.getByRole('heading', { name: /^Authorize/ }).waitFor();
    const asked = new URL(page.url()).searchParams;
    const declined = { error: 'access_denied', error_description: text, state: asked.get('state') };
    await page.goto(`${asked.get('redirect_uri')}?${new URLSearchParams(declined)}`);
    await watched.sees('You did not allow access');
    await assertHarmless(watched, 'a callback');
    for (const error of [{ error: text }, { error: 'access_denied', error_description: text, error_type: text }]) {
      await page.goto(`${asked.get('redirect_uri')}?${new URLSearchParams(error)}`);
      await assertHarmless(watched, 'a callback that says no flow');
    }
  }
}

/** A text of TOML. */
const toml = (text) => JSON.stringify(text.replace(/[\u{d800}-\u{dfff}]/gu, '')).replaceAll('\u{7f}', '\\u007f');

async function configured(watched) {
  const { page } = watched;
  const isScope = (text) => /^[!#-+\--[\]-~]+$/.test(text);
  const names = PAYLOADS.map((text) => text.replaceAll(' ', '/').replaceAll('"', "'").slice(0, 200)).filter(isScope);
  const scopes = [...new Set(names)].map((name, at) => [name, `1 ${PAYLOADS[at]}`, `2 ${PAYLOADS.at(-at - 1)}`]);
  const rows = scopes.map(([name, product, description]) => `[platforms.tiktok.scopes.${toml(name)}]\nproduct = ${toml(product)}\ndescription = ${toml(description)}\n`);
  const shown = ['user.info.basic', ...scopes.map(([name]) => name)];
  const app = `[platforms.tiktok.apps.default]\nscopes = [${shown.map(toml).join(', ')}]\n`;
  const standing = async () => (await (await fetch(`${host}/readyz`)).json()).configuration;
  const { since } = await standing();
  writeFileSync(overlay, app + rows.join(''));
  await until('the scopes are taken up', async () => {
    const now = await standing();
    assert(now.refused === null, JSON.stringify(now));
    return now.since !== since;
  });
  await page.goto(`${host}/`);
  const [path] = await page.locator('#cards > article h3 a').evaluateAll((found) => found.map((one) => one.getAttribute('href')));
  for (const place of ['/', path, '/settings']) {
    await page.goto(`${host}${place}`);
    await page.locator('details').evaluateAll((found) => found.forEach((one) => one.toggleAttribute('open', true)));
    await assertHarmless(watched, `${place}, with scopes`);
  }
  writeFileSync(overlay, `[platforms.tiktok.apps.default]\nscopes = [${shown.map((name) => toml(`${name}.x`)).join(', ')}]\n`);
  await until('the mistakes are seen', async () => (await standing()).refused !== null);
  await page.goto(`${host}/settings`);
  await watched.sees('could not be taken up');
  await assertHarmless(watched, 'the mistakes');
}

play(async (browser) => {
  assert(PAYLOADS.length >= 300, `${PAYLOADS.length} payloads`);
  await provesItself(browser);
  const watched = await Watched.open(browser, { origins: [host, emulator], width: 390, height: 844 });
  await watched.signIn(host, password);
  await supplied(watched);
  await inAddresses(watched);
  await calledBack(watched);
  await configured(watched);
});
