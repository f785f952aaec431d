// The shell: who is signed in, which view is shown, what all views share.

import { el, fill, live as tellLive, say } from "./dom.js";
import { ask, forgetToken, hasToken, keepToken, takeToken } from "./api.js";
import * as url from "./url.js";
import * as keys from "./keys.js";
import { forgetColors } from "./frame.js";
import { zone } from "./format.js";
import { now } from "./views/now.js";
import { timeline } from "./views/timeline.js";
import { jobs } from "./views/jobs.js";
import { job } from "./views/job.js";
import { process } from "./views/process.js";
import { health } from "./views/health.js";

const views = { now, timeline, jobs, job, process, health };
const main = document.getElementById("content"), host = document.getElementById("host"), tz = document.getElementById("zone");

let shown = null; // {view, stop, refresh, resize, every}
let timer = 0, asking = false, failedSince = 0;

// show builds the view of the address.
function show() {
  clearTimeout(timer);
  if (shown && shown.stop) shown.stop();
  shown = null;
  keys.hold();
  if (!hasToken()) { signIn(""); return; }
  const { view } = url.here();
  for (const a of document.querySelectorAll("nav a")) {
    const path = a.getAttribute("href").split("?")[0];
    a.setAttribute("href", url.href(path));
    if (a.dataset.view === view || (a.dataset.view === "jobs" && view === "job")) a.setAttribute("aria-current", "page");
    else a.removeAttribute("aria-current");
  }
  tz.value = url.param("tz");
  tz.options[0].textContent = url.param("tz") ? "mine" : "mine, " + zone();
  document.title = view[0].toUpperCase() + view.slice(1) + " · proctape";
  main.replaceChildren();
  shown = views[view](main) || {};
  keys.setLocal(shown.keys || []);
  refresh();
}

// refresh asks for what is new, and again after a while as long as the view lives on and is seen.
async function refresh() {
  const of = shown;
  if (!of || !of.refresh || asking) return;
  asking = true;
  try {
    await of.refresh();
    failedSince = 0;
    if (of === shown) tell(of);
  } catch (e) {
    if (e.status === 401) { forgetToken(); signIn("This token is not the server's. It may have been made anew."); }
    else if (e.name !== "AbortError") { failedSince ||= Date.now(); tellLive("reconnecting, " + Math.round((Date.now() - failedSince) / 1000) + " s old", ""); }
  } finally {
    asking = false;
  }
  clearTimeout(timer);
  if (of !== shown) refresh();
  else if (of.every && !document.hidden) timer = setTimeout(refresh, of.every() * 1000);
}

function tell(of) {
  tellLive(of.every ? "● live" : "◀ past", of.every ? "on" : "");
}

// signIn asks for the token.
function signIn(wrong) {
  shown = null;
  keys.setLocal([]);
  tellLive("", "");
  const field = el("input", { id: "token", type: "password", autocomplete: "off", spellcheck: false, "aria-describedby": "why" });
  const form = el("form", { class: "signin", onsubmit: (e) => { e.preventDefault(); keepToken(field.value); signedIn(); } },
    el("h1", {}, "Sign in"),
    wrong && el("p", { class: "wrong", role: "alert" }, wrong),
    el("p", { id: "why" }, "Open the link that proctape serve printed, or paste the token here. It is in creds/http.token of the data folder, and is kept for this tab only."),
    el("label", { for: "token" }, "Token"), field, el("button", { type: "submit" }, "Sign in"));
  fill(main, form);
  field.focus();
}

// signedIn fills what all views share, and shows the view.
async function signedIn() {
  keys.hold();
  try {
    const list = await ask("hosts");
    fill(host, el("option", { value: "" }, "all"), list.items.map((h) => el("option", { value: h.host }, h.host.slice(0, 80))));
    host.value = url.param("host");
    host.parentElement.hidden = list.items.length < 2;
  } catch (e) {
    if (e.status === 401) { forgetToken(); signIn("This token is not the server's."); return; }
    keys.setLocal([]);
    fill(main, el("section", { class: "panel" }, el("h1", {}, e.message), el("p", { class: "wrong" }, e.detail || "", " ", e.hint || ""),
      el("button", { type: "button", onclick: signedIn }, "Retry")));
    return;
  }
  show();
}

takeToken();
url.start(() => { host.value = url.param("host"); show(); });
host.addEventListener("change", () => url.change({ host: host.value }));
tz.addEventListener("change", () => url.change({ tz: tz.value }));
document.getElementById("help").addEventListener("click", keys.help);
keys.setGlobal([
  ["g n", "go to Now", () => url.go(url.href("/"))],
  ["g t", "go to the Timeline", () => url.go(url.href("/timeline"))],
  ["g j", "go to the jobs", () => url.go(url.href("/jobs"))],
  ["g h", "go to Health", () => url.go(url.href("/health"))],
  ["u", "times in UTC, or in your zone", () => { url.change({ tz: url.param("tz") ? "" : "utc" }); say("Times are in " + zone()); }],
  ["?", "this help", keys.help],
]);
keys.start();
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) refresh();
  else if (shown && shown.hide) shown.hide();
});
addEventListener("hashchange", () => { takeToken(); if (hasToken()) signedIn(); });
for (const media of ["(prefers-color-scheme: dark)", "print"]) matchMedia(media).addEventListener("change", () => { forgetColors(); if (shown && shown.resize) shown.resize(); });
const opened = new Set(); // tables that are open for paper alone
matchMedia("print").addEventListener("change", (e) => {
  if (e.matches) for (const t of document.querySelectorAll(".astable:not([open])")) { t.open = true; opened.add(t); }
  else { for (const t of opened) t.open = false; opened.clear(); }
});
let resizing = 0;
addEventListener("resize", () => { cancelAnimationFrame(resizing); resizing = requestAnimationFrame(() => shown && shown.resize && shown.resize()); });
if (hasToken()) signedIn();
else signIn("");
