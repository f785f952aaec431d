// The address is the state: whoever opens it sees the same.

const views = { "/": "now", "/timeline": "timeline", "/jobs": "jobs", "/job": "job", "/process": "process", "/health": "health" };
const carried = ["host", "tz"]; // from one view to the next

let onChange = () => {};

// here is the view and its parameters.
export function here() {
  return { view: views[location.pathname] || "now", p: new URLSearchParams(location.search) };
}

// param is a parameter of the address, "" where it has none.
export function param(name) { return new URLSearchParams(location.search).get(name) || ""; }

// href is the address of a view. Parameters that all views share are kept.
export function href(path, params) {
  const q = new URLSearchParams();
  for (const k of carried) if (param(k)) q.set(k, param(k));
  set(q, params);
  return path + (q.size ? "?" + q : "");
}

function set(q, params) {
  for (const [k, v] of Object.entries(params || {})) {
    if (v == null || v === "") q.delete(k);
    else q.set(k, v);
  }
}

// change changes parameters of this view. What is still going on replaces the address, a finished gesture is one step back. A quiet change does not
// build the view anew: it has shown it already.
export function change(params, { replace = false, quiet = false } = {}) {
  const q = new URLSearchParams(location.search);
  set(q, params);
  const url = location.pathname + (q.size ? "?" + q : "");
  if (url === location.pathname + location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", url);
  if (!quiet) onChange();
}

// go opens an address of this page.
export function go(url) {
  history.pushState(null, "", url);
  onChange();
}

// start calls a function whenever the address changes.
export function start(changed) {
  onChange = changed;
  addEventListener("popstate", () => onChange());
  document.addEventListener("click", (e) => {
    const a = e.target.closest && e.target.closest("a[href^='/']");
    if (!a || e.button || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey || a.target) return;
    e.preventDefault();
    go(a.getAttribute("href"));
  });
}
