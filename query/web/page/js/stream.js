// The stream: what happens, as the server tells it. It is read by fetch, as an EventSource cannot send the token.

import { headers } from "./api.js";

const longestWait = 15; // seconds before it is tried again

// follow calls on(name, value) for each event from a time on, also over lost connections, and lost(seconds) while there is none. It ends where the server
// has no stream (none is called), and when the function that it returns is called.
export function follow(query, { on, lost, none }) {
  const ended = new AbortController();
  let id = "", wait = 0, heard = Date.now();
  const once = async () => {
    const q = new URLSearchParams(Object.entries(query).filter(([k, v]) => v && !(id && k === "since")));
    const answer = await fetch("/api/v1/stream?" + q, { headers: { ...headers(), ...(id ? { "Last-Event-ID": id } : {}) }, signal: ended.signal, credentials: "omit", redirect: "error" });
    if (answer.status === 404) { none(); return false; }
    if (!answer.ok) throw new Error("status " + answer.status);
    lost(0);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "", event = {};
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return true;
      heard = Date.now();
      wait = 0;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        if (line === "") {
          if (event.data) on(event.event, JSON.parse(event.data));
          if (event.id) id = event.id;
          event = {};
        } else if (!line.startsWith(":")) {
          const at = line.indexOf(": ");
          event[line.slice(0, at)] = line.slice(at + 2);
        }
      }
    }
  };
  const run = async () => {
    while (!ended.signal.aborted) {
      try { if (!await once()) return; } catch { if (ended.signal.aborted) return; }
      lost((Date.now() - heard) / 1000);
      await new Promise((go) => setTimeout(go, 1000 * (wait = Math.min(longestWait, wait + 1))));
    }
  };
  run();
  return () => ended.abort();
}
