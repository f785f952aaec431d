// Panels: a title, one line that explains it at the first visit, and a content that is loading, there, empty or not to be had.

import { el, fill, setText } from "./dom.js";
import { known, span } from "./format.js";

const hintsKey = "proctape.hints";

function seen() {
  try { return JSON.parse(localStorage.getItem(hintsKey)) || []; } catch { return []; }
}

function hint(title, text) {
  if (!text || seen().includes(title)) return null;
  const p = el("p", { class: "hint" }, text + " ", el("button", { type: "button", "aria-label": "Got it: hide this line of " + title, onclick: () => {
    localStorage.setItem(hintsKey, JSON.stringify([...seen(), title]));
    p.remove();
  } }, "Got it"));
  return p;
}

// panel makes a panel. Its load asks and draws; a picture that is there stays until the new one has come.
export function panel(title, explains, ...tools) {
  const body = el("div", { class: "body" });
  const wrong = el("div", { class: "wrong", role: "alert", hidden: true });
  const cover = el("p", { class: "cover", hidden: true });
  const root = el("section", { class: "panel" }, el("div", { class: "head" }, el("h2", {}, title), el("div", { class: "tools" }, tools)),
    hint(title, explains), wrong, body, cover);
  let running = 0;
  const p = { root, body, async load(asks) {
    const turn = ++running;
    const busy = setTimeout(() => root.setAttribute("aria-busy", "true"), 150);
    try {
      await asks(() => turn === running);
      wrong.hidden = true;
    } catch (e) {
      if (turn !== running || e.name === "AbortError") return;
      if (e.status === 401) throw e;
      fill(wrong, el("strong", {}, e.message), e.parameter ? ` (${e.parameter})` : "", e.detail ? ": " + e.detail : "", e.hint ? " — " + e.hint : "", " ",
        el("button", { type: "button", onclick: () => p.load(asks).catch(() => {}) }, "Retry"));
      wrong.hidden = false;
    } finally {
      clearTimeout(busy);
      if (turn === running) root.removeAttribute("aria-busy");
    }
  }, cover(list) { coverage(cover, list); } };
  return p;
}

// empty is what stands where there is nothing.
export function empty(text, ...more) { return el("p", { class: "empty" }, text, more); }

// coverage tells how much of what is shown is known.
export function coverage(line, list) {
  const lacking = (list || []).filter((c) => !c.complete);
  line.hidden = !lacking.length;
  if (!lacking.length) return;
  const worst = lacking.reduce((a, b) => (b.coverage_percent < a.coverage_percent ? b : a));
  const why = (worst.reasons || []).slice(0, 3).map((r) => r.kind.replaceAll("_", " ") + (r.seconds ? " " + span(r.seconds) : "") + (r.detail ? " (" + r.detail + ")" : "")).join("; ");
  setText(line, `▨ Known ${known(worst.coverage_percent)}` + (lacking.length > 1 ? ` on ${worst.host}, and ${lacking.length - 1} more hosts are incomplete` : "") + (why ? ": " + why : "") + ". Sums are at least what is shown.");
}
