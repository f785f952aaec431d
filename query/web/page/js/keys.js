// Keys. One table dispatches them and is the help.

import { el, fill } from "./dom.js";

const mostHeld = 20; // keys that wait for a view

let global = [], local = [], prefix = "", held = null;

// setGlobal and setLocal give keys to all views, and to the view that is shown: lists of [key, what it does, function].
export function setGlobal(list) { global = list; }
export function setLocal(list) {
  local = list;
  const waited = held || [];
  held = null;
  for (const name of waited) press(name);
}

// hold keeps keys until a view is there: one that is pressed while the page still asks is not lost.
export function hold() {
  local = [];
  held ||= [];
}

export function start() {
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented) return;
    const field = e.target.closest && e.target.closest("input, select, textarea");
    if (field && e.key !== "Escape") return;
    if (e.key === "Enter" && e.target.closest && e.target.closest("a, button, summary")) return;
    const name = (e.shiftKey && e.key.startsWith("Arrow") ? "Shift+" : "") + e.key;
    if (held) { if (held.length < mostHeld) held.push(name); }
    else if (press(name)) e.preventDefault();
  });
}

// press does what a key is for.
function press(key) {
  const name = prefix + key;
  prefix = "";
  if (name === "g") { prefix = "g "; return false; }
  const entry = [...local, ...global].find((k) => k[0] === name);
  if (entry) entry[2]();
  return !!entry;
}

const shown = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", "Shift+ArrowLeft": "Shift+←", "Shift+ArrowRight": "Shift+→" };

// help shows the keys.
export function help() {
  const d = document.getElementById("keys");
  const rows = [...local, ...global].map(([k, what]) => el("tr", {}, el("td", {}, el("kbd", {}, shown[k] || k)), el("td", {}, what)));
  fill(d, el("h2", {}, "Keys"), el("table", {}, el("tbody", {}, rows)), el("button", { type: "button", onclick: () => d.close() }, "Close"));
  d.showModal();
}
