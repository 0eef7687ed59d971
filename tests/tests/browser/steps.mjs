// What a test tells, step by step, in the window that it left.
import { existsSync } from 'node:fs';
import { Watched, assert, play, told } from './watch.mjs';

const { state, origins, url, steps } = told;

play(async (browser) => {
  const watched = await Watched.open(browser, { origins, state: existsSync(state) ? state : undefined });
  const { page } = watched;
  const acts = {
    clicks: (selector) => page.locator(selector).click(),
    reads: async ([selector, text]) => {
      const element = page.locator(selector).filter({ hasText: text });
      await element.waitFor().catch(async () => assert(false, `no \`${text}\` in: ${await page.locator('body').innerText()}`));
      await watched.look(text);
    },
    finds: (selector) => page.locator(selector).waitFor(),
    keeps: (name) => watched.keep(name),
    plain: () => assert(new URL(page.url()).search === '', 'the code is gone from the address'),
    brings: (status) => watched.expect(status),
  };
  await page.goto(url);
  for (const [act, what] of steps) await acts[act](what);
  watched.assertWell('the steps');
  await watched.context.storageState({ path: state });
});
