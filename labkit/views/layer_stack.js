// The layer stack: a tree of image layers, drawn from the ground up, with one read-write layer for each container on
// top. For a chosen path a line of sight falls from each container to the layer that it sees the path in.

const MARK = { added: "+", changed: "~", deleted: "−" };
const WORD = { added: "added", changed: "changed", deleted: "deleted" };
const SHOWN_AT_ONCE = 300; // changed paths drawn for one container; the rest on request

function render({ model, el }) {
  const parts = frame(el, { title: "Layer stack", name: "stack" });
  const view = { model, parts, chosen: null, before: null, whole: new Set() };
  parts.tools.append(chooser(model, "where does it come from?", "A path: which layer does it come from?"));
  parts.legend.append(...legend());
  parts.drawing.append(h("div.lk-scroll", { tabindex: "0", role: "group", "aria-label": "Layers, the lowest at the bottom" }));
  const ground = parts.drawing.firstChild;
  ground.append(h("div.lk-row.lk-ground"));
  const lines = document.createElementNS(SVG, "svg");
  lines.setAttribute("class", "lk-sight");
  lines.setAttribute("aria-hidden", "true");
  ground.firstChild.after(lines);
  view.sight = () => drawSight(ground, lines, model.get("picture"));
  const sizes = new ResizeObserver(view.sight);
  sizes.observe(ground.firstChild);
  parts.root.addEventListener("keydown", (event) => keys(event, view));
  const undo = live(model, parts, (picture) => {
    drawRow(view, ground.firstChild, null, picture);
    showDetails(view, picture);
    parts.voice.textContent = whatChanged(view.before, picture);
    view.before = picture;
    view.sight();
  });
  return () => (undo(), sizes.disconnect());
}

function legend() {
  const item = (mark, text) => h("span.lk-key", {}, mark, text);
  const sign = (kind) => h(`span.lk-sign.lk-${kind}`, { "aria-hidden": "true" }, MARK[kind]);
  return [
    item(icon("pencil"), "read-write, one for each container"),
    item(icon("padlock"), "read-only, shared by all above it"),
    item(sign("added"), "added"),
    item(sign("changed"), "changed"),
    item(sign("deleted"), "deleted"),
  ];
}

// --- the stack: each layer with what stands on it ---

/** What stands on a layer (or on the ground): further image layers and containers, side by side. */
function drawRow(view, row, below, picture) {
  const standing = [
    ...picture.layers.filter((layer) => layer.below === below),
    ...picture.containers.filter((container) => container.below === below),
  ];
  const order = (item) => leftmost(item, picture);
  standing.sort((a, b) => order(a) - order(b));
  keyed(row, standing, (item) => item.key, makeColumn(view), (column, item) => drawColumn(view, column, item, picture));
  row.hidden = !standing.length;
}

/** The place of a container in the order in which Python gave them, or of the first that stands on this layer. */
function leftmost(item, picture) {
  const own = picture.containers.indexOf(item);
  if (own >= 0) return own;
  const above = [...picture.layers, ...picture.containers].filter((other) => other.below === item.key);
  return Math.min(picture.containers.length, ...above.map((other) => leftmost(other, picture)));
}

/** How many columns side by side stand on a layer, at least its own. */
function width(item, picture) {
  const above = [...picture.layers, ...picture.containers].filter((other) => other.below === item.key);
  return above.reduce((sum, other) => sum + width(other, picture), 0) || 1;
}

const makeColumn = (view) => (item) =>
  h("div.lk-column", {}, h("div.lk-row"), item.number ? makeLayer() : makeContainer(view));

function drawColumn(view, column, item, picture) {
  const [row, block] = column.children;
  column.style.setProperty("--lk-width", width(item, picture)); // a column is as wide as what stands on it
  if (item.number) {
    drawRow(view, row, item.key, picture);
    drawLayer(view, block, item, picture);
  } else {
    row.hidden = true;
    drawContainer(view, block, item, picture);
  }
}

function makeLayer() {
  const button = h("button.lk-head", { type: "button" });
  return h("div.lk-layer.lk-block", {}, button, h("ul.lk-finds"));
}

