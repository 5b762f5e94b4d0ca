// The overlay walk: the layers from the top down with a line of sight that falls from one to the next until it ends,
// the four cases with the present one lit, and what each act would do next, with a button that does it.

const HOLDS = { file: "here", whiteout: "whiteout", nothing: "nothing there" };
const PLAY = { word: "walk", label: "Walk by itself", pause: "Pause the walk", every: 900 };

function render({ model, el }) {
  const parts = frame(el, { title: "Overlay walk", name: "walk" });
  const view = { model, parts, before: null, at: null, timer: 0 };
  view.redraw = () => draw(view, model.get("picture"));
  parts.tools.append(chooser(model, "which path?", "A path inside the container"));
  view.floors = h("ol.lk-floors");
  view.stepper = h("div.lk-stepper", { role: "group", "aria-label": "Step by step" });
  view.cases = h("ul.lk-cases", { "aria-label": "The four cases of an overlay" });
  view.acts = h("ul.lk-acts");
  view.said = h("div.lk-said", { hidden: "" });
  const left = h("div.lk-left", {}, view.floors, view.stepper, view.acts, view.said);
  parts.drawing.append(h("div.lk-sides", {}, left, h("div.lk-right", {}, view.cases)));
  parts.root.addEventListener("keydown", (event) => keys(event, view));
  const undo = live(model, parts, (picture) => {
    if (view.before && view.before.path !== picture.path) goTo(view, null);
    draw(view, picture);
    parts.voice.textContent = whatChanged(view.before, picture);
    view.before = picture;
  });
  return () => (clearInterval(view.timer), undo());
}

function draw(view, picture) {
  drawFloors(view, picture);
  drawStepper(view, picture);
  drawCases(view, picture);
  drawActs(view, picture);
  drawSaid(view, picture);
}

// --- the walk ---

function drawFloors(view, picture) {
  const { steps } = picture;
  set(view.floors, { "aria-label": `Where ${picture.path} is looked for, from the top` });
  keyed(view.floors, steps.map((step, n) => ({ ...step, n })), (s) => s.name, makeFloor, (item, step) => {
    const shown = view.at === null || step.n <= view.at;
    const end = step.reached && step.holds !== "nothing";
    item.className = `lk-floor lk-holds-${step.holds}`;
    item.classList.toggle("lk-paper-floor", !step.read_only);
    item.classList.toggle("lk-reached", step.reached && shown);
    item.classList.toggle("lk-end", end && shown);
    item.classList.toggle("lk-unseen", !shown);
    item.classList.toggle("lk-now", step.n === view.at);
    const [, slab] = item.children;
    const found = shown ? holds(step, picture.path) : h("span.lk-soft", {}, "?");
    slab.replaceChildren(
      h("span.lk-name", {}, icon(step.read_only ? "padlock" : "pencil"), h("span", {}, step.name)),
      step.made_by ? h("span.lk-made-by", { title: step.made_by }, step.made_by) : "",
      found,
      h("span.lk-happens", {}, shown ? step.happens : ""),
    );
  });
  view.floors.hidden = !steps.length;
}

const makeFloor = () => h("li", {}, h("span.lk-gutter", { "aria-hidden": "true" }), h("div.lk-slab"));

function holds(step, path) {
  const name = path.slice(path.lastIndexOf("/") + 1) || "/";
  if (step.holds === "nothing") return h("span.lk-soft", {}, HOLDS.nothing);
  const word = step.holds === "file" && !step.reached ? "covered" : HOLDS[step.holds];
  return h(`span.lk-file.lk-file-${step.holds}`, {}, h("code", {}, name), h("em", {}, word));
}

// --- step by step ---

function drawStepper(view, picture) {
  const steps = picture.steps.filter((step) => step.reached);
  const last = steps.length - 1;
  view.stepper.hidden = last < 0;
  const { at } = view;
  const whole = `${several(steps.length, "step")} to the end`;
  drawSteps(view, last, at === null ? whole : `step ${at + 1} of ${last + 1}: ${steps[at]?.happens ?? ""}`, PLAY);
}

// --- the four cases, and what comes next ---

// Two layers, the own above the image's: where the file is, and what covers it.
const SIGNS = {
  "read-through": "M4 4h36v9h-36zM4 17h36v9h-36z|M18 19.5h8v4h-8z|M22 1v16",
  "copy-up": "M4 4h36v9h-36zM4 17h36v9h-36z|M18 6.5h8v4h-8z|M22 19v-6",
  "new file": "M4 4h36v9h-36zM4 17h36v9h-36z|M18 6.5h8v4h-8z|",
  whiteout: "M4 4h36v9h-36zM4 17h36v9h-36z||M18.5 5l7 7m0-7l-7 7",
};

function sign(name) {
  const svg = shape("svg", { viewBox: "0 0 44 30", class: "lk-sign-of", "aria-hidden": "true" });
  const kinds = ["lk-sign-layers", "lk-sign-file", "lk-sign-way"];
  SIGNS[name].split("|").forEach((d, n) => d && svg.append(shape("path", { d, class: kinds[n] })));
  return svg;
}

function drawCases(view, picture) {
  keyed(view.cases, picture.cases, (c) => c.name, () => h("li.lk-case"), (item, each) => {
    item.classList.toggle("lk-lit", each.current);
    set(item, { "aria-current": each.current ? "true" : null });
    item.replaceChildren(sign(each.name), h("b", {}, each.name), h("span", {}, each.meaning));
  });
  const known = picture.cases.some((each) => each.current);
  let note = view.cases.nextSibling;
  if (!note) view.cases.after((note = h("p.lk-state")));
  note.hidden = known;
  note.textContent = known ? "" : `${picture.path}: ${picture.meaning}`;
}

function drawActs(view, picture) {
  set(view.acts, { "aria-label": "What would happen next" });
  keyed(view.acts, picture.acts, (a) => a.act, makeAct, (item, act) => {
    const [button, words] = item.children;
    button.replaceChildren(h("b", {}, act.act), h("code", {}, act.docker));
    set(button, {
      title: act.sdk,
      "aria-disabled": act.possible ? null : "true",
      onclick: () => act.possible && view.model.send({ kind: "act", act: act.act }),
    });
    words.textContent = act.would;
  });
  view.acts.hidden = !picture.acts.length;
}

const makeAct = () => h("li.lk-act", {}, h("button.lk-button", { type: "button" }), h("span"));

/** What the last command printed. */
function drawSaid(view, { said }) {
  view.said.hidden = !said;
  if (!said) return;
  const end = said.exit_code ? `, exit code ${said.exit_code}` : "";
  view.said.replaceChildren(h("span.lk-soft", {}, `${said.command}${end}`), h("code", {}, said.output || "printed nothing"));
}

// --- keys, and the voice ---

/** Left and right walk, Escape shows the whole way again. */
function keys(event, view) {
  if (!view.stepper.contains(event.target)) return;
  const [, back, on] = view.stepper.children;
  if (event.key === "ArrowRight" || event.key === "ArrowDown") on.click();
  else if (event.key === "ArrowLeft" || event.key === "ArrowUp") back.click();
  else if (event.key === "Escape") goTo(view, null);
  else return;
  event.preventDefault();
}

function whatChanged(before, now) {
  if (!before || (before.case === now.case && before.path === now.path)) return "";
  return `${now.path} in ${now.container.name}: ${now.case}. ${now.meaning}`;
}

export default { render };
