// Keys. One table dispatches them and is the help.

import { el, fill } from "./dom.js";

let global = [], local = [], prefix = "";

// setGlobal and setLocal give keys to all views, and to the view that is shown: lists of [key, what it does, function].
export function setGlobal(list) { global = list; }
export function setLocal(list) { local = list; }

export function start() {
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented) return;
    const field = e.target.closest && e.target.closest("input, select, textarea");
    if (field && e.key !== "Escape") return;
    if (e.key === "Enter" && e.target.closest && e.target.closest("a, button, summary")) return;
    const name = prefix + (e.shiftKey && e.key.startsWith("Arrow") ? "Shift+" : "") + e.key;
    prefix = "";
    if (name === "g") { prefix = "g "; return; }
    const entry = [...local, ...global].find((k) => k[0] === name);
    if (!entry) return;
    e.preventDefault();
    entry[2](e);
  });
}

const shown = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", "Shift+ArrowLeft": "Shift+←", "Shift+ArrowRight": "Shift+→" };

// help shows the keys.
export function help() {
  const d = document.getElementById("keys");
  const rows = [...local, ...global].map(([k, what]) => el("tr", {}, el("td", {}, el("kbd", {}, shown[k] || k)), el("td", {}, what)));
  fill(d, el("h2", {}, "Keys"), el("table", {}, el("tbody", {}, rows)), el("button", { type: "button", onclick: () => d.close() }, "Close"));
  d.showModal();
}
