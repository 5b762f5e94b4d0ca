// What the views share: making elements, keeping them while their data changes, saying what changed, being seen.
// It stands before a view's own module in one file. Python decides everything that is shown; here it is only drawn.

const SVG = "http://www.w3.org/2000/svg";

/** An element: h("button.lk-card", {onclick, "aria-label": "…"}, "text", child, …). */
function h(what, attributes = {}, ...children) {
  const [tag, ...classes] = what.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  return set(element, attributes, ...children);
}

function set(element, attributes, ...children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element[name] = value;
    else if (value === null || value === undefined || value === false) element.removeAttribute(name);
    else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Small drawings on a grid of 16, drawn with the text's own colour. */
const ICONS = {
  padlock: "M4.5 7V5a3.5 3.5 0 0 1 7 0v2M3 7h10v7H3zM8 9.8v1.8",
  pencil: "M2.5 13.5l.8-3.2 7.4-7.4 2.4 2.4-7.4 7.4zM9.4 4.2l2.4 2.4",
  eye: "M1.5 8S4 3.7 8 3.7 14.5 8 14.5 8 12 12.3 8 12.3 1.5 8 1.5 8zM8 6.2a1.8 1.8 0 1 0 0 3.6 1.8 1.8 0 0 0 0-3.6z",
  host: "M2 3h12v8H2zM5.5 13.5h5M8 11v2.5",
  box: "M2 5l6-3 6 3v6l-6 3-6-3zM2 5l6 3 6-3M8 8v6",
};

function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "lk-icon");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** An element of a drawing in SVG. */
function shape(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/**
 * Make `parent`'s children those of `items`, in order: an element lives as long as its key does, so it keeps the
 * focus and its place. New ones come in, old ones go out, with a short animation, except at the first drawing.
 */
function keyed(parent, items, keyOf, make, update) {
  const first = !parent.dataset.drawn;
  parent.dataset.drawn = "yes";
  const present = new Map();
  for (const child of parent.children) if (!child.dataset.leaving) present.set(child.dataset.key, child);
  let place = null;
  for (const item of items) {
    const key = String(keyOf(item));
    let element = present.get(key);
    const fresh = !element;
    if (fresh) {
      element = make(item);
      element.dataset.key = key;
    }
    present.delete(key);
    update(element, item);
    const next = place ? place.nextSibling : parent.firstChild;
    if (next !== element) parent.insertBefore(element, next);
    if (fresh && !first) animate(element, "lk-arrives");
    place = element;
  }
  for (const element of present.values()) leave(element, first);
}

/** Mark an element for as long as its animation lasts. */
function animate(element, name) {
  element.classList.remove(name);
  void element.offsetWidth; // the browser must see it without the class, or it starts no second animation
  element.classList.add(name);
  element.addEventListener("animationend", (event) => event.target === element && element.classList.remove(name));
}

function leave(element, atOnce) {
  if (atOnce || calm()) return element.remove();
  element.dataset.leaving = "yes";
  element.setAttribute("aria-hidden", "true");
  element.classList.add("lk-leaves");
  setTimeout(() => element.remove(), 600);
}

/** A size as Docker prints it: decimal units, three digits. */
function bytes(size) {
  if (size === null || size === undefined) return "size unknown";
  let unit = 0;
  while (size >= 1000 && unit < 3) (size /= 1000), (unit += 1);
  return `${Number(size.toPrecision(3))} ${["B", "kB", "MB", "GB"][unit]}`;
}

const several = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

/** The frame of a view: title, legend, drawing, details, the commands that it stands for, and a voice. */
function frame(el, { title, name }) {
  const parts = {
    title: h("h3.lk-title", {}, title),
    tools: h("div.lk-tools"),
    notice: h("p.lk-notice", { role: "alert", hidden: "" }),
    drawing: h("div.lk-drawing"),
    details: h("section.lk-details", { "aria-label": "Details", hidden: "" }),
    legend: h("div.lk-legend", { "aria-label": "Legend", role: "group" }),
    commands: h("div.lk-commands", { "aria-label": "What this picture asks", role: "group" }),
    voice: h("div.lk-voice", { role: "status", "aria-live": "polite" }),
  };
  // the attribute is JupyterLab's: keys pressed in here are ours, not "next cell" or "edit"
  const root = h("section.lk", { "aria-label": `${title}, a live picture`, "data-lm-suppress-shortcuts": "true" });
  root.classList.add(`lk-view-${name}`);
  root.append(h("header.lk-header", {}, parts.title, parts.tools));
  root.append(parts.notice, parts.drawing, parts.details, parts.legend, parts.commands, parts.voice);
  el.append(root);
  return { root, ...parts };
}

/** The call of the SDK and the docker command for each thing shown; the first in sight, the rest behind a button. */
function commands(place, list) {
  const shown = JSON.stringify(list);
  if (place.dataset.shown === shown) return;
  place.dataset.shown = shown;
  const open = place.querySelector("details")?.open;
  place.replaceChildren();
  if (!list.length) return;
  const row = ({ sdk, docker }) =>
    h("div.lk-command", {}, h("code.lk-docker", {}, docker), h("span", {}, "in Python"), h("code", {}, sdk));
  place.append(row(list[0]));
  if (list.length > 1) {
    const more = h("details", { open: open ? "" : null }, h("summary", {}, `and ${several(list.length - 1, "more call")}`));
    more.append(...list.slice(1).map(row));
    place.append(more);
  }
}

/** Facts of a chosen thing as a list of terms; `null` closes it. */
function details(place, heading, facts) {
  place.hidden = !facts;
  if (!facts) return place.replaceChildren();
  const list = h("dl");
  for (const [term, fact] of facts) {
    if (fact === null || fact === undefined || fact === "") continue;
    list.append(h("div", {}, h("dt", {}, term), h("dd", {}, String(fact))));
  }
  place.replaceChildren(h("h4", {}, heading), list);
}

/** Which path to look for: a word in a field, offered from what has changed. */
function chooser(model, words, label) {
  const field = h("input", {
    type: "text",
    placeholder: "/etc/motd",
    spellcheck: "false",
    autocomplete: "off",
    "aria-label": label,
  });
  field.value = model.get("path") || "";
  const send = () => askPath(model, field.value.trim());
  const clear = h("button.lk-clear", { type: "button", "aria-label": "Forget the path" }, "×");
  clear.onclick = () => ((field.value = ""), send(), field.focus());
  const mark = () => (clear.hidden = !field.value);
  field.oninput = mark;
  field.onchange = send;
  field.onkeydown = (event) => void (event.key === "Enter" && send()); // a handler that returns false undoes the key
  model.on("change:path", () => ((field.value = model.get("path") || ""), mark()));
  mark();
  return h("label.lk-chooser", {}, icon("eye"), h("span", {}, words), field, clear);
}

/** Ask Python about another path; an empty one asks for nothing. */
function askPath(model, path) {
  if (path === undefined) return;
  model.set("path", path);
  model.save_changes();
}

// --- keys, and step by step ---

const ARROWS = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };
const clamp = (number, most) => Math.min(most, Math.max(0, number));

