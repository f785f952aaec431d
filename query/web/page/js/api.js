// Questions to the server this page came from. The token stays in this tab.

const key = "proctape.token";

// takeToken takes the token out of the address, where a link brings it, so that it stays in no history.
export function takeToken() {
  const found = /(?:^#|&)token=([^&]+)/.exec(location.hash);
  if (!found) return;
  keepToken(decodeURIComponent(found[1]));
  history.replaceState(null, "", location.pathname + location.search);
}

export function keepToken(token) { sessionStorage.setItem(key, token.trim()); }
export function forgetToken() { sessionStorage.removeItem(key); }
export function hasToken() { return !!sessionStorage.getItem(key); }

// headers are what says who asks.
export const headers = () => ({ Authorization: "Bearer " + (sessionStorage.getItem(key) || "") });

// Problem is what the server says is wrong.
export class Problem extends Error {
  constructor(status, told) {
    super(told.title || "not answered");
    Object.assign(this, { status, detail: told.detail || "", parameter: told.parameter || "", hint: told.hint || "" });
  }
}

// ask asks the API one question. Parameters without a value are left out.
export async function ask(name, params, signal) {
  const q = new URLSearchParams();
  for (const [k, v] of Object.entries(params || {})) if (v != null && v !== "") q.set(k, v);
  let answer;
  try {
    answer = await fetch("/api/v1/" + name + (q.size ? "?" + q : ""), { headers: headers(), signal, credentials: "omit", redirect: "error" });
  } catch (e) {
    if (e.name === "AbortError") throw e;
    throw new Problem(0, { title: "The server does not answer", hint: "Is the recorder, or proctape serve, still running?" });
  }
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Problem(answer.status, told);
  return told;
}

// askIf is ask, and null where the server has no answer to such a question.
export async function askIf(name, params, signal) {
  try {
    return await ask(name, params, signal);
  } catch (e) {
    if (e instanceof Problem && e.status === 404) return null;
    throw e;
  }
}