function drawLayer(view, block, layer, picture) {
  const [head, finds] = block.children;
  const tops = picture.images.filter((image) => image.layers.at(-1) === layer.key).map((image) => image.name);
  const seen = layer.seen_by.length > 0;
  head.replaceChildren(
    h("span.lk-name", {}, icon("padlock"), h("span", {}, `image layer ${layer.number}`)),
    h("span.lk-by", {}, layer.created_by ? `made by ${layer.created_by}` : ""),
    ...tops.map((name) => h("span.lk-tag", {}, name)),
    h("span.lk-size", {}, bytes(layer.size)),
  );
  set(head, {
    "aria-label":
      `Image layer ${layer.number}, read-only, of ${layer.images.join(", ")}, ${bytes(layer.size)}` +
      (seen ? `; ${picture.path} is seen here by ${layer.seen_by.join(", ")}` : ""),
    "aria-expanded": view.chosen === layer.key ? "true" : "false",
    onclick: () => choose(view, layer.key),
  });
  block.classList.toggle("lk-lit", seen);
  block.classList.toggle("lk-chosen", view.chosen === layer.key);
  const rows = [
    ...layer.seen_by.map((name) => ({ name, text: `${picture.path}, seen by ${name}`, covered: false })),
    ...layer.covered_for.map((name) => ({ name, text: `${picture.path}, covered for ${name}`, covered: true })),
  ];
  keyed(finds, rows, (r) => r.text, () => h("li"), (li, r) => {
    li.className = r.covered ? "lk-covered" : "lk-found";
    li.dataset.of = r.name;
    li.replaceChildren(h("code", {}, picture.path), ` ${r.covered ? "covered for" : "seen by"} `, h("b", {}, r.name));
  });
  finds.hidden = !rows.length;
}

function makeContainer(view) {
  const head = h("button.lk-head", { type: "button" });
  const list = h("ul.lk-changes");
  list.onclick = (event) => askPath(view.model, event.target.closest("li")?.title); // the same as writing it in the field
  return h("div.lk-container.lk-block", {}, head, h("p.lk-state"), list, h("button.lk-more", { type: "button" }));
}

function drawContainer(view, block, container, picture) {
  const [head, state, list, more] = block.children;
  const { counts } = container;
  const gone = container.status === "removed";
  block.dataset.container = container.name;
  block.classList.toggle("lk-gone", gone);
  block.classList.toggle("lk-chosen", view.chosen === container.key);
  block.classList.toggle("lk-lit", container.origin?.kind === "own");
  head.replaceChildren(
    h("span.lk-name", {}, icon("pencil"), h("span", {}, container.name)),
    h("span.lk-status", { "data-status": container.status }, container.status),
    h("span.lk-size", {}, gone ? "" : bytes(container.size)),
  );
  set(head, {
    "aria-label":
      `Container ${container.name}, ${container.status}, read-write layer: ${counts.added} added, ` +
      `${counts.changed} changed, ${counts.deleted} deleted` +
      (container.seen_in ? `; ${picture.path} ${container.seen_in}` : ""),
    "aria-expanded": view.chosen === container.key ? "true" : "false",
    onclick: () => choose(view, container.key),
  });
  state.textContent = gone ? "removed, and its layer with it" : container.changes.length ? "" : "nothing written yet";
  state.hidden = !state.textContent;
  drawChanges(view, list, more, container, picture);
}

function drawChanges(view, list, more, container, picture) {
  const all = container.changes;
  const shown = view.whole.has(container.key) ? all : all.slice(0, SHOWN_AT_ONCE);
  const wanted = picture.path;
  keyed(list, shown, (c) => `${c.kind} ${c.path}`, makeChange, (li, change) => {
    const own = change.path === wanted && !change.on_the_way;
    li.classList.toggle("lk-lit", own);
    li.classList.toggle("lk-way", change.on_the_way);
    li.lastChild.textContent = own ? (change.kind === "deleted" ? "whiteout" : "seen here") : "";
  });
  list.classList.toggle("lk-long", shown.length > 100);
  set(list, scrolls(shown.length, container.name));
  more.hidden = shown.length === all.length;
  more.textContent = `show all ${all.length} paths`;
  more.onclick = () => (view.whole.add(container.key), drawChanges(view, list, more, container, view.model.get("picture")));
}

/** A long list scrolls, so it must take the keyboard's focus and have a name. */
const scrolls = (length, name) =>
  length > 9 ? { tabindex: "0", "aria-label": `Paths of ${name}` } : { tabindex: null, "aria-label": null };

function makeChange(change) {
  const where = change.path.lastIndexOf("/") + 1;
  return h(
    `li.lk-change.lk-${change.kind}`,
    { title: change.path },
    h("span.lk-sign", { "aria-hidden": "true" }, MARK[change.kind]),
    h("span.lk-voice", {}, `${WORD[change.kind]} `),
    h("code", {}, h("span.lk-folder", {}, change.path.slice(0, where)), h("wbr"), change.path.slice(where)),
    h("em"),
  );
}

