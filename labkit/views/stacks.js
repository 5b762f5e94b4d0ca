// Two stacks side by side, growing from the ground: a block for each step. What there is one of lies under all; what
// there is one of for each stands above it as often as there are machines or containers.

const PLAY = { word: "build", label: "Build both by themselves", pause: "Pause", every: 2200 };
const MOST = 3;

function render({ model, el }) {
  const parts = frame(el, { title: "VM beside container", name: "stacks" });
  const view = { model, parts, at: null, copies: 2, chosen: null, before: null, timer: 0 };
  view.redraw = () => draw(view, model.get("picture"));
  view.pair = h("div.lk-pair");
  view.stepper = h("div.lk-stepper", { role: "group", "aria-label": "Step by step" });
  view.number = h("div.lk-number", { role: "group", "aria-label": "How many of each" });
  parts.tools.append(view.number);
  parts.drawing.append(view.pair, view.stepper);
  parts.root.addEventListener("keydown", (event) => keys(event, view));
  const undo = live(model, parts, (picture) => {
    draw(view, picture);
    parts.voice.textContent = whatChanged(view.before, picture);
    view.before = picture;
  });
  return () => (clearInterval(view.timer), undo());
}

function draw(view, picture) {
  keyed(view.pair, picture.stacks, (stack) => stack.model, makeStack, (part, stack) => drawStack(view, part, stack));
  drawNumber(view);
  drawStepper(view, picture);
  view.parts.legend.replaceChildren(...legend());
  showDetails(view, picture);
}

// --- the stacks ---

const makeStack = (stack) =>
  h("section.lk-stack", { "aria-label": stack.model }, h("h4.lk-head"), h("p.lk-step"), h("ol.lk-tower"));

function drawStack(view, part, stack) {
  const [head, step, tower] = part.children;
  part.dataset.model = stack.model;
  head.replaceChildren(...[
    h("span.lk-name", {}, icon(stack.model === "container" ? "box" : "host"), h("span", {}, stack.model)),
    stack.name && h("span.lk-soft", {}, stack.name),
    h("span.lk-status", { "data-status": stack.state }, stack.state),
  ].filter(Boolean));
  const now = view.at ?? stack.blocks.length - 1;
  step.textContent = view.at === null ? "" : stack.blocks[now].step;
  step.hidden = view.at === null;
  set(tower, { "aria-label": `${stack.model}, from the ground up` });
  const blocks = stack.blocks.map((block, n) => ({ ...block, n }));
  keyed(tower, blocks, (b) => b.name, () => h("li.lk-level"), (level, block) => drawLevel(view, level, block, stack));
}

function drawLevel(view, level, block, stack) {
  const key = `${stack.model}/${block.name}`;
  level.classList.toggle("lk-shared", block.shared);
  level.classList.toggle("lk-unseen", view.at !== null && block.n > view.at);
  level.classList.toggle("lk-now", block.n === view.at);
  let button = level.querySelector("button");
  if (!button) level.append((button = h("button.lk-block", { type: "button" })));
  button.replaceChildren(h("b", {}, block.name), h("span", {}, block.figures.join(" · ") || block.what));
  button.classList.toggle("lk-chosen", view.chosen === key);
  set(button, {
    "aria-expanded": view.chosen === key ? "true" : "false",
    "aria-label": `${block.name}: ${howMany(block, stack)}`,
    onclick: () => choose(view, key),
  });
  for (const twin of [...level.children].slice(1)) twin.remove();
  const twins = block.shared ? 0 : view.copies - 1;
  for (let n = 0; n < twins; n += 1) level.append(h("div.lk-twin", { "aria-hidden": "true" }, block.name));
}

const howMany = (block, stack) => (block.shared ? "one for all" : `one for each ${stack.model}`);

function legend() {
  const key = (kind, words) => h("span.lk-key", {}, h(`i.lk-patch.${kind}`), words);
  return [
    key("lk-patch-shared", "shared: one for all"),
    key("lk-patch-own", "duplicated: one for each"),
    key("lk-patch-twin", "another one like it, not measured"),
  ];
}

// --- how many, and step by step ---

function drawNumber(view) {
  const focused = [...view.number.children].indexOf(document.activeElement);
  const button = (n) =>
    h("button.lk-button", {
      type: "button",
      "aria-pressed": view.copies === n ? "true" : "false",
      "aria-label": `${n} of each`,
      onclick: () => ((view.copies = n), draw(view, view.model.get("picture"))),
    }, String(n));
  view.number.replaceChildren(h("span.lk-soft", {}, "how many?"), ...Array.from({ length: MOST }, (_, n) => button(n + 1)));
  if (focused > 0) view.number.children[focused].focus();
}

function drawStepper(view, picture) {
  const last = picture.stacks[0].blocks.length - 1;
  drawSteps(view, last, view.at === null ? "all steps" : `step ${view.at} of ${last}`, PLAY);
}

// --- choosing, keys, and the voice ---

function choose(view, key) {
  view.chosen = view.chosen === key ? null : key;
  draw(view, view.model.get("picture"));
}

function showDetails(view, picture) {
  for (const stack of picture.stacks)
    for (const block of stack.blocks)
      if (view.chosen === `${stack.model}/${block.name}`)
        return details(view.parts.details, `${stack.model}: ${block.name}`, [
          ["what it is", block.what],
          ["how many", howMany(block, stack)],
          ["the step", block.step],
          ["on this machine", block.figures.join(", ") || "not measured"],
        ]);
  details(view.parts.details, "", null);
}

/** Up and down walk a stack, right and left change to the other; Escape closes the details, or shows all steps. */
function keys(event, view) {
  const towers = [...view.pair.querySelectorAll(".lk-tower")].map((tower) => [...tower.querySelectorAll(".lk-block")]);
  const side = towers.findIndex((blocks) => blocks.includes(event.target));
  const at = towers[side]?.indexOf(event.target);
  const step = { ArrowUp: [0, 1], ArrowDown: [0, -1], ArrowRight: [1, 0], ArrowLeft: [-1, 0] }[event.key];
  if (step && side >= 0) {
    const other = towers[clamp(side + step[0], towers.length - 1)].filter((b) => !b.closest(".lk-unseen"));
    other[clamp(at + step[1], other.length - 1)].focus();
  } else if (event.key === "Escape" && view.chosen) choose(view, view.chosen);
  else if (event.key === "Escape" && view.at !== null) goTo(view, null);
  else return;
  event.preventDefault();
}

function whatChanged(before, now) {
  if (!before) return "";
  const changed = now.stacks.filter((stack, n) => stack.state !== before.stacks[n].state);
  return changed.map((stack) => `${stack.name || stack.model} is ${stack.state}`).join(". ");
}

export default { render };
