// Fields of the forms that play bots: numbers, and a choice of at most so many boxes.

import { $ } from "./dom.js";

/** A number of a field, null where it is empty; a text that is no number is said. */
export function read(id, label) {
  const text = $(id).value.trim().replace(",", ".");
  if (text === "") return null;
  const value = Number(text);
  if (!Number.isFinite(value)) throw new Error(`${label} is no number: ${text}`);
  return value;
}

/** The values of the boxes that are checked in a fieldset. */
export const checked = (id) => [...$(id).querySelectorAll("input:checked")].map(({ value }) => value);

/** Let at most so many boxes of a fieldset be checked. */
export function boundBoxes(id, most) {
  const bound = () => {
    const full = checked(id).length >= most;
    for (const box of $(id).querySelectorAll("input")) box.disabled = full && !box.checked;
  };
  $(id).addEventListener("change", bound);
  bound();
}
