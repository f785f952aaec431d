// Timeline: charts over lanes on one axis. What is selected is what the panels below are of.

import { el, fill, live as tellLive, say, setText } from "../dom.js";
import { change, href, go, param } from "../url.js";
import { panel } from "../panel.js";
import { inWords, topPanel } from "../top.js";
import { eventsPanel } from "../events.js";
import { timesPanel } from "../compare.js";
import { gesture } from "../gesture.js";
import { picture } from "../picture.js";
import { overview } from "../overview.js";
import { liveLine } from "./liveline.js";
import { linkOf } from "../lanes.js";
import { anomaliesPanel, timeOf } from "../anomalies.js";
import { span, time, zone } from "../format.js";

const presets = { "10m": 600, "1h": 3600, "6h": 21600, "24h": 86400, "7d": 604800, "30d": 2592000 };
const widest = 400 * 86400, narrowest = 1;

// range is the window that the address asks for: with a span it ends now and goes on.
function range() {
  const from = Date.parse(param("from")) / 1000, to = Date.parse(param("to")) / 1000;
  if (from < to) return { from, to, live: false };
  const now = Date.now() / 1000, length = presets[param("span")] || Number(param("span")) || 3600;
  return { from: now - length, to: now, live: true };
}

function selected() {
  const [a, b] = param("sel").split("~").map((t) => Date.parse(t) / 1000);
  return a < b ? [a, b] : null;
}

const iso = (t) => new Date(t * 1000).toISOString();

