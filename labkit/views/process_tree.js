// The process tree: the host's side as one frame, the engine's shim on top, under it each container as a frame of its
// own colour, and in it the processes, each with two pids. It is an ARIA tree: arrow keys walk it, Enter tells more.

const OUTSIDE = { host: "the host's", engine: "the engine's" };

function render({ model, el }) {
  const parts = frame(el, { title: "Process tree", name: "processes" });
  const view = { model, parts, chosen: null, before: null };
  const tree = h("ul.lk-shims", { role: "tree", "aria-label": "Processes, from the host's side" });
  const caption = h("p.lk-caption", {}, icon("host"), h("b", {}, "this host"), " one kernel, one list of processes");
  parts.drawing.append(h("div.lk-host", {}, caption, h("div.lk-scroll", { tabindex: "-1" }, tree)));
  tree.addEventListener("keydown", (event) => keys(event, view, tree));
  tree.addEventListener("focusin", (event) => rove(tree, event.target));
  return live(model, parts, (picture) => {
    drawTree(view, tree, picture);
    parts.legend.replaceChildren(...legend(picture));
    showDetails(view, picture);
    parts.voice.textContent = whatChanged(view.before, picture);
    view.before = picture;
  });
}

// --- the tree: shims, containers, processes ---

function drawTree(view, tree, picture) {
  keyed(tree, shims(picture), (s) => s.key, makeShim, (item, shim) => drawShim(view, item, shim, picture));
  const items = [...tree.querySelectorAll("[role=treeitem]")];
  if (!items.some((item) => item.tabIndex === 0) && items[0]) items[0].tabIndex = 0;
}

/** The processes that started a container, each with its containers; a container without a process has none. */
function shims(picture) {
  const groups = new Map();
  for (const container of picture.containers) {
    const parent = picture.parents.find((p) => p.pid === container.parent);
    const key = parent ? `shim ${parent.pid}` : `none ${container.key}`;
    if (!groups.has(key)) groups.set(key, { key, parent, containers: [] });
    groups.get(key).containers.push(container);
  }
  return [...groups.values()];
}

const makeShim = (shim) =>
  shim.parent
    ? h("li.lk-shim", { role: "treeitem", tabindex: "-1" }, h("div.lk-face"), h("ul.lk-containers", { role: "group" }))
    : h("li.lk-shim", { role: "none" }, h("div.lk-noface"), h("ul.lk-containers", { role: "none" }));

function drawShim(view, item, shim, picture) {
  const [face, containers] = item.children;
  item.style.flexGrow = shim.containers.length;
  if (shim.parent) {
    const { pid, command } = shim.parent;
    face.replaceChildren(h("code", {}, command), h("span.lk-role", {}, "the engine's shim"), hostPid(pid));
    ready(view, item, face, shim.key, `The engine's shim, ${command}, pid ${pid} on the host`);
  }
  const draw = (frame, container) => drawContainer(view, frame, container, picture);
  keyed(containers, shim.containers, (c) => c.key, makeContainer, draw);
}

function makeContainer() {
  const face = h("div.lk-face", {}, h("div.lk-head"), h("div.lk-namespaces"));
  const columns = h("div.lk-columns", { "aria-hidden": "true" }, h("span", {}, "inside"), h("span", {}, "host"));
  const none = h("p.lk-state");
  const processes = h("ul.lk-processes", { role: "group" });
  return h("li.lk-box", { role: "treeitem", tabindex: "-1" }, face, columns, none, processes, h("p.lk-signals"));
}

