// The services: a card for each, plugged into its networks, which are drawn as cables. A request is a dot that runs
// from the caller over the network that both are on; one that fails ends in a cross. In a narrow window the cards stand
// under one another and the cables run down at their left.

const RUN = 900; // milliseconds that a request is on its way

function render({ model, el }) {
  const parts = frame(el, { title: "Services", name: "services" });
  const view = { model, parts, chosen: null, before: null };
  view.town = h("div.lk-town");
  view.notebook = h("div.lk-notebook", {}, icon("host"), "this notebook");
  view.cards = h("ul.lk-cards", { "aria-label": "Services" });
  view.cables = h("ul.lk-cables", { "aria-label": "Networks" });
  view.lines = shape("svg", { class: "lk-lines", "aria-hidden": "true" });
  view.town.append(view.notebook, view.cards, view.cables, view.lines);
  parts.drawing.append(view.town);
  parts.root.addEventListener("keydown", (event) => keys(event, view));
  const sizes = new ResizeObserver(() => drawPlugs(view, model.get("picture")));
  sizes.observe(view.town);
  const undo = live(model, parts, (picture) => {
    draw(view, picture);
    parts.legend.replaceChildren(...legend(picture));
    run(view, view.before, picture);
    parts.voice.textContent = whatChanged(view.before, picture);
    view.before = picture;
  });
  return () => (undo(), sizes.disconnect());
}

function draw(view, picture) {
  view.notebook.hidden = !picture.probing;
  keyed(view.cables, picture.networks, (n) => n, () => h("li.lk-cable"), (cable, name) => {
    cable.style.setProperty("--lk-own", hue(name, picture));
    cable.replaceChildren(h("span", {}, name));
  });
  keyed(view.cards, picture.services, (s) => s.name, makeCard, (card, service) => drawCard(view, card, service, picture));
  drawPlugs(view, picture);
  showDetails(view, picture);
}

const hue = (network, picture) => `var(--lk-hue-${Math.max(0, picture.networks.indexOf(network)) % 6})`;

function legend(picture) {
  const key = (mark, words) => h("span.lk-key", {}, mark, words);
  const wire = (name) => {
    const mark = h("i.lk-wire");
    mark.style.setProperty("--lk-own", hue(name, picture));
    return key(mark, `network ${name}`);
  };
  const requests = [
    key(h("i.lk-dot"), "a request that is answered"),
    key(h("b.lk-cross", { "aria-hidden": "true" }, "×"), "a request that fails"),
  ];
  return [...picture.networks.map(wire), ...(picture.probing ? requests : [])];
}

// --- cards ---

const makeCard = () =>
  h("li.lk-service", {}, h("button.lk-head", { type: "button" }), h("p.lk-image-of"), h("p.lk-flow"), h("p.lk-state"));

function drawCard(view, card, service, picture) {
  const [head, image, flow, state] = card.children;
  const gone = service.status === "removed";
  card.dataset.service = service.name;
  card.classList.toggle("lk-dead", service.status !== "running");
  card.classList.toggle("lk-gone", gone);
  card.classList.toggle("lk-failing", service.requests?.last === "failed");
  card.classList.toggle("lk-chosen", view.chosen === service.name);
  if (card.dataset.container && card.dataset.container !== service.key) animate(card, "lk-arrives");
  card.dataset.container = service.key;
  const code = service.exit_code === null ? "" : ` (${service.exit_code})`;
  head.replaceChildren(...[
    h("span.lk-name", {}, icon("box"), h("span", {}, service.name)),
    h("span.lk-status", { "data-status": service.status }, `${service.status}${code}`),
    service.health ? h("span.lk-health", { "data-health": service.health }, service.health) : null,
    service.replaced ? h("span.lk-again", {}, "a replacement") : null,
  ].filter(Boolean));
  set(head, { "aria-expanded": view.chosen === service.name ? "true" : "false", onclick: () => choose(view, service.name) });
  image.textContent = [service.image, ...service.ports].join("  ");
  flow.hidden = !service.requests;
  if (service.requests) flow.replaceChildren(...counts(service));
  state.hidden = !gone;
  state.textContent = gone ? "its place is empty" : "";
}

function counts({ requests, called_by: caller }) {
  return [
    h("span.lk-soft", {}, caller ? `asked by ${caller}: ` : "asked: "),
    h("b", {}, String(requests.answered)),
    " answered, ",
    h(requests.failed ? "b.lk-bad" : "b", {}, String(requests.failed)),
    " failed",
  ];
}

// --- cables and what runs along them ---

/** Whether the cables run down at the side, as in a narrow window. */
const upright = (view) => getComputedStyle(view.cables).flexDirection === "row";

/** Where a card is plugged into a cable: [point on the card, point on the cable], in the drawing's coordinates. */
function plug(view, name, network, picture) {
  const town = view.town.getBoundingClientRect();
  const box = view.cards.querySelector(`[data-service="${CSS.escape(name)}"]`)?.getBoundingClientRect();
  const cable = [...view.cables.children].find((c) => c.dataset.key === network && !c.dataset.leaving)?.getBoundingClientRect();
  if (!box || !cable) return null;
  const aside = 14 * (picture.networks.indexOf(network) - (picture.networks.length - 1) / 2);
  if (upright(view)) {
    const y = box.top + box.height / 2 + aside - town.top;
    return [[box.left - town.left, y], [cable.left + cable.width / 2 - town.left, y]];
  }
  const x = box.left + box.width * 0.68 + aside - town.left; // beside the cable's name, which stands at its left end
  return [[x, box.bottom - town.top], [x, cable.top + cable.height / 2 - town.top]];
}

