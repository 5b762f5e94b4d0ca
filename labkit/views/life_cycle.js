// The life cycle: states as stones on a map, moves as arrows between them, "gone" as the ground that all can fall to.
// The state that the container is in is lit, and the arrows that lead out of it; below, a button for each of those.

// Where each state stands, [x, y] of its middle, wide and narrow. "gone" is the ground below, over the whole width.
// For arrows that would cross: how far each bends to its left, where on it its words stand (0 to 1), how far beside a
// stone's middle it falls to the ground, and where on the stone a loop begins and ends.
const MAPS = {
  wide: {
    size: [960, 330],
    stone: [124, 42],
    at: {
      created: [84, 168], running: [300, 168], paused: [396, 36], restarting: [640, 36],
      exited: [740, 168], removing: [890, 36], dead: [890, 168],
    },
    ground: 290,
    bends: { "running exited": 0.09, "exited running": 0.09, "running paused": 0.16, "paused running": 0.16,
             "paused exited": 0.02, "restarting running": 0.05, "running restarting": 0.05 },
    words: { "running restarting": 0.5, "paused running": 0.32, "restarting running": 0.22, "paused exited": 0.72,
             "running exited": 0.56 },
    falls: { created: 0, running: -16, paused: 30, restarting: -24, exited: 0, dead: 0 },
    loop: [14, 50],
  },
  narrow: {
    size: [420, 520],
    stone: [108, 40],
    at: {
      created: [62, 30], running: [82, 180], paused: [214, 100], restarting: [346, 180],
      exited: [230, 330], removing: [352, 30], dead: [340, 400],
    },
    ground: 482,
    bends: { "running exited": 0.12, "exited running": 0.12, "running paused": 0.16, "paused running": 0.16,
             "paused exited": 0, "restarting running": 0.09, "running restarting": 0.09 },
    words: {},
    falls: { created: -50, running: -40, paused: -46, restarting: 52, exited: 0, dead: 0 },
    loop: [10, 42],
  },
};
const NARROW = 620; // pixels of width under which the narrow map is drawn
const GROUND = "gone";

function render({ model, el }) {
  const parts = frame(el, { title: "Life cycle", name: "lifecycle" });
  const view = { model, parts, chosen: null, before: null, width: 0, asked: null };
  const lines = shape("svg", { class: "lk-arrows", "aria-hidden": "true" });
  view.map = h("div.lk-map", {}, lines, h("div.lk-words", { "aria-hidden": "true" }));
  view.stones = h("ul.lk-stones", { "aria-label": "States" });
  view.map.append(view.stones);
  view.way = h("p.lk-way-so-far");
  view.moves = h("ul.lk-moves");
  parts.drawing.append(view.map, view.moves, view.way);
  parts.legend.append(...legend());
  parts.root.addEventListener("keydown", (event) => keys(event, view));
  const sizes = new ResizeObserver(() => redraw(view));
  sizes.observe(parts.drawing);
  const undo = live(model, parts, (picture) => {
    view.asked = null;
    view.took = taken(view.before, picture);
    draw(view, picture);
    view.took = null;
    parts.voice.textContent = whatChanged(view.before, picture);
    view.before = picture;
  });
  return () => (undo(), sizes.disconnect());
}

function legend() {
  const line = (kind, words) => h("span.lk-key", {}, h(`i.lk-line.${kind}`), words);
  return [
    line("lk-legal", "a move that is legal now"),
    line("lk-self", "by itself: its process ends"),
    line("lk-other", "a move from another state"),
  ];
}

function redraw(view) {
  if (view.parts.drawing.clientWidth !== view.width) draw(view, view.model.get("picture"));
}

function draw(view, picture) {
  view.width = view.parts.drawing.clientWidth;
  const map = MAPS[view.width && view.width < NARROW ? "narrow" : "wide"];
  const scale = Math.min(1, (view.width || map.size[0]) / map.size[0]);
  view.map.style.width = `${map.size[0]}px`;
  view.map.style.height = `${map.size[1]}px`;
  view.map.style.zoom = scale;
  view.map.classList.toggle("lk-narrow", map === MAPS.narrow);
  drawStones(view, map, picture);
  drawArrows(view, map, picture);
  drawMoves(view, picture);
  drawWay(view, picture);
  showDetails(view, picture);
}

// --- states ---

