// One admin and one member at the pages, from an installation that nobody has set up to one that is left again.
import { readFileSync, writeFileSync } from 'node:fs';
import { Person } from './person.mjs';
import { Watched, assert, play, told, until } from './watch.mjs';

const { host, emulator, tokenFile, overlay, before, after, mistake, followers, ways } = told;
const PASSWORD = 'a kayak on a cold lake';
const CHOSEN = 'a kettle on a warm stove';
const OF_THE_MEMBER = 'two herons and an otter';
const STATS = "input[name=scope][value='user.info.stats']";

/** Where the configuration stands by the host's own word. */
async function configuration() {
  return (await (await fetch(`${host}/readyz`)).json()).configuration;
}

/** Writes the file that lies over the configuration, and waits until the running host has seen it. */
async function configure(text, isSeen) {
  const { since } = await configuration();
  writeFileSync(overlay, text);
  await until('the changed file is seen', async () => isSeen(await configuration(), since));
}

play(async (browser) => {
  const watched = await Watched.open(browser, { origins: [host, emulator], ...ways });
  const { page } = watched;
  const person = new Person(watched, ways.keyboard);
  const button = (name) => page.getByRole('button', { name, exact: true });
  const link = (name) => page.getByRole('link', { name, exact: true });
  const field = (name) => page.getByLabel(name, { exact: true });
  const heading = (name) => page.getByRole('heading', { name, level: 1 }).waitFor();

  async function signIn(name, password) {
    await heading('Sign in');
    await person.writes(field('Name'), name);
    await person.writes(field('Password'), password);
    await person.presses(button('Sign in'));
  }

  /** At the platform's page: whom, and what is not allowed. */
  async function consents(unticked) {
    await heading(/^Authorize/);
    await person.chooses(page.locator('input[name=person][value=mira]'));
    if (unticked) await person.unticks(page.locator(unticked));
    await watched.look('the consent page');
    await person.presses(button('Authorize'));
    await watched.sees('Connected.');
  }

  /** Does what leads to the platform, and gives the scopes that are asked for there. */
  async function asked(act) {
    const isAuthorize = (request) => request.url().startsWith(`${emulator}/v2/auth/authorize/`);
    const [request] = await Promise.all([page.waitForRequest(isAuthorize), act()]);
    return new URL(request.url()).searchParams.get('scope').split(',');
  }

  /** At a connection's own page all of it comes anew; in the list, where there is a script, its card alone. */
  async function updates({ inPlace = false } = {}) {
    let navigations = 0;
    const count = () => (navigations += 1);
    page.on('framenavigated', count);
    await person.presses(button('Update metrics'));
    await (inPlace ? page.locator('#status', { hasText: 'are up to date' }).waitFor({ state: 'attached' }) : watched.sees('The counts are up to date.'));
    page.off('framenavigated', count);
    assert((navigations === 0) === inPlace, `the browser went on ${navigations} times`);
  }

  async function setsUp() {
    await page.goto(host);
    await heading('Sign in');
    await page.goto(`${host}/set-up`);
    await heading('Make the first admin');
    await watched.look('the set-up page');
    await person.writes(field('Token'), readFileSync(tokenFile, 'utf8').trim());
    await person.writes(field('Name'), 'ada');
    await person.writes(field('Password'), PASSWORD);
    await person.presses(button('Make the admin'));
    await heading('Sign in');
    await watched.look('the sign-in page');
    await signIn('ada', PASSWORD);
    await watched.sees('Nobody is connected yet.');
    await watched.look('the empty page');
  }

  async function connectsInPart() {
    await person.writes(field('Your own id for it'), 'customer-17');
    const scopes = await asked(() => person.presses(button('Connect')));
    assert(before.length === 6 && `${scopes}` === `${before}`, `${scopes} is asked for, and not ${before}`);
    await consents(STATS);
    assert(/^\/connections\/[^/]+$/.test(new URL(page.url()).pathname), 'the browser is at the connection');
    await watched.sees('5 of 6 scopes allowed');
    await watched.look('a connection that is new');
    await updates();
    await watched.sees(/Followers.*: no value, needs user\.info\.stats, not granted/);
    await watched.look('a connection without counts');
  }

  async function allowsTheRest() {
    const scopes = await asked(() => person.presses(button('Re-authenticate')));
    assert(`${scopes}` === `${before}`, `${scopes} is asked for again`);
    await consents();
    await watched.sees('6 of 6 scopes allowed');
    await updates();
    const counts = await page.locator('.counts').innerText();
    assert(counts.includes('Followers') && counts.includes(followers), counts);
    await watched.look('a connection with counts');
  }

  async function reconfigures() {
    await configure(after, ({ since }, was) => since !== was);
    await page.reload();
    await watched.sees('Re-authenticating also asks for:');
    await watched.sees('The score of the account');
    await watched.look('a connection that was not asked for everything');
    await configure(mistake, ({ refused }) => refused !== null);
    await page.reload();
    await watched.sees('The configuration files hold a mistake');
    await watched.look('a page with a mistake');
    await person.presses(link('See what is wrong'));
    await heading('Settings');
    await watched.look('settings with a mistake');
    await configure(after, ({ refused }) => refused === null);
    await page.reload();
    await heading('Settings');
    await page.getByText('hold a mistake').waitFor({ state: 'detached' });
    await watched.look('settings');
  }

  async function takesTheRest() {
    await person.presses(link('Connections'));
    await watched.sees('Re-authenticating also asks for:');
    if (ways.scripts) {
      await updates({ inPlace: true });
      assert(await button('Update metrics').evaluate((one) => one === document.activeElement), 'the focus stays at the button');
      await watched.look('a card that was replaced');
    }
    await watched.look('the connections');
    const scopes = await asked(() => person.presses(button('Re-authenticate')));
    assert(scopes.includes('user.info.score') && scopes.length === 7, `${scopes} is asked for after the change`);
    await consents();
    await updates();
    await watched.sees('4 711');
    await watched.sees('custom.tiktok.score');
    await watched.look('a connection with a count of its own');
  }

  async function disconnects() {
    await person.presses(link('Disconnect'));
    await heading(/^Disconnect .*\?$/);
    await watched.look('what is asked before a disconnect');
    await person.presses(link('Keep it'));
    await link('Disconnect').waitFor();
    await person.presses(link('Disconnect'));
    await heading(/^Disconnect .*\?$/);
    await person.presses(button('Disconnect'));
    await watched.sees('Disconnected, and the platform has taken the access back.');
    await watched.look('a connection that is over');
  }

  async function admits() {
    await person.presses(link('Users'));
    await heading('Users');
    await person.writes(field('Name'), 'sam');
    await person.writes(field('Tenant of a member'), 'shop');
    await person.writes(field('Password, of at least 12 characters'), OF_THE_MEMBER);
    await person.presses(button('Add'));
    await watched.sees('Added. They can sign in with the name and password that you chose.');
    await watched.look('the users');
    await person.presses(page.getByText('Change', { exact: true }));
    await person.presses(link('Disable sam'));
    await heading('Disable sam?');
    await watched.look('a user who may be disabled');
    await person.presses(link('Keep sam'));
    await person.presses(link('ada'));
    await heading('Your account');
    await watched.look('the account');
    await person.writes(field('Current password'), PASSWORD);
    await person.writes(field(/^New password/), CHOSEN);
    await person.presses(button('Change the password'));
    await watched.sees('Your password is changed, and you are signed in nowhere else.');
    await watched.look('an account with a new password');
  }

  async function leaves() {
    await person.presses(button('Sign out'));
    await heading('Sign in');
    watched.expect(422);
    await signIn('ada', PASSWORD);
    await page.getByRole('alert').waitFor();
    await watched.look('a wrong password');
  }

  /** What is of another tenant is not there for a member. */
  async function seesLess(connection) {
    await page.goto(connection);
    await signIn('sam', OF_THE_MEMBER);
    watched.expect(404);
    await heading('There is no such page');
    for (const place of ['/settings', '/users', `${new URL(connection).pathname}/disconnect`]) {
      await page.goto(`${host}${place}`);
      await heading('There is no such page');
    }
    await watched.look('a page that is not there');
    await page.goto(`${host}/?tenant=default`);
    await watched.sees('Nobody is connected yet.');
    assert((await page.getByText('Mira').count()) === 0, 'a member sees another tenant');
    assert((await page.getByLabel('Tenant').count()) === 0, 'a member chooses a tenant');
    await watched.look('the page of a member');
  }

  await setsUp();
  await connectsInPart();
  const connection = page.url().split('?')[0];
  await allowsTheRest();
  assert(page.url().split('?')[0] === connection, 'it is another connection');
  await reconfigures();
  await takesTheRest();
  assert(page.url().split('?')[0] === connection, 'it is another connection');
  await disconnects();
  await admits();
  await leaves();
  await seesLess(connection);
});