export function timeline(main) {
  let at = range(), sel = selected();
  const title = el("span", { class: "range" }), made = el("span", { class: "sum" }), brief = el("p", { class: "brief", hidden: true });
  const pic = picture((b) => go(linkOf(b)), { choose: (a) => chooseEpisode(a) });
  const tool = (name, text, act) => el("button", { type: "button", "aria-label": text, title: text, onclick: act }, name);
  const main1 = panel("Timeline", "Drag selects, and all below is then of it. A bar is a process, from birth to death; its colour is how busy it was. Hatched: not recorded.",
    tool("‹", "Earlier", () => pan(-0.5)), tool("›", "Later", () => pan(0.5)), tool("−", "Zoom out", () => zoom(2)), tool("+", "Zoom in", () => zoom(0.5)),
    colorPick(pic), Object.keys(presets).map((name) => el("button", { type: "button", "data-span": name, onclick: () => live(name) }, name)));
  const all = overview((from, to, goesOn) => window(from, to, goesOn));
  main1.body.append(el("p", { class: "where" }, title, " ", made), brief, all.root, pic.root);
  const below = () => (sel ? { since: sel[0], until: sel[1] } : { since: at.from, until: at.to });
  const heading = el("h2", { class: "selected" }), clear = el("button", { type: "button", onclick: () => select(null) }, "Clear the selection");
  const inside = el("button", { type: "button", onclick: () => sel && window(sel[0], sel[1]) }, "Zoom to it");
  const top = topPanel("Who used most", "Of the selection, or of all that is shown. CPU counts from the kernel's counters, so short lives count too.", below);
  const events = eventsPanel("Deaths", "Processes of the selection that ended badly.", below);
  const found = anomaliesPanel("Anomalies", "What rules found in the selection. A time opens the episode here, a name what it is about.", () => ({ ...below(), host: param("host") }));
  const differs = timesPanel(below, () => ({ host: param("host") }));
  fill(main, el("h1", { class: "unseen" }, "Timeline"), main1.root, el("div", { class: "selection" }, heading, inside, clear), top.root, events.root, found.root, differs.root);

  const title_ = () => {
    setText(title, `${time(at.from)} – ${time(at.to)} ${zone()} (${span(at.to - at.from)})`);
    setText(heading, sel ? `Selected ${time(sel[0])} – ${time(sel[1])} (${span(sel[1] - sel[0])})` : "All that is shown");
    if (!sel) brief.hidden = true;
    clear.hidden = inside.hidden = differs.root.hidden = !sel;
    for (const b of main1.root.querySelectorAll("[data-span]")) b.setAttribute("aria-pressed", String(at.live && presets[b.dataset.span] === Math.round(at.to - at.from)));
  };
  const draw = () => { all.draw(at); pic.draw(at, sel); title_(); };
  const read = () => main1.load(async (current) => {
    const wanted = at;
    const told = await pic.read(wanted, { host: param("host") });
    if (!current()) return;
    draw();
    setText(made, `· ${told.of}, cells of ${span(told.cell)}` + told.left);
    main1.cover(told.coverage);
    if (await overviewOf(Date.now())) all.draw(at);
  });
  let overviewAt = 0;
  const overviewOf = async (now) => { // it changes little
    if (now - overviewAt < 60000) return false;
    overviewAt = now;
    await all.read(param("host"));
    return true;
  };
  const details = () => Promise.all([top.refresh().then(tellBrief), events.refresh(), found.refresh(), sel && differs.refresh()]);
  // tellBrief says who used most of the selection where the eyes are: the list may be below the window.
  const tellBrief = () => {
    const words = sel ? inWords(top.rows) : "";
    brief.hidden = !words;
    if (!words || !setText(brief, `Most of ${time(sel[0])} – ${time(sel[1])}: ${words}`)) return;
    say(brief.textContent);
  };

  // window shows another range. A gesture that is done is a step of the history, one that goes on is not.
  function window(from, to, replace = false) {
    const half = Math.min(widest, Math.max(narrowest, to - from)) / 2, middle = (from + to) / 2;
    at = half === (to - from) / 2 ? { from, to, live: false } : { from: middle - half, to: middle + half, live: false };
    line.stop();
    change({ from: iso(at.from), to: iso(at.to), span: "" }, { replace, quiet: true });
    draw();
    later(read);
    if (!sel) later(details, 400);
    changed();
  }
  const zoom = (by, around = (at.from + at.to) / 2, replace = false) => window(around - (around - at.from) * by, around + (at.to - around) * by, replace);
  const pan = (by) => window(at.from + by * (at.to - at.from), at.to + by * (at.to - at.from));
  // advance moves a live range on to now, by whole pixels. It says whether it did.
  function advance() {
    const length = at.to - at.from, now = Date.now() / 1000, pixel = length / Math.max(1, pic.frame().width), by = Math.floor((now - at.to) / pixel) * pixel;
    if (by > 0) at = { from: at.from + by, to: at.to + by, live: true };
    return by > 0;
  }
  const line = liveLine(pic, { host: param("host"), at: () => at, advance, draw, read: () => read(), details: () => details(),
    lost: (seconds) => (seconds ? tellLive(`reconnecting, ${Math.round(seconds)} s old`, "") : at.live && tellLive("● live", "on")) });
  const live = (name) => change({ span: name, from: "", to: "" });
  function select(s, replace = false, episode = "") {
    sel = s;
    change({ sel: s ? iso(s[0]) + "~" + iso(s[1]) : "", anomaly: episode }, { replace, quiet: true });
    draw();
    later(details, 250);
    if (s) say(`Selected ${time(s[0])} to ${time(s[1])}, ${span(s[1] - s[0])}`);
  }
  // chooseEpisode selects the time of an episode, and lets go of one that is chosen.
  function chooseEpisode(a) {
    if (param("anomaly") === a.episode_id) select(null);
    else select(timeOf(a), false, a.episode_id);
  }
  function grow(left, right) {
    const step = (at.to - at.from) / 20, middle = (at.from + at.to) / 2, s = sel || [middle, middle];
    const next = [s[0] + left * step, s[1] + right * step];
    if (next[1] > next[0]) select(next, true);
  }
  let changed = () => {};
  const timers = new Map();
  function later(act, wait = 120) {
    clearTimeout(timers.get(act));
    timers.set(act, setTimeout(() => act().catch(() => {}), wait));
  }
  gesture(pic, { at: () => at, zoom, select, shift: (by, replace) => window(at.from + by, at.to + by, replace), preview: (s) => pic.draw(at, s) });
  draw();
  return {
    stop() { line.stop(); for (const t of timers.values()) clearTimeout(t); },
    get every() { return at.live ? () => line.every || Math.max(2, (at.to - at.from) / 600) : null; },
    async refresh() {
      if (at.live) { const length = at.to - at.from, now = Date.now() / 1000; at = { from: now - length, to: now, live: true }; line.start(); }
      await line.reading(Promise.all([read(), details()]));
    },
    hide: () => line.stop(),
    resize: draw,
    keys: [
      ["ArrowLeft", "earlier", () => pan(-0.25)], ["ArrowRight", "later", () => pan(0.25)],
      ["+", "zoom in", () => zoom(0.5, sel ? (sel[0] + sel[1]) / 2 : undefined)], ["-", "zoom out", () => zoom(2)],
      ["0", "zoom to the selection", () => sel && window(sel[0], sel[1])],
      ["Shift+ArrowLeft", "select further to the left", () => grow(-1, 0)], ["Shift+ArrowRight", "select further to the right", () => grow(0, 1)],
      ["Escape", "clear the selection", () => select(null)], [".", "now, and go on", () => live(param("span") || "1h")],
      ["ArrowDown", "next bar", () => pic.lanes.step(1, false)], ["ArrowUp", "bar before", () => pic.lanes.step(-1, false)],
      ["]", "next death", () => pic.lanes.step(1, true)], ["[", "death before", () => pic.lanes.step(-1, true)],
      ["a", "next anomaly: Enter selects its time", () => pic.strip.focus(1)], ["A", "anomaly before", () => pic.strip.focus(-1)],
      ["Enter", "open the bar", () => pic.lanes.focus && pic.lanes.open(pic.lanes.focus)],
      ["c", "colour by CPU, or by memory", () => recolor(pic, param("c") ? "" : "mem")],
      ["p", "pressure: waits for CPU, memory, I/O", () => pic.toggle()],
      ["/", "choose a host", () => document.getElementById("host").focus()],
    ],
  };
}

// colorPick is the choice of what the colours of bars mean.
function colorPick(pic) {
  const s = el("select", { id: "color" }, el("option", { value: "", selected: !param("c") }, "CPU"), el("option", { value: "mem", selected: param("c") === "mem" }, "memory"));
  s.addEventListener("change", () => recolor(pic, s.value));
  return el("label", {}, "colour ", s);
}

function recolor(pic, by) {
  change({ c: by }, { replace: true, quiet: true });
  document.getElementById("color").value = by;
  pic.recolor();
}