function drawStones(view, map, picture) {
  const { container } = picture;
  const make = () => h("li", {}, h("button.lk-stone", { type: "button" }));
  keyed(view.stones, picture.states, (s) => s.name, make, (item, state) => {
    const stone = item.firstChild;
    const ground = state.name === GROUND;
    const [x, y] = ground ? [map.size[0] / 2, map.ground + 18] : map.at[state.name];
    const [width, height] = ground ? [map.size[0] - 8, 36] : map.stone;
    Object.assign(item.style, { left: `${x - width / 2}px`, top: `${y - height / 2}px` });
    Object.assign(item.style, { width: `${width}px`, height: `${height}px` });
    const code = state.current && container.exit_code !== null ? ` (${container.exit_code})` : "";
    const who = state.current ? h("span.lk-here", {}, icon("box"), container.name) : null;
    stone.replaceChildren(...[h("span", {}, `${state.name}${code}`), who].filter(Boolean));
    stone.classList.toggle("lk-current", state.current);
    stone.classList.toggle("lk-ground-stone", ground);
    stone.classList.toggle("lk-chosen", view.chosen === state.name);
    set(stone, {
      "aria-label": `${state.name}${state.current ? `, where ${container.name} is now` : ""}`,
      "aria-expanded": view.chosen === state.name ? "true" : "false",
      "aria-current": state.current ? "true" : null,
      onclick: () => choose(view, state.name),
    });
  });
}

// --- moves as arrows ---

/** Moves gathered by where they lead from and to: one arrow for each pair, with all its verbs. */
function arrows(moves) {
  const found = new Map();
  for (const move of moves) {
    const key = `${move.from} ${move.to}`;
    if (!found.has(key)) found.set(key, { key, from: move.from, to: move.to, legal: move.legal, verbs: [] });
    found.get(key).verbs.push(move);
  }
  return [...found.values()];
}

function drawArrows(view, map, picture) {
  const [svg, words] = view.map.children;
  for (const [name, value] of Object.entries({ width: map.size[0], height: map.size[1] })) svg.setAttribute(name, value);
  svg.replaceChildren();
  const all = arrows(picture.moves).sort((a, b) => a.legal - b.legal); // what is legal is drawn on top
  for (const arrow of all) {
    const { d, tip, angle } = way(map, arrow);
    const self = arrow.verbs.every((move) => !move.asked);
    const took = view.took === arrow.key ? "lk-took" : "";
    const kind = `${arrow.legal ? "lk-legal" : "lk-other"} ${self ? "lk-self" : ""} ${took}`;
    svg.append(shape("path", { d, class: `lk-arrow ${kind}` }));
    const turned = `translate(${tip}) rotate(${angle})`;
    svg.append(shape("path", { d: "M0 0L-9 4.4V-4.4z", class: `lk-tip ${kind}`, transform: turned }));
  }
  words.replaceChildren(...all.map((arrow) => label(map, arrow)));
}

function label(map, arrow) {
  const verbs = arrow.verbs.map((move) => h(move.asked ? "span" : "span.lk-self", {}, move.verb));
  const word = h("span.lk-verbs", {}, ...verbs);
  const [x, y] = way(map, arrow).middle;
  Object.assign(word.style, { left: `${x}px`, top: `${y}px` });
  word.classList.toggle("lk-legal", arrow.legal);
  return word;
}

/** The way of an arrow: a curve from stone to stone, a fall to the ground, or a loop at a stone's own side. */
function way(map, { from, to, key }) {
  const [x, y] = map.at[from];
  const [width, height] = map.stone;
  if (from === to) {
    const [left, right, top] = [x - width / 2 + map.loop[0], x - width / 2 + map.loop[1], y - height / 2];
    const d = `M${left} ${top}C${left - 16} ${top - 44} ${right + 6} ${top - 44} ${right} ${top - 2}`;
    return { d, tip: `${right} ${top - 1}`, angle: 100, middle: [left + 6, top - 44] };
  }
  if (to === GROUND) {
    const at = x + (map.falls[from] ?? 0);
    const inside = Math.min(map.size[0] - 58, Math.max(58, at)); // words must not be cut off at the map's sides
    const d = `M${at} ${y + height / 2}V${map.ground - 3}`;
    return { d, tip: `${at} ${map.ground - 1}`, angle: 90, middle: [inside, map.ground - 34] };
  }
  return curve(map, [x, y], map.at[to], map.bends[key] ?? 0, map.words[key] ?? 0.5);
}

