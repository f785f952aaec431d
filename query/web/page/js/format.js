// Figures as people read them. What is not known is "?", never 0.

import { param } from "./url.js";

const units = ["MiB", "GiB", "TiB", "PiB"];

// size shows MiB with three digits.
export function size(mib) {
  if (mib == null) return "?";
  if (mib === 0) return "0";
  let i = 0;
  if (mib > 0 && mib < 1) return digits(mib * 1024) + " KiB";
  while (Math.abs(mib) >= 1000 && i < units.length - 1) { mib /= 1024; i++; }
  return digits(mib) + " " + units[i];
}

// digits shows a number with about three digits.
export function digits(v) {
  if (v == null) return "?";
  const a = Math.abs(v);
  return v.toFixed(a === 0 || a >= 100 ? 0 : a >= 10 ? 1 : 2);
}

export function count(n) { return n == null ? "?" : Math.round(n).toLocaleString("en").replaceAll(",", "\u202f"); }
export function percent(v) { return v == null ? "?" : (v >= 99.95 ? "100" : v.toFixed(v >= 10 ? 1 : 2)) + " %"; }

// known is a share that is never rounded up to all.
export function known(v) { return v == null ? "?" : (v >= 100 ? "100" : (Math.floor(v * 10) / 10).toFixed(1)) + " %"; }

// span shows seconds.
export function span(s) {
  if (s == null) return "?";
  if (s < 0) return "−" + span(-s);
  if (s < 0.9995) return Math.round(s * 1000) + " ms";
  if (s < 60) return s.toFixed(s < 10 ? 2 : 1) + " s";
  const two = (n) => String(n).padStart(2, "0");
  s = Math.round(s);
  if (s < 3600) return Math.floor(s / 60) + "m" + two(s % 60) + "s";
  if (s < 86400) return Math.floor(s / 3600) + "h" + two(Math.floor(s / 60) % 60) + "m";
  return Math.floor(s / 86400) + "d" + two(Math.floor(s / 3600) % 24) + "h";
}

const made = new Map();

function dated(options) {
  const zone = param("tz") === "utc" ? "UTC" : undefined;
  const name = JSON.stringify([zone, options]);
  if (!made.has(name)) made.set(name, new Intl.DateTimeFormat("en-GB", { hourCycle: "h23", timeZone: zone, ...options }));
  return made.get(name);
}

const clock = { hour: "2-digit", minute: "2-digit", second: "2-digit" };

// time shows a moment, with its day.
export function time(t) {
  return t == null ? "?" : dated({ day: "2-digit", month: "short", ...clock }).format(t * 1000).replace(",", "");
}

// moment shows the time of day, to the millisecond.
export function moment(t) { return t == null ? "?" : dated({ ...clock, fractionalSecondDigits: 3 }).format(t * 1000); }

// tick shows a moment on an axis whose ticks are so many seconds apart.
export function tick(t, step) {
  if (step >= 86400) return dated({ day: "2-digit", month: "short" }).format(t * 1000);
  if (step >= 60) return dated({ hour: "2-digit", minute: "2-digit" }).format(t * 1000);
  return dated(clock).format(t * 1000) + (step < 1 ? "." + String(Math.round((t % 1) * 10)) : "");
}

// zone names the zone that times are shown in.
export function zone() {
  if (param("tz") === "utc") return "UTC";
  const part = dated({ hour: "2-digit", timeZoneName: "shortOffset" }).formatToParts(Date.now()).find((p) => p.type === "timeZoneName");
  return part ? part.value.replace("GMT", "UTC") : "";
}

// offset is how many seconds the zone is ahead of UTC at a moment.
export function offset(t) { return param("tz") === "utc" ? 0 : -60 * new Date(t * 1000).getTimezoneOffset(); }

// signal names what ended a process.
const signals = { 1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 9: "SIGKILL", 11: "SIGSEGV", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM", 24: "SIGXCPU", 31: "SIGSYS" };
export function signal(n) { return signals[n] || "signal " + n; }

// program is the short name of a command line.
export function program(command) {
  const first = (command || "").trim().split(" ", 1)[0];
  return first.slice(first.lastIndexOf("/") + 1) || command || "?";
}