function drawContainer(view, box, container, picture) {
  const [face, columns, none, list, signals] = box.children;
  const [head, namespaces] = face.children;
  box.dataset.container = container.name;
  box.style.setProperty("--lk-own", hue(container.name, picture));
  box.classList.toggle("lk-still", !container.processes.length);
  head.replaceChildren(
    h("span.lk-name", {}, icon("box"), h("span", {}, container.name)),
    h("span.lk-status", { "data-status": container.status }, container.status),
    h("span.lk-image", {}, container.image),
  );
  namespaces.replaceChildren(...owned(container.namespaces).map((group) => chips(group, container.name, picture)));
  columns.hidden = !container.processes.length;
  signals.hidden = !container.signals?.length;
  signals.textContent = `signals sent: ${container.signals?.join(", then ")}`;
  none.hidden = container.processes.length > 0;
  none.textContent = container.exit_code === null ? "no process" : `exited with ${container.exit_code}, no process`;
  const words = owned(container.namespaces).map(([owner, kinds]) => `${kinds.map((n) => n.kind).join(" ")} ${whose(owner)}`);
  const label = `Container ${container.name}, ${container.status}, ${several(container.processes.length, "process", "processes")}`;
  ready(view, box, face, container.key, words.length ? `${label}; namespaces: ${words.join("; ")}` : label);
  drawProcesses(view, list, null, container, picture);
}

/** Whether an element was drawn of the same data before: of hundreds of processes few change at a time. */
function same(element, data) {
  const shown = JSON.stringify(data);
  if (element.shown === shown) return true;
  element.shown = shown;
  return false;
}

function drawProcesses(view, list, parent, container, picture) {
  const children = container.processes.filter((p) => p.parent === parent);
  list.hidden = !children.length;
  keyed(list, children, (p) => p.pid, makeProcess, (item, process) => {
    const [face, below] = item.children;
    drawProcesses(view, below, process.pid, container, picture);
    const key = `${container.key} ${process.pid}`;
    if (same(item, [process, container.name, view.chosen === key])) return;
    face.replaceChildren(
      h("span.lk-pid.lk-inside", {}, String(process.pid_inside ?? "?")),
      hostPid(process.pid),
      h("code", { title: process.command }, process.command),
      ...owned(process.namespaces).map((group) => chips(group, container.name, picture)),
    );
    const inside = process.pid_inside ?? "unknown";
    const label = `${process.command}, pid ${inside} in ${container.name}, pid ${process.pid} on the host`;
    ready(view, item, face, key, label);
  });
}

const makeProcess = () =>
  h("li.lk-process", { role: "treeitem", tabindex: "-1" }, h("div.lk-face"), h("ul.lk-processes", { role: "group" }));

const hostPid = (pid) => h("span.lk-pid.lk-outside", {}, String(pid));

/** Give a tree item its name, its choice and its click. */
function ready(view, item, face, key, label) {
  item.dataset.choice = key;
  set(item, { "aria-label": label, "aria-selected": String(view.chosen === key) });
  face.classList.toggle("lk-chosen", view.chosen === key);
  face.onclick = () => (item.focus(), choose(view, key));
}

// --- namespaces: whose they are, by colour, by shape and in words ---

/** Namespaces gathered by owner: [[owner, [namespace, …]], …]. */
function owned(namespaces) {
  const groups = new Map();
  for (const namespace of namespaces) {
    if (!groups.has(namespace.owner)) groups.set(namespace.owner, []);
    groups.get(namespace.owner).push(namespace);
  }
  return [...groups];
}

const whose = (owner, self) => OUTSIDE[owner] || (owner === self ? "its own" : `${owner}'s`);

function hue(owner, picture) {
  const place = picture.containers.findIndex((container) => container.name === owner);
  return place < 0 ? "var(--lk-soft)" : `var(--lk-hue-${place % 6})`;
}

function chips([owner, namespaces], self, picture) {
  const row = h("span.lk-chips", { "data-owner": OUTSIDE[owner] ? owner : "own" }, h("span.lk-whose", {}, whose(owner, self)));
  row.style.setProperty("--lk-own", hue(owner, picture));
  for (const { kind, inode } of namespaces) row.append(h("span.lk-chip", { title: `${kind} namespace ${inode}` }, kind));
  return row;
}