/** A curve between two stones' middles, bent to its left, from edge to edge. */
function curve(map, [x0, y0], [x1, y1], bend, words) {
  const middle = [(x0 + x1) / 2 + (y1 - y0) * bend, (y0 + y1) / 2 - (x1 - x0) * bend];
  const [cx, cy] = [2 * middle[0] - (x0 + x1) / 2, 2 * middle[1] - (y0 + y1) / 2];
  const between = (t, start, control, end) => (1 - t) ** 2 * start + 2 * t * (1 - t) * control + t * t * end;
  const point = (t) => [between(t, x0, cx, x1), between(t, y0, cy, y1)];
  const inside = ([x, y], [sx, sy]) => Math.abs(x - sx) < map.stone[0] / 2 + 2 && Math.abs(y - sy) < map.stone[1] / 2 + 2;
  const steps = Array.from({ length: 101 }, (_, n) => point(n / 100));
  const seen = steps.filter((at) => !inside(at, [x0, y0]) && !inside(at, [x1, y1]));
  const [last, before] = [seen.at(-1), seen.at(-5)];
  const angle = (Math.atan2(last[1] - before[1], last[0] - before[0]) * 180) / Math.PI;
  const d = `M${seen.slice(0, -4).map((at) => at.map((v) => v.toFixed(1)).join(" ")).join("L")}`;
  return { d, tip: last.map((v) => v.toFixed(1)).join(" "), angle, middle: seen[Math.floor(seen.length * words)] };
}

// --- moves as buttons ---

function drawMoves(view, picture) {
  const legal = picture.moves.filter((move) => move.legal && move.asked);
  set(view.moves, { "aria-label": `Legal moves of ${picture.container.name}` });
  keyed(view.moves, legal, (m) => m.verb, () => h("li", {}, h("button.lk-button", { type: "button" })), (item, move) => {
    const button = item.firstChild;
    button.replaceChildren(h("b", {}, move.verb), h("code", {}, move.docker));
    button.classList.toggle("lk-asked", view.asked === move.verb);
    set(button, { title: move.sdk, onclick: () => ask(view, move.verb, button) });
  });
  view.moves.hidden = !legal.length;
}

/** Ask Python to make a move; the button stays pressed until the engine's answer changes the picture. */
function ask(view, verb, button) {
  if (view.asked) return;
  view.asked = verb;
  button.classList.add("lk-asked");
  view.parts.voice.textContent = `${verb}: asked`;
  view.model.send({ kind: "move", move: verb });
}

/** What the engine has told since this picture began. */
function drawWay(view, picture) {
  const { seen } = picture;
  const step = ({ action, detail }) => h("span.lk-step", {}, h("code", {}, action), detail ? ` ${detail}` : "");
  view.way.hidden = !seen.length;
  view.way.replaceChildren(h("span.lk-soft", {}, "events seen:"), ...seen.map(step));
}

// --- choosing, keys, and the voice ---

function choose(view, name) {
  view.chosen = view.chosen === name ? null : name;
  draw(view, view.model.get("picture"));
}

function showDetails(view, picture) {
  const state = picture.states.find((s) => s.name === view.chosen);
  if (!state) return details(view.parts.details, "", null);
  const words = (moves, side) => moves.map((move) => `${move.verb} (${move[side]})`).join(", ");
  details(view.parts.details, state.name, [
    ["what it means", state.meaning],
    ["leads on", words(picture.moves.filter((m) => m.from === state.name), "to")],
    ["reached by", words(picture.moves.filter((m) => m.to === state.name), "from")],
  ]);
}

/** Arrow keys walk the states, and the buttons; Escape closes the details. */
function keys(event, view) {
  const row = [view.stones, view.moves].find((list) => list.contains(event.target));
  walkAlong(event, row ? [...row.querySelectorAll("button")] : [], view, choose);
}

/** The arrow that was taken between two pictures; none where the state is the same. */
function taken(before, now) {
  if (!before || before.container.state === now.container.state) return null;
  return `${before.container.state} ${now.container.state}`;
}

function whatChanged(before, now) {
  const { name, state, exit_code: code } = now.container;
  if (!before || (before.container.state === state && before.container.exit_code === code)) return "";
  return `${name} is ${state}${code === null ? "" : ` with exit code ${code}`}`;
}

export default { render };