/** Arrow keys move the focus along a list of elements; Escape closes what is chosen. */
function walkAlong(event, list, view, choose, steps = ARROWS) {
  const at = list.indexOf(event.target);
  const step = steps[event.key];
  if (step && at >= 0) list[clamp(at + step, list.length - 1)].focus();
  else if (event.key === "Escape" && view.chosen) choose(view, view.chosen);
  else return;
  event.preventDefault();
}

/**
 * The buttons that go through a drawing step by step. `view.at` is the step that is shown, null for all of them;
 * `play` has the words of the button that goes by itself, and the milliseconds between two steps.
 */
function drawSteps(view, last, says, play) {
  const { at } = view;
  const button = (words, label, onclick, off = false) =>
    h("button.lk-button", {
      type: "button", "aria-label": label, "aria-disabled": off ? "true" : null, onclick: () => off || onclick(),
    }, words);
  const focused = [...view.stepper.children].indexOf(document.activeElement);
  view.stepper.replaceChildren(
    button(view.timer ? "pause" : play.word, view.timer ? play.pause : play.label, () => playSteps(view, last, play.every)),
    button("←", "One step back", () => goTo(view, at === null ? last - 1 : at - 1), at === 0 || (at === null && last === 0)),
    button("→", "One step on", () => goTo(view, at === null ? 0 : at >= last ? null : at + 1)),
    h("span.lk-soft", { role: "status" }, says),
  );
  if (focused >= 0) view.stepper.children[focused]?.focus();
}

function playSteps(view, last, every) {
  if (view.timer) return goTo(view, view.at);
  goTo(view, 0);
  view.timer = setInterval(() => {
    if (view.at === null || view.at >= last) return goTo(view, null);
    view.at += 1;
    view.redraw();
  }, every);
  view.redraw(); // its button now says "pause"
}

/** Show this step, or all with null; what played by itself stops. */
function goTo(view, at) {
  clearInterval(view.timer);
  view.timer = 0;
  view.at = at;
  view.redraw();
}

// --- what Python is told, and tells ---

/** Tell Python when this drawing comes into sight or leaves it: nothing is looked at for nobody. */
function watchSight(model, root) {
  const drawing = Math.random().toString(36).slice(2);
  let onScreen = false;
  let told = null;
  let at = 0;
  const tell = () => {
    const seen = onScreen && document.visibilityState === "visible";
    const stale = seen && Date.now() - at > 300000;
    if (seen === told && !stale) return;
    told = seen;
    at = Date.now();
    model.send({ kind: "sight", drawing, seen });
  };
  const observer = new IntersectionObserver(([entry]) => ((onScreen = entry.isIntersecting), tell()));
  observer.observe(root);
  document.addEventListener("visibilitychange", tell);
  root.addEventListener("pointerenter", tell);
  return () => {
    observer.disconnect();
    document.removeEventListener("visibilitychange", tell);
    onScreen = false;
    if (told) tell();
  };
}

/** Draw now and after every change of the picture; returns what undoes it all. */
function live(model, parts, draw) {
  const redraw = () => {
    const picture = model.get("picture");
    parts.notice.textContent = picture.notice || picture.refused || "";
    parts.notice.hidden = !parts.notice.textContent;
    draw(picture);
    commands(parts.commands, picture.commands || []);
  };
  redraw();
  model.on("change:picture", redraw);
  const unwatch = watchSight(model, parts.root);
  return () => {
    model.off("change:picture", redraw);
    unwatch();
  };
}

