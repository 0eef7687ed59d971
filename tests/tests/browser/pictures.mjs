// The pictures of the README, of the page as it is.
import { join } from 'node:path';
import { Watched, play, told } from './watch.mjs';

const { host, emulator, password, pictures } = told;

play(async (browser) => {
  for (const { name, scheme, width, height } of pictures) {
    const watched = await Watched.open(browser, { origins: [host, emulator], width, height });
    await watched.page.emulateMedia({ colorScheme: scheme });
    await watched.signIn(host, password);
    await watched.page.locator('#cards').scrollIntoViewIfNeeded();
    await watched.page.locator('#connected').evaluate((heading) => heading.scrollIntoView());
    await watched.page.screenshot({ path: join(told.to, name), caret: 'initial' });
    watched.assertWell(name);
    await watched.context.close();
  }
});
