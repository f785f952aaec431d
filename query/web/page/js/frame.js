// One time axis for all that is drawn below one another, and what drawings share.

import { tick, offset } from "./format.js";

// Frame maps time to pixels: from and to in Unix seconds, left and width in CSS pixels.
export class Frame {
  constructor(from, to, left, width) { Object.assign(this, { from, to, left, width }); }
  x(t) { return this.left + (t - this.from) / (this.to - this.from) * this.width; }
  t(x) { return this.from + (x - this.left) / this.width * (this.to - this.from); }
}

// inset is the room for titles on the left; a phone has them inside.
export const inset = (width) => (width < 640 ? 0 : 150);

// frameOf is the frame of an element that shows a range.
export function frameOf(element, from, to) {
  const width = Math.max(40, element.clientWidth), left = inset(width);
  return new Frame(from, to, left, width - left - 8);
}

// prepare sizes a canvas in CSS pixels, and returns its context, cleared.
export function prepare(canvas, width, height) {
  const scale = devicePixelRatio || 1;
  const w = Math.round(width * scale), h = Math.round(height * scale);
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
    canvas.style.width = width + "px";
    canvas.style.height = height + "px";
  }
  const g = canvas.getContext("2d");
  g.setTransform(scale, 0, 0, scale, 0, 0);
  g.clearRect(0, 0, width, height);
  g.font = "12px system-ui, sans-serif";
  g.textBaseline = "middle";
  return g;
}

let colors = null;

// color is a colour of the page's style, by the name of its role.
export function color(role) {
  colors ||= {};
  return colors[role] ||= getComputedStyle(document.documentElement).getPropertyValue("--" + role).trim();
}

export function forgetColors() { colors = null; }

const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400, 172800, 604800, 2592000];

// ticks are the moments that an axis names, in the zone that is shown.
export function ticks(frame) {
  const wish = (frame.to - frame.from) / Math.max(2, frame.width / 90);
  const step = steps.find((s) => s >= wish) || steps.at(-1), shift = step >= 3600 ? offset(frame.from) : 0;
  const list = [];
  for (let t = Math.ceil((frame.from + shift) / step) * step - shift; t < frame.to; t += step) list.push(t);
  return { list, step };
}

// drawAxis draws the names of moments.
export function drawAxis(canvas, frame) {
  const g = prepare(canvas, frame.left + frame.width + 8, 20);
  const { list, step } = ticks(frame);
  g.fillStyle = color("faint");
  g.textAlign = "center";
  for (const t of list) {
    const x = frame.x(t);
    if (x > frame.left + 20 && x < frame.left + frame.width - 20) g.fillText(tick(t, step), x, 10);
  }
}

// grid draws the lines of the moments that the axis names.
export function grid(g, frame, height) {
  g.strokeStyle = color("line");
  g.lineWidth = 1;
  g.beginPath();
  for (const t of ticks(frame).list) {
    const x = Math.round(frame.x(t)) + 0.5;
    if (x >= frame.left) { g.moveTo(x, 0); g.lineTo(x, height); }
  }
  g.stroke();
}

// hatch marks what is not recorded: a veil and slanted lines.
export function hatch(g, frame, holes, height) {
  for (const [from, to] of holes) {
    const x = Math.max(frame.left, frame.x(from)), end = Math.min(frame.left + frame.width, frame.x(to));
    if (end < frame.left || x > frame.left + frame.width) continue;
    const w = Math.max(2, end - x);
    g.save();
    g.beginPath();
    g.rect(x, 0, w, height);
    g.clip();
    g.globalAlpha = 0.7;
    g.fillStyle = color("panel");
    g.fillRect(x, 0, w, height);
    g.globalAlpha = 1;
    g.strokeStyle = color("gap");
    g.beginPath();
    for (let at = Math.floor((x - height) / 8) * 8; at < x + w; at += 8) { g.moveTo(at, height); g.lineTo(at + height, 0); }
    g.stroke();
    g.restore();
  }
}