function drawPlugs(view, picture) {
  for (const wire of [...view.lines.querySelectorAll(".lk-plug")]) wire.remove();
  for (const service of picture.services) {
    if (service.status === "removed") continue;
    for (const { name } of service.networks) {
      const ends = plug(view, service.name, name, picture);
      if (!ends) continue;
      const kind = service.status === "running" ? "" : " lk-loose";
      const wire = shape("path", { d: `M${ends[0]}L${ends[1]}`, class: `lk-plug${kind}` });
      const knob = shape("circle", { cx: ends[1][0], cy: ends[1][1], r: 4.5, class: `lk-plug lk-knob${kind}` });
      for (const part of [wire, knob]) part.style.setProperty("--lk-own", hue(name, picture));
      view.lines.append(wire, knob);
    }
  }
}

/** The way of a request: from the caller over the cable that both are plugged into, or down from the notebook. */
function route(view, service, picture) {
  const caller = picture.services.find((s) => s.name === service.called_by);
  if (caller) {
    const shared = caller.networks.map((n) => n.name).find((name) => service.networks.some((n) => n.name === name));
    const [from, to] = [plug(view, caller.name, shared, picture), plug(view, service.name, shared, picture)];
    return from && to && `M${from[0]}L${from[1]}L${to[1]}L${to[0]}`;
  }
  const town = view.town.getBoundingClientRect();
  const box = view.cards.querySelector(`[data-service="${CSS.escape(service.name)}"]`)?.getBoundingClientRect();
  const start = view.notebook.getBoundingClientRect();
  if (!box || view.notebook.hidden) return null;
  const [x, y] = [box.left + Math.min(box.width / 2, 120) - town.left, box.top - town.top];
  const out = [start.left + start.width / 2 - town.left, start.bottom - town.top];
  return `M${out}L${out[0]} ${(out[1] + y) / 2}L${x} ${(out[1] + y) / 2}L${x} ${y}`;
}

/** Let the requests of the last round run, each once. */
function run(view, before, picture) {
  if (!before || calm()) return;
  for (const service of picture.services) {
    const old = before.services.find((s) => s.name === service.name);
    if (!service.requests || service.requests.round === (old?.requests?.round ?? 0)) continue;
    const way = route(view, service, picture);
    if (way) send(view, way, service.requests.last === "answered");
  }
}

function send(view, way, good) {
  const dot = good
    ? shape("circle", { r: 5, class: "lk-runner" })
    : shape("path", { d: "M-4 -4L4 4M4 -4L-4 4", class: "lk-runner lk-lost" });
  dot.style.offsetPath = `path("${way}")`;
  dot.style.offsetRotate = "0deg";
  view.lines.append(dot);
  const moving = dot.animate([{ offsetDistance: "0%" }, { offsetDistance: "100%" }], { duration: RUN, easing: "ease-in-out" });
  moving.onfinish = () => dot.remove();
}

// --- choosing, keys, and the voice ---

function choose(view, name) {
  view.chosen = view.chosen === name ? null : name;
  draw(view, view.model.get("picture"));
}

function showDetails(view, picture) {
  const service = picture.services.find((s) => s.name === view.chosen);
  if (!service) return details(view.parts.details, "", null);
  const places = service.networks.flatMap(({ name, address, names }) => [
    [`names on ${name}`, names.join(", ")],
    [`address on ${name}`, address],
  ]);
  details(view.parts.details, service.name, [
    ["container", `${service.status}, ${service.key.slice(0, 12)}${service.replaced ? ", a replacement" : ""}`],
    ["health", service.health],
    ["image", service.image],
    ["published", service.ports.join(", ")],
    ...places,
    ["called by", service.requests && (service.called_by || "this notebook")],
    ["last failure", service.requests?.said],
  ]);
}

/** Arrow keys walk the services; Escape closes the details. */
function keys(event, view) {
  walkAlong(event, [...view.cards.querySelectorAll(".lk-head")], view, choose);
}

function whatChanged(before, now) {
  if (!before) return "";
  const words = [];
  for (const service of now.services) {
    const old = before.services.find((s) => s.name === service.name);
    if (!old) words.push(`${service.name} is there`);
    else if (old.key !== service.key) words.push(`${service.name} has been replaced, and is ${service.status}`);
    else if (old.status !== service.status) words.push(`${service.name} is ${service.status}`);
    else if (old.health !== service.health && service.health) words.push(`${service.name} is ${service.health}`);
    if (old?.requests && old.requests.last !== service.requests?.last && service.requests?.last)
      words.push(`requests to ${service.name} ${service.requests.last === "failed" ? "fail" : "are answered"}`);
  }
  return words.join(". ");
}

export default { render };
