// The time line: a row for each measured start, its phases as blocks one after another on a scale that all rows share.
// One button gives each row its own scale, so that the parts of a short start can be seen; another measures once more.

const TICKS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100];

function render({ model, el }) {
  const parts = frame(el, { title: "Time line", name: "timeline" });
  const view = { model, parts, own: false, chosen: null, before: null };
  view.rows = h("ul.lk-rows", { "aria-label": "Starts" });
  view.axis = h("div.lk-axis", { "aria-hidden": "true" });
  parts.drawing.append(view.rows, view.axis);
  view.scale = h("button.lk-button", { type: "button", "aria-pressed": "false" }, "each on its own scale");
  view.scale.onclick = () => ((view.own = !view.own), draw(view, model.get("picture")));
  view.again = h("button.lk-button", { type: "button" });
  view.again.onclick = () => model.get("picture").measuring || model.send({ kind: "again" });
  parts.tools.append(view.scale, " ", view.again);
  parts.root.addEventListener("keydown", (event) => keys(event, view));
  return live(model, parts, (picture) => {
    draw(view, picture);
    parts.voice.textContent = whatChanged(view.before, picture);
    view.before = picture;
  });
}

function draw(view, picture) {
  const longest = Math.max(...picture.starts.map((start) => start.seconds), 1e-6);
  view.again.hidden = !picture.again;
  view.again.textContent = picture.measuring ? "measuring…" : "measure again";
  view.again.classList.toggle("lk-asked", picture.measuring);
  set(view.scale, { "aria-pressed": view.own ? "true" : "false" });
  view.scale.hidden = picture.starts.length < 2;
  keyed(view.rows, picture.starts, (s) => s.key, makeRow, (row, start) => drawRow(view, row, start, longest, picture));
  drawAxis(view, longest);
  view.parts.legend.replaceChildren(...legend(picture));
  showDetails(view, picture);
}

// --- rows of phases ---

const makeRow = () => h("li.lk-start", {}, h("p.lk-start-name", {}, h("b"), h("span")), h("div.lk-track"));

function drawRow(view, row, start, longest, picture) {
  const [name, track] = row.children;
  const full = view.own ? start.seconds : longest;
  name.children[0].textContent = start.name;
  name.children[1].textContent = said(start.seconds);
  const phases = start.phases.map((phase, n) => ({ ...phase, n }));
  keyed(track, phases, (p) => p.n, () => h("button.lk-phase", { type: "button" }), (block, phase) => {
    const key = `${start.key} ${phase.n}`;
    block.style.left = `${(phase.begins / full) * 100}%`;
    block.style.width = `max(3px, ${(phase.seconds / full) * 100}%)`;
    block.style.setProperty("--lk-own", hue(phase.name, picture));
    block.replaceChildren(h("span", {}, phase.name), h("span.lk-took", {}, said(phase.seconds)));
    block.classList.toggle("lk-chosen", view.chosen === key);
    block.classList.toggle("lk-slim", phase.seconds / full < 0.11);
    set(block, {
      "aria-label": `${start.name}: ${phase.name}, ${said(phase.seconds)}`,
      "aria-expanded": view.chosen === key ? "true" : "false",
      title: `${phase.name}: ${said(phase.seconds)}`,
      onclick: () => choose(view, key),
    });
  });
}

/** A phase of one name has one colour on all rows. */
function names(picture) {
  return [...new Set(picture.starts.flatMap((start) => start.phases.map((phase) => phase.name)))];
}

const hue = (name, picture) => `var(--lk-hue-${names(picture).indexOf(name) % 6})`;

function legend(picture) {
  return names(picture).map((name) => {
    const key = h("span.lk-key", {}, h("i.lk-patch"), name);
    key.style.setProperty("--lk-own", hue(name, picture));
    return key;
  });
}

/** Marks at round times, about five of them; none where each row has a scale of its own. */
function drawAxis(view, longest) {
  view.axis.hidden = view.own;
  const step = TICKS.find((tick) => longest / tick <= 6) ?? longest / 5;
  const marks = Array.from({ length: Math.floor(longest / step) + 1 }, (_, n) => n * step);
  view.axis.replaceChildren(...marks.map((at) => {
    const mark = h("span", {}, at ? said(at) : "0");
    mark.style.left = `${(at / longest) * 100}%`;
    mark.classList.toggle("lk-last-mark", at / longest > 0.92); // its words stand before it, or they would be cut off
    return mark;
  }));
}

/** A time in three digits, in seconds or milliseconds. */
function said(seconds) {
  if (seconds >= 1) return `${Number(seconds.toPrecision(3))} s`;
  return `${seconds >= 0.01 ? Math.round(seconds * 1000) : Number((seconds * 1000).toFixed(1))} ms`;
}

// --- choosing, keys, and the voice ---

function choose(view, key) {
  view.chosen = view.chosen === key ? null : key;
  draw(view, view.model.get("picture"));
}

function showDetails(view, picture) {
  const [row, number] = (view.chosen ?? " ").split(" ");
  const start = picture.starts.find((s) => String(s.key) === row);
  const phase = start?.phases[number];
  if (!phase) return details(view.parts.details, "", null);
  details(view.parts.details, `${start.name}: ${phase.name}`, [
    ["what happens", phase.meaning],
    ["took", said(phase.seconds)],
    ["share of the start", `${Math.round((phase.seconds / start.seconds) * 100)}%`],
    ["ended", `${said(phase.begins + phase.seconds)} after the beginning`],
  ]);
}

/** Arrow keys walk the phases; Escape closes the details. */
function keys(event, view) {
  walkAlong(event, [...view.rows.querySelectorAll(".lk-phase")], view, choose);
}

function whatChanged(before, now) {
  if (!before || now.starts.length <= before.starts.length) return "";
  const last = now.starts.at(-1);
  return `${last.name} measured: ${said(last.seconds)}`;
}

export default { render };
