// A browser under watch: whatever a page does that no page of ours should do is a problem, and problems fail the test.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(join(process.env.NODE_PATH, 'here.js'));
const { chromium } = require('playwright-core');
const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const FLAGS = [
  // Nothing but this machine, and nobody is asked for a name.
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** How long anything that is waited for may take, in milliseconds. */
const PATIENCE = 60_000;

/** How long a whole script may take, in milliseconds. */
const LIFE = 600_000;

/** What the test told. */
export const told = JSON.parse(process.env.TOLD);

/** Runs a story in a browser of its own; anything that goes wrong in it, or that the watch saw, fails it. */
export async function play(story) {
  setTimeout(() => fail(new Error('the whole took too long')), LIFE).unref();
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: FLAGS });
  try {
    await story(browser);
  } catch (error) {
    await browser.close();
    fail(error);
  }
  await browser.close();
}

function fail(error) {
  console.error(error.stack);
  process.exit(1);
}

/** A window of a person, with what they have in it. */
export class Watched {
  problems = [];
  #wire;
  #origins;
  #statuses = [];

  static async open(browser, { origins, width = 900, height = 1100, scripts = true, state, keeps }) {
    const context = await browser.newContext({ viewport: { width, height }, storageState: state });
    context.setDefaultTimeout(PATIENCE);
    const watched = new Watched(context, origins, width, scripts);
    watched.page = await context.newPage();
    watched.#wire = await context.newCDPSession(watched.page);
    watched.#wire.on('Audits.issueAdded', ({ issue }) => watched.#issue(issue));
    await watched.#wire.send('Audits.enable');
    watched.keeps = keeps;
    await watched.#lets(scripts);
    return watched;
  }

  constructor(context, origins, width, scripts) {
    Object.assign(this, { context, width, scripts });
    this.#origins = new Set(origins);
    context.on('request', (request) => this.#request(request.url()));
    context.on('console', (message) => this.#said(message));
    context.on('weberror', (error) => this.problems.push(`an error in a script: ${error.error()}`));
    context.on('dialog', (dialog) => {
      this.problems.push(`a dialog: ${dialog.message()}`);
      dialog.dismiss().catch(() => {});
    });
  }

  /** Lets scripts run from now on, or none. Those of a page that came without are not run later. */
  async #lets(run) {
    await this.#wire.send('Emulation.setScriptExecutionDisabled', { value: !run });
  }

  #request(url) {
    const { origin, protocol } = new URL(url);
    if (!['data:', 'about:', 'blob:'].includes(protocol) && !this.#origins.has(origin)) {
      this.problems.push(`a request to ${url.slice(0, 200)}`);
    }
  }

  #said(message) {
    if (message.type() !== 'error') return;
    const isMeant = this.#statuses.some((status) => message.text().includes(`a status of ${status} `));
    if (!isMeant) this.problems.push(`the console: ${message.text().slice(0, 300)} (${message.location().url})`);
  }

  #issue(issue) {
    if (issue.code !== 'ContentSecurityPolicyIssue') return;
    this.problems.push(`against the policy: ${JSON.stringify(issue.details.contentSecurityPolicyIssueDetails).slice(0, 300)}`);
  }

  /** A page comes with this status, which a browser's console counts as an error. */
  expect(status) {
    const isOther = (problem) => !problem.includes(`a status of ${status} `);
    this.#statuses.push(status);
    this.problems = this.problems.filter(isOther);
  }

  /** Fails with every problem so far. */
  assertWell(where) {
    if (this.problems.length > 0) throw new Error(`${where}:\n${[...new Set(this.problems)].join('\n')}`);
  }

  /** Looks at the page as it stands, in both schemes, with everything unfolded: it fits, and everybody can use it. */
  async look(where) {
    await this.#lets(true);
    await this.assertFits(where);
    const unfolded = await this.page.evaluate(() => {
      const folded = [...document.querySelectorAll('details:not([open])')];
      for (const one of folded) one.toggleAttribute('open', true);
      return folded.length;
    });
    if (unfolded > 0) await this.assertFits(`${where}, unfolded`);
    for (const scheme of ['light', 'dark']) {
      await this.page.emulateMedia({ colorScheme: scheme });
      await this.assertUsable(`${where}, ${scheme}`);
      if (this.keeps) await this.keep(`${this.keeps}-${where.replaceAll(' ', '-')}-${scheme}`);
    }
    await this.page.emulateMedia({ colorScheme: null });
    await this.page.evaluate(() => {
      for (const one of document.querySelectorAll('details')) one.toggleAttribute('open', false);
    });
    await this.#lets(this.scripts);
    this.assertWell(where);
  }

  /** Nothing has to be moved to the side. */
  async assertFits(where) {
    const needed = await this.page.evaluate(() => document.documentElement.scrollWidth);
    if (needed > this.width) {
      const wide = await this.page.evaluate(widest, this.width);
      throw new Error(`${where}: the page needs ${needed} px and has ${this.width}: ${wide.join('; ')}`);
    }
  }

  /** axe finds nothing that keeps people out. */
  async assertUsable(where) {
    await this.page.evaluate(AXE);
    const { violations } = await this.page.evaluate(() => axe.run({ resultTypes: ['violations'] }));
    const grave = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact));
    const told = grave.map(({ id, help, nodes }) => `${id}: ${help}\n${nodes.map((node) => `  ${node.html}\n  ${node.failureSummary}`).join('\n')}`);
    if (told.length > 0) throw new Error(`${where}: ${told.join('\n')}`);
  }

  /** Signs the admin in, where nobody looks on. */
  async signIn(host, password) {
    await this.page.goto(`${host}/sign-in`);
    await this.page.getByLabel('Name', { exact: true }).fill('ada');
    await this.page.getByLabel('Password', { exact: true }).fill(password);
    await this.page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await this.page.getByRole('heading', { name: 'Platform connections', level: 1 }).waitFor();
  }

  /** Waits for a text that can be seen. */
  async sees(text) {
    await this.page.getByText(text).filter({ visible: true }).first().waitFor();
  }

  /** Keeps what a person sees, for whoever wants to look. */
  async keep(name) {
    await this.page.screenshot({ path: join(process.env.KEPT, `browser-${name}.png`), caret: 'initial', fullPage: true });
  }
}

function widest(width) {
  const wide = [...document.querySelectorAll('body *')].filter((one) => one.getBoundingClientRect().right > width + 0.5);
  return wide.slice(-5).map((one) => one.outerHTML.slice(0, 120));
}

/** Waits until a look finds something. */
export async function until(what, look) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`it does not happen: ${what}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

export function assert(holds, what) {
  if (!holds) throw new Error(what);
}
