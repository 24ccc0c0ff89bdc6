// A list that grows at its newest end and is read backwards by cursor (trades, orders, logs).

import { get, stopped } from "./api.js";

export class Paged {
  /** `wanted` says which of the known items are shown. */
  constructor({ url, table, older, failed, wanted = () => true }) {
    Object.assign(this, { url, table, button: older, failed, wanted });
    this.items = [];
    this.cursor = null;
    older.addEventListener("click", () => this.older());
  }

  async page(cursor) {
    const more = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    return get(`${this.url}${more}`);
  }

  /** Fetch the newest page and put what is new before what is known. */
  async refresh() {
    await this.guarded(async () => {
      const { items, next_cursor: cursor } = await this.page(null);
      const fresh = new Set(items.map((item) => item.id));
      const known = this.items.filter((item) => !fresh.has(item.id));
      // No overlap means that more happened than one page holds: start over rather than hide a gap.
      const connected = known.length < this.items.length;
      if (!connected || this.items.length === 0) this.cursor = cursor ?? null;
      this.items = connected ? [...items, ...known] : items;
    });
  }

  async older() {
    await this.guarded(async () => {
      const { items, next_cursor: cursor } = await this.page(this.cursor);
      const known = new Set(this.items.map((item) => item.id));
      this.items = [...this.items, ...items.filter((item) => !known.has(item.id))];
      this.cursor = cursor ?? null;
    });
  }

  draw() {
    this.table.update(this.items.filter(this.wanted));
  }

  async guarded(work) {
    this.button.disabled = true;
    try {
      await work();
      this.draw();
    } catch (error) {
      if (!stopped(error)) this.failed(error);
    } finally {
      this.button.disabled = false;
      this.button.hidden = this.cursor === null;
    }
  }
}
