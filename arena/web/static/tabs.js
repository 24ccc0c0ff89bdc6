// Sections as tabs; without a script they stand below one another. The chosen one is in the address.

import { h } from "./dom.js";

/** Make tabs of the sections with `data-tab`; `tab(name)` opens one. */
export function tabs(host) {
  const sections = [...host.querySelectorAll("[data-tab]")];
  const buttons = sections.map((section) => h("button", { type: "button", role: "tab", id: `${section.id}-tab`, "aria-controls": section.id, click: () => open(section, true) }, section.dataset.tab));
  const list = h("div", { class: "tab-list", role: "tablist", "aria-label": "Parts of this page" }, buttons);
  host.prepend(list);
  sections.forEach((section, index) => { section.setAttribute("role", "tabpanel"); section.setAttribute("aria-labelledby", buttons[index].id); });

  function open(section, byHand = false) {
    sections.forEach((other, index) => {
      const chosen = other === section;
      other.hidden = !chosen;
      buttons[index].setAttribute("aria-selected", String(chosen));
      buttons[index].tabIndex = chosen ? 0 : -1;
    });
    if (byHand) history.replaceState(null, "", `${location.pathname}${location.search}#${section.id}`);
  }

  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const at = buttons.indexOf(document.activeElement);
    const next = (at + step + buttons.length) % buttons.length;
    buttons[next].focus();
    open(sections[next], true);
  });
  const follow = () => {
    const target = location.hash.length > 1 ? document.getElementById(location.hash.slice(1)) : null;
    open(sections.find((section) => section === target || section.contains(target)) ?? sections.find((section) => !section.hidden) ?? sections[0]);
    target?.scrollIntoView({ block: "nearest" });
  };
  window.addEventListener("hashchange", follow);
  const first = location.hash.length > 1 ? document.getElementById(location.hash.slice(1)) : null;
  open(sections.find((section) => first && (section === first || section.contains(first))) ?? sections[0]);
  return { tab: (name) => open(sections.find((section) => section.dataset.tab === name)) };
}
