// Tables that live: a row is known by its key and keeps its place in the document while its texts change.

import { el, fill, setText } from "./dom.js";

// table makes a table of columns {title, num, get(row), link(row), cls(row)}; get returns a text or an element.
export function table(caption, columns, nothing) {
  const body = el("tbody");
  const t = el("table", {}, el("caption", { class: "unseen" }, caption), el("thead", {}, el("tr", {}, columns.map((c) => el("th", { scope: "col", class: c.num && "num" }, c.title)))), body);
  const none = el("p", { class: "empty", hidden: true }, nothing || "Nothing here.");
  const wrap = el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, t);
  let rows = new Map();
  const update = (list, keyOf) => {
    const now = new Map();
    let place = body.firstChild;
    list.forEach((item, i) => {
      const key = keyOf ? keyOf(item) : i;
      let tr = rows.get(key);
      if (!tr || now.has(key)) tr = el("tr", {}, columns.map((c) => el("td", { class: c.num && "num" })));
      now.set(key, tr);
      columns.forEach((c, n) => cell(tr.children[n], c, item));
      if (tr !== place) body.insertBefore(tr, place);
      else place = place.nextSibling;
    });
    for (const tr of [...body.children]) if (![...now.values()].includes(tr)) tr.remove();
    rows = now;
    none.hidden = list.length > 0;
    wrap.hidden = !list.length;
  };
  // show hides columns that say nothing, by their titles.
  const show = (titles) => columns.forEach((c, i) => c.title in titles && t.classList.toggle("no" + i, !titles[c.title]));
  return { show, root: el("div", {}, wrap, none), update, none };
}

function cell(td, c, item) {
  const value = c.get(item), link = c.link && c.link(item);
  if (c.cls) td.className = (c.num ? "num " : "") + (c.cls(item) || "");
  if (value instanceof Node) { fill(td, value); return; }
  if (!link) { setText(td, value == null ? "?" : value); return; }
  const a = td.firstChild instanceof HTMLAnchorElement ? td.firstChild : fill(td, el("a")).firstChild;
  if (a.getAttribute("href") !== link) a.setAttribute("href", link);
  setText(a, value);
}
