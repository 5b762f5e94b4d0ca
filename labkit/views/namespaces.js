// The namespaces as a table: a row for each kind, a column for the host and for each container's processes. A namespace
// that several columns are in is one band across them; what a container has of its own is filled with its colour.

const OUTSIDERS = { host: "the host's", engine: "the engine's" };

function render({ model, el }) {
  const parts = frame(el, { title: "Namespaces", name: "namespaces" });
  const view = { model, parts, chosen: null, before: null };
  view.table = h("table.lk-bands");
  const scroll = h("div.lk-scroll", { tabindex: "0", role: "group", "aria-label": "Namespaces by kind" }, view.table);
  view.ended = h("p.lk-state");
  parts.drawing.append(scroll, view.ended);
  parts.root.addEventListener("keydown", (event) => keys(event, view));
  return live(model, parts, (picture) => {
    drawTable(view, picture);
    drawEnded(view, picture);
    parts.legend.replaceChildren(...legend(picture));
    showDetails(view, picture);
    parts.voice.textContent = whatChanged(view.before, picture);
    view.before = picture;
  });
}

const hue = (owner, picture) => {
  const place = picture.containers.findIndex((container) => container.name === owner);
  return place < 0 ? "var(--lk-soft)" : `var(--lk-hue-${place % 6})`;
};

// --- the table ---

function drawTable(view, picture) {
  const focused = view.table.querySelector("button:focus")?.dataset.kind;
  const corner = h("th", { scope: "col" }, h("span.lk-voice", {}, "kind"));
  const head = h("tr", {}, corner, ...picture.columns.map((c) => column(c, picture)));
  const rows = picture.kinds.map((row) => h("tr", {}, kindHead(view, row), ...bands(row, picture)));
  view.table.replaceChildren(h("thead", {}, head), h("tbody", {}, ...rows));
  if (focused) view.table.querySelector(`[data-kind=${focused}]`)?.focus();
  view.table.hidden = !picture.columns.length;
}

function column(item, picture) {
  const outside = OUTSIDERS[item.of];
  const shown = item.processes.slice(0, 3).map((command) => h("code", { title: command }, command));
  const more = item.processes.length - shown.length;
  const th = h("th.lk-who", { scope: "col", "data-owner": outside ? item.of : "own" },
    h("span.lk-name", {}, icon(outside ? "host" : "box"), h("span", {}, item.head)),
    ...shown,
    more > 0 ? h("span.lk-soft", {}, `and ${more} more`) : null,
  );
  th.style.setProperty("--lk-own", hue(item.of, picture));
  return th;
}

function kindHead(view, row) {
  const button = h("button.lk-kind", {
    type: "button",
    "data-kind": row.kind,
    "aria-expanded": view.chosen === row.kind ? "true" : "false",
    onclick: () => choose(view, row.kind),
  }, h("b", {}, row.kind), h("span", {}, row.holds));
  return h("th", { scope: "row" }, button);
}

/** A row's cells; neighbours that are in the same namespace are one. */
function bands(row, picture) {
  const cells = [];
  row.cells.forEach((cell, n) => {
    const last = cells.at(-1);
    const of = picture.columns[n].of;
    if (last && cell.inode !== null && last.cell.inode === cell.inode) (last.span += 1), last.of.push(of);
    else cells.push({ cell, of: [of], span: 1 });
  });
  return cells.map((band) => drawBand(band, row, picture));
}

function drawBand({ cell, of, span }, row, picture) {
  const outside = OUTSIDERS[cell.owner];
  const shared = span > 1 || !of.includes(cell.owner);
  const words = outside || (cell.owner === "not known" ? "not known" : shared ? `${cell.owner}'s` : "its own");
  const band = h("span.lk-band", { "data-owner": outside ? cell.owner : cell.owner === "not known" ? "none" : "own" },
    h("span", {}, words),
    cell.inode === null ? null : h("code", {}, String(cell.inode)),
  );
  band.style.setProperty("--lk-own", hue(cell.owner, picture));
  return h("td", { colspan: span > 1 ? span : null }, band);
}

function drawEnded(view, picture) {
  const ended = picture.containers.filter((c) => !picture.columns.some((column) => column.of === c.name));
  const code = (c) => (c.exit_code === null ? "" : ` (${c.exit_code})`);
  view.ended.hidden = !ended.length;
  view.ended.textContent = ended.map((c) => `${c.name} is ${c.status}${code(c)}: no process, so no namespaces.`).join(" ");
}

function legend(picture) {
  const key = (owner, words, name) => {
    const item = h("span.lk-key", { "data-owner": owner }, h("i.lk-patch"), words);
    item.style.setProperty("--lk-own", hue(name, picture));
    return item;
  };
  const running = picture.containers.filter((c) => picture.columns.some((column) => column.of === c.name));
  const seen = (owner) => picture.kinds.some((row) => row.cells.some((cell) => cell.owner === owner));
  return [
    ...running.map((c) => key("own", `${c.name}'s own, unlike the host's`, c.name)),
    ...["engine", "host"].filter(seen).map((owner) => key(owner, OUTSIDERS[owner])),
  ];
}

// --- choosing, keys, and the voice ---

function choose(view, kind) {
  view.chosen = view.chosen === kind ? null : kind;
  const picture = view.model.get("picture");
  drawTable(view, picture);
  showDetails(view, picture);
}

function showDetails(view, picture) {
  const row = picture.kinds.find((r) => r.kind === view.chosen);
  if (!row) return details(view.parts.details, "", null);
  details(view.parts.details, `${row.kind} namespace`, [
    ["holds", row.holds],
    ["a process alone in one", row.alone],
    ["made with", `clone(${row.flag}) or unshare(${row.flag})`],
    ["seen in", `/proc/PID/ns/${row.kind}`],
    ...row.cells.map((cell, n) => [picture.columns[n].head, cell.inode === null ? "not known" : `${row.kind}:[${cell.inode}]`]),
  ]);
}

/** Up and down walk the kinds; Escape closes the details. */
function keys(event, view) {
  const kinds = [...view.table.querySelectorAll(".lk-kind")];
  walkAlong(event, kinds, view, choose, { ArrowDown: 1, ArrowUp: -1 });
}

function whatChanged(before, now) {
  if (!before) return "";
  const words = [];
  for (const container of now.containers) {
    const old = before.containers.find((c) => c.key === container.key);
    const count = several(container.processes, "process", "processes");
    if (old && old.status !== container.status) words.push(`${container.name} is ${container.status}`);
    else if (old && old.processes !== container.processes) words.push(`${container.name}: ${count}`);
  }
  return words.join(". ");
}

export default { render };
