// The live time line: starts and ends come from the stream, and of the charts the newest cells alone are asked for. It is drawn once a second at most.

import { follow } from "../stream.js";

const slowest = 60; // seconds after which all is read anew, as what was found and how runs are come from there alone
const besides = 5; // seconds between two questions for the panels below
const mostQueued = 5000; // events that wait to be drawn

// liveLine follows a host. at() is the range that is shown, advance() moves it on to now, draw() draws it; read() reads all of it anew, details() the panels
// below; lost(seconds) is told how long nothing has come. It returns what of a view can be asked: reading(answers) around each read, every, and stop.
export function liveLine(pic, { host, at, advance, draw, read, details, lost }) {
  let end = null, queue = [], stale = false, timer = 0, reading = false, told = 0, asked = 0, there = true, busy = false;
  const start = () => {
    if (end || !there) return;
    end = follow({ since: String(Date.now() / 1000 - 20), kinds: "event,gap", host }, {
      on(name, value) {
        if (name === "event" && queue.length < mostQueued) queue.push(value);
        else stale = true; // a gap, what was missed, or more at once than had better be appended
      },
      lost, none() { there = false; },
    });
    timer = setTimeout(tick, 1000);
  };
  const stop = () => {
    if (end) end();
    clearTimeout(timer);
    end = null;
    queue = [];
  };
  async function tick() {
    clearTimeout(timer);
    if (!reading && !busy && end) {
      busy = true;
      try { await append(); } catch { stale = true; } finally { busy = false; }
    }
    if (end) timer = setTimeout(tick, 1000);
  }
  async function append() {
    const events = queue, since = (before) => (Date.now() - before) / 1000, moved = advance(), asks = since(asked) > Math.max(2, pic.cell());
    queue = [];
    if (asks) asked = Date.now();
    stale = await pic.append(at(), events, asks) || stale;
    if (!end || reading) return;
    if (events.length || asks || moved) draw();
    if (since(told) < besides) return;
    told = Date.now();
    if (stale) { stale = false; await read(); }
    await details();
  }
  return {
    start, stop,
    async reading(answers) { reading = true; try { await answers; } finally { reading = false; } },
    get every() { return there && end ? slowest : 0; },
  };
}