// --- the line of sight ---

/** From each container an eye looks down, through its own layer, to where it sees the path or meets a whiteout. */
function drawSight(ground, lines, picture) {
  lines.replaceChildren();
  const row = ground.firstChild;
  row.classList.toggle("lk-looks", Boolean(picture.path));
  if (!picture.path) return;
  const box = row.getBoundingClientRect();
  lines.setAttribute("width", row.offsetWidth);
  lines.setAttribute("height", row.offsetHeight);
  for (const block of row.querySelectorAll(".lk-container")) {
    const end = sightEnd(row, block);
    if (!end) continue;
    const from = block.getBoundingClientRect();
    const x = from.left - box.left + 8;
    const y = end.y - box.top;
    const eye = shape("path", { d: ICONS.eye, transform: `translate(${x - 8} ${from.top - box.top - 17})`, class: "lk-eye" });
    lines.append(eye, shape("path", { d: `M${x} ${from.top - box.top}V${y}` }));
    const stop = { d: `M${x - 4} ${y - 4}l8 8m0-8l-8 8`, class: "lk-stop" };
    lines.append(end.stopped ? shape("path", stop) : shape("circle", { cx: x, cy: y, r: 4 }));
  }
}

/** Where a container's sight ends, in the window's coordinates; nothing where the path is not there at all. */
function sightEnd(row, block) {
  const frame = block.getBoundingClientRect();
  const own = block.querySelector(".lk-change.lk-lit");
  if (own) {
    const line = own.getBoundingClientRect(); // it may be scrolled out of its list
    const y = Math.min(frame.bottom - 10, Math.max(frame.top + 40, line.top + 10));
    return { y, stopped: own.classList.contains("lk-deleted") };
  }
  const found = [...row.querySelectorAll(".lk-found")].find((li) => li.dataset.of === block.dataset.container);
  return found && { y: found.closest(".lk-layer").getBoundingClientRect().top, stopped: false };
}

// --- choosing, keys, and the voice ---

function choose(view, key) {
  view.chosen = view.chosen === key ? null : key;
  const picture = view.model.get("picture");
  drawRow(view, view.parts.drawing.querySelector(".lk-ground"), null, picture);
  showDetails(view, picture);
}

function showDetails(view, picture) {
  const place = view.parts.details;
  const layer = picture.layers.find((l) => l.key === view.chosen);
  const container = picture.containers.find((c) => c.key === view.chosen);
  if (layer)
    details(place, `Image layer ${layer.number}`, [
      ["belongs to", layer.images.join(", ")],
      ["access", "read-only, shared by every container on it"],
      ["size", bytes(layer.size)],
      ["made by", layer.created_by],
      ["digest of its files", layer.diff_id],
    ]);
  else if (container)
    details(place, `Read-write layer of ${container.name}`, [
      ["stands on", container.image],
      ["container", `${container.status}, ${container.key.slice(0, 12)}`],
      ["size", bytes(container.size)],
      ["differs by", `${container.counts.added} added, ${container.counts.changed} changed, ${container.counts.deleted} deleted`],
      [picture.path, container.seen_in],
    ]);
  else details(place, "", null);
}

/** Up and left, down and right: the layer before, the layer after. Escape closes the details. */
function keys(event, view) {
  walkAlong(event, [...view.parts.drawing.querySelectorAll(".lk-head")], view, choose);
}

/** What is new since the picture before, in words for a screen reader. */
function whatChanged(before, now) {
  if (!before) return "";
  const words = [];
  for (const container of now.containers) {
    const old = before.containers.find((c) => c.key === container.key);
    const known = new Set(old?.changes.map((c) => c.kind + c.path));
    const fresh = container.changes.filter((c) => !c.on_the_way && !known.has(c.kind + c.path));
    if (fresh.length > 3) words.push(`${container.name}: ${fresh.length} more paths`);
    else words.push(...fresh.map((c) => `${container.name}: ${c.path} ${WORD[c.kind]}`));
    if (old && old.status !== container.status) words.push(`${container.name} is ${container.status}`);
    if (now.path && (before.path !== now.path || old?.seen_in !== container.seen_in) && container.seen_in)
      words.push(`${container.name} sees ${now.path} ${container.seen_in}`);
  }
  return words.join(". ");
}

export default { render };
