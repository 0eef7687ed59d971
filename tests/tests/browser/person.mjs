// What a person does at a page, with a mouse or with the keyboard alone.
import { assert } from './watch.mjs';

/** More places than a page has for the keyboard. */
const PLACES = 200;

export class Person {
  #page;
  #keyboard;

  constructor(watched, keyboard) {
    this.#page = watched.page;
    this.#keyboard = keyboard;
  }

  async presses(element) {
    if (!this.#keyboard) return element.click();
    await this.#reaches(element);
    await this.#page.keyboard.press('Enter');
  }

  async writes(element, text) {
    if (!this.#keyboard) return element.fill(text);
    await this.#reaches(element);
    await this.#page.keyboard.press('Control+a');
    await this.#page.keyboard.type(text);
  }

  async chooses(element) {
    if (!this.#keyboard) return element.check();
    await this.#reaches(element, 'ArrowDown');
    if (!(await element.isChecked())) await this.#page.keyboard.press('Space');
  }

  async unticks(element) {
    if (!this.#keyboard) return element.uncheck();
    await this.#reaches(element);
    await this.#page.keyboard.press('Space');
    assert(!(await element.isChecked()), 'it is still ticked');
  }

  /** Goes on with Tab, or among the choices of a group with an arrow, until an element has the focus, and can be seen to have it. */
  async #reaches(element, among) {
    await element.waitFor();
    for (let place = 0; place < PLACES; place += 1) {
      if (await element.evaluate((one) => one === document.activeElement)) return this.#assertSeen(element);
      const isAmong = among && (await element.evaluate((one) => document.activeElement?.name === one.name));
      await this.#page.keyboard.press(isAmong ? among : 'Tab');
    }
    throw new Error(`the keyboard does not reach ${element}`);
  }

  async #assertSeen(element) {
    const outline = await element.evaluate((one) => {
      const { outlineStyle, outlineWidth } = getComputedStyle(one);
      return { isVisible: one.matches(':focus-visible'), outlineStyle, width: parseFloat(outlineWidth) };
    });
    assert(outline.isVisible && outline.outlineStyle !== 'none' && outline.width >= 1, `nobody sees the focus on ${element}`);
  }
}
