// Tables that are updated in place, so that focus, selection and scroll survive live data.

import { h } from "./dom.js";

/**
 * A column: {label, title?, num?, text(item), node?(item), tone?(item), tip?(item), value?(item)}.
 *
 * `text` decides whether a cell has changed; `node` draws it where text is not enough.
 * With `value` the column can be sorted by. All items are sorted, the first `limit` of them are drawn.
 */
export class Table {
  constructor(table, { columns, key, empty, caption, first = -1 }) {
    this.columns = columns;
    this.key = key;
    this.empty = empty;
    this.rows = new Map();
    this.items = [];
    this.sort = null;
    this.limit = Infinity;
    this.sorting = () => {};
    this.body = h("tbody");
    this.heads = columns.map((column, index) => this.head(column, index, first));
    table.replaceChildren(h("caption", { class: "visually-hidden" }, caption), h("thead", null, h("tr", null, this.heads)), this.body);
    this.table = table;
    this.first = first;
  }

  head(column, index) {
    const label = column.hiddenLabel ? h("span", { class: "visually-hidden" }, column.label) : column.value
      ? h("button", { type: "button", class: "sort", title: column.title, click: () => this.sortBy(index) }, column.label)
      : h("span", { title: column.title }, column.label);
    return h("th", { scope: "col", class: [column.num ? "num" : "", column.class ?? ""].join(" ").trim() || null, "data-column": column.label }, label);
  }

  /** First click: the best first; second: the other way; third: the given order again. */
  sortBy(index) {
    const { column, down } = this.sort ?? {};
    this.setSort(index, column !== index, column === index && !down);
    this.sorting();
    this.draw();
  }

  /** Sort by a column without drawing; `none` is the given order. */
  setSort(index, down, none = false) {
    this.sort = none ? null : { column: index, down };
    this.heads.forEach((head, at) => {
      const order = this.sort?.column === at ? (this.sort.down ? "descending" : "ascending") : null;
      if (order) head.setAttribute("aria-sort", order);
      else head.removeAttribute("aria-sort");
    });
  }

  /** The items that are drawn, in their order. */
  shown() {
    return this.sorted().slice(0, this.limit);
  }

  update(items) {
    this.items = items;
    this.draw();
  }

  sorted() {
    if (!this.sort) return this.items;
    const { value } = this.columns[this.sort.column];
    const direction = this.sort.down ? -1 : 1;
    const rank = (one, other) => {
      const a = value(one);
      const b = value(other);
      // Unknown values go last either way.
      if (a === null || a === undefined) return b === null || b === undefined ? 0 : 1;
      if (b === null || b === undefined) return -1;
      return direction * (typeof a === "string" ? a.localeCompare(b) : a - b);
    };
    return [...this.items].sort(rank);
  }

  draw() {
    const focused = document.activeElement;
    const kept = new Map();
    const order = this.shown().map((item) => {
      const id = this.key(item);
      const row = this.rows.get(id) ?? this.newRow(id);
      this.fillRow(row, item);
      kept.set(id, row);
      return row.element;
    });
    for (const [id, row] of this.rows) if (!kept.has(id)) row.element.remove();
    this.rows = kept;
    order.forEach((element, index) => {
      if (this.body.children[index] !== element) this.body.insertBefore(element, this.body.children[index] ?? null);
    });
    // A row that has moved has lost its focus on the way.
    if (focused !== document.activeElement && this.body.contains(focused)) focused.focus({ preventScroll: true });
    this.table.hidden = order.length === 0;
    this.table.parentElement.hidden = order.length === 0;
    if (this.empty) this.empty.hidden = order.length > 0;
  }

  newRow(id) {
    const cells = this.columns.map((column, index) =>
      h(index === this.first ? "th" : "td", { class: [column.num ? "num" : "", column.class ?? ""].join(" ").trim() || null, scope: index === this.first ? "row" : null, "data-label": column.label }));
    return { element: h("tr", { "data-id": id }, cells), cells, shown: [] };
  }

  fillRow(row, item) {
    this.columns.forEach((column, index) => {
      const cell = row.cells[index];
      const text = column.text(item);
      if (row.shown[index] !== text) {
        cell.replaceChildren(column.node ? column.node(item) : text);
        row.shown[index] = text;
      }
      if (column.tone) cell.setAttribute("data-tone", column.tone(item));
      if (column.tip) cell.title = column.tip(item) ?? "";
      for (const [name, value] of Object.entries(column.mark?.(item) ?? {})) cell.setAttribute(name, value);
    });
  }
}