function legend(picture) {
  const item = (owner, words) => {
    const key = h("span.lk-key", { "data-owner": OUTSIDE[owner] ? owner : "own" }, h("i.lk-swatch"), words);
    key.style.setProperty("--lk-own", hue(owner, picture));
    return key;
  };
  if (!picture.owners.length) return [];
  return [
    h("span", {}, "namespaces:"),
    ...picture.owners.map((owner) => item(owner, OUTSIDE[owner] || `${owner}'s own`)),
    h("span.lk-key", {}, h("span.lk-pid.lk-inside", {}, "1"), "pid inside the container"),
    h("span.lk-key", {}, h("span.lk-pid.lk-outside", {}, "4711"), "the same process on the host"),
  ];
}

// --- choosing, keys, and the voice ---

function choose(view, key) {
  view.chosen = view.chosen === key ? null : key;
  const picture = view.model.get("picture");
  drawTree(view, view.parts.drawing.querySelector(".lk-shims"), picture);
  showDetails(view, picture);
}

function showDetails(view, picture) {
  const place = view.parts.details;
  for (const shim of shims(picture))
    if (shim.parent && shim.key === view.chosen)
      return details(place, shim.parent.command, [
        ["what it is", "the process of the engine that started these containers and waits for them to end"],
        ["pid", shim.parent.pid],
        ["containers", shim.containers.map((c) => c.name).join(", ")],
      ]);
  for (const container of picture.containers) {
    const inodes = (namespaces) => namespaces.map((n) => [`${n.kind} namespace`, `${whose(n.owner, container.name)}, ${n.inode}`]);
    if (container.key === view.chosen)
      return details(place, `Container ${container.name}`, [
        ["image", container.image],
        ["state", container.exit_code === null ? container.status : `${container.status} with ${container.exit_code}`],
        ...inodes(container.namespaces),
      ]);
    const process = container.processes.find((p) => `${container.key} ${p.pid}` === view.chosen);
    if (process)
      return details(place, process.command, [
        [`pid in ${container.name}`, process.pid_inside],
        ["pid on the host", process.pid],
        ["user", process.user],
        ["state", process.state],
        ["namespaces", process.namespaces.length ? "" : `the same as ${container.name}'s first process`],
        ...inodes(process.namespaces),
      ]);
  }
  details(place, "", null);
}

/** Only one item of a tree takes the Tab key. */
function rove(tree, target) {
  if (target.getAttribute("role") !== "treeitem") return;
  for (const item of tree.querySelectorAll("[role=treeitem]")) item.tabIndex = item === target ? 0 : -1;
}

function keys(event, view, tree) {
  const items = [...tree.querySelectorAll("[role=treeitem]")].filter((item) => !item.dataset.leaving);
  const here = event.target;
  const at = items.indexOf(here);
  if (at < 0) return;
  const to = {
    ArrowDown: () => items[at + 1],
    ArrowUp: () => items[at - 1],
    ArrowRight: () => here.querySelector("[role=treeitem]"),
    ArrowLeft: () => here.parentElement.closest("[role=treeitem]"),
    Home: () => items[0],
    End: () => items.at(-1),
  }[event.key];
  if (to) to()?.focus();
  else if (event.key === "Enter" || event.key === " ") choose(view, here.dataset.choice);
  else if (event.key === "Escape" && view.chosen) choose(view, view.chosen);
  else return;
  event.preventDefault();
}

/** What is new since the picture before, in words for a screen reader. */
function whatChanged(before, now) {
  if (!before) return "";
  const words = [];
  for (const container of now.containers) {
    const old = before.containers.find((c) => c.key === container.key);
    if (!old) continue;
    if (old.status !== container.status) words.push(`${container.name} is ${container.status}`);
    for (const name of container.signals?.slice(old.signals?.length ?? 0) ?? []) words.push(`${container.name} was sent ${name}`);
    const has = (list, pid) => list.some((p) => p.pid === pid);
    for (const p of container.processes) if (!has(old.processes, p.pid)) words.push(`${container.name}: ${p.command} began`);
    for (const p of old.processes) if (!has(container.processes, p.pid)) words.push(`${container.name}: ${p.command} ended`);
  }
  return words.slice(0, 6).join(". ");
}

export default { render };
