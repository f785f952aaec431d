// Elements. Whatever a machine calls its processes gets into the page here alone, as text.

const longest = 2000; // characters of one text that are shown
const invisible = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

// safe makes a text harmless to read: no control characters, none that turn the direction of writing, and an end.
export function safe(text) {
  let s = String(text);
  if (s.length > longest) s = s.slice(0, longest) + " …";
  return s.replace(invisible, "\u00b7");
}

// el makes an element. Properties that begin with "on" are listeners, "class" and those with a dash are attributes; children are elements or texts.
export function el(tag, props, ...children) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(props || {})) {
    if (v == null || v === false) continue;
    if (k.startsWith("on")) e.addEventListener(k.slice(2), v);
    else if (k === "title") e.title = safe(v);
    else if (k === "class" || k === "role" || k === "for" || k.includes("-") || k === "scope" || k === "tabindex" || k === "colspan") e.setAttribute(k, v === true ? "" : safe(v));
    else e[k] = v;
  }
  put(e, children);
  return e;
}

// put adds children to an element.
export function put(e, children) {
  for (const c of children.flat(Infinity)) {
    if (c == null || c === false) continue;
    e.append(c instanceof Node ? c : document.createTextNode(safe(c)));
  }
}

// fill replaces what an element holds.
export function fill(e, ...children) {
  e.replaceChildren();
  put(e, children);
  return e;
}

// setText changes a text where it differs, and says whether it did.
export function setText(e, text) {
  const s = safe(text), other = e.textContent !== s;
  if (other) e.textContent = s;
  return other;
}

// say tells those who listen instead of looking.
export function say(text) { setText(document.getElementById("said"), text); }

// live tells in the header how new what is shown is.
export function live(text, cls) {
  const e = document.getElementById("live");
  e.className = cls;
  setText(e, text);
}
