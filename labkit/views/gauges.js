// The gauges: a card for memory, processors and processes; in each the number now, a bar that ends at the limit, and
// the last minute as a line under the limit's line. An OOM kill is a cross on the line and a word above the cards.

const POINTS = 60; // measurements across a chart, one a second
const CHART = [240, 64]; // its own units; it is stretched to the card's width
const NEARLY = 0.9; // of a limit: from here on the bar warns

function render({ model, el }) {
  const parts = frame(el, { title: "Gauges", name: "gauges" });
  const view = { model, parts, before: null };
  view.state = h("span.lk-of");
  view.killed = h("p.lk-killed", { hidden: "" });
  view.cards = h("ul.lk-gauges", { "aria-label": "Gauges" });
  parts.tools.append(view.state);
  parts.drawing.append(view.killed, view.cards);
  parts.legend.append(...legend());
  return live(model, parts, (picture) => {
    drawState(view, picture);
    keyed(view.cards, picture.gauges, (g) => g.name, makeGauge, (card, gauge) => drawGauge(card, gauge, picture));
    parts.voice.textContent = whatChanged(view.before, picture);
    view.before = picture;
  });
}

function legend() {
  return [
    h("span.lk-key", {}, h("i.lk-stroke"), "the last minute"),
    h("span.lk-key", {}, h("i.lk-stroke.lk-stroke-limit"), "limit"),
    h("span.lk-key", {}, h("b.lk-cross", { "aria-hidden": "true" }, "×"), "OOM kill"),
  ];
}

function drawState(view, { container }) {
  const code = container.exit_code === null ? "" : ` (${container.exit_code})`;
  view.state.replaceChildren(
    h("span.lk-name", {}, icon("box"), h("span", {}, container.name)),
    h("span.lk-status", { "data-status": container.status }, `${container.status}${code}`),
  );
  view.killed.hidden = !container.oom_killed;
  view.killed.replaceChildren(
    h("b", {}, "OOM kill. "),
    "A process wanted memory beyond the limit, and the kernel killed it (SIGKILL, exit code 137).",
  );
}

// --- one gauge ---

function makeGauge() {
  const bar = h("div.lk-bar", { role: "meter", "aria-valuemin": "0" }, h("i.lk-fill"), h("i.lk-held"));
  const stretched = { viewBox: `0 0 ${CHART[0]} ${CHART[1]}`, preserveAspectRatio: "none" };
  const chart = shape("svg", { ...stretched, "aria-hidden": "true", class: "lk-chart" });
  const used = h("p.lk-now-used", {}, h("b"), h("span"));
  return h("li.lk-gauge", {}, h("h4"), used, bar, h("div.lk-paper-of", {}, chart), h("p.lk-at-limit"));
}

function drawGauge(card, gauge, picture) {
  const [title, now, bar, paper, at] = card.children;
  const share = gauge.full && gauge.used !== null ? Math.min(1, gauge.used / gauge.full) : 0;
  const near = gauge.limit !== null && share >= NEARLY;
  title.textContent = gauge.title;
  now.children[0].textContent = gauge.used_said;
  now.children[1].textContent = gauge.limit === null ? "no limit" : `of ${gauge.limit_said}`;
  card.dataset.gauge = gauge.name;
  card.classList.toggle("lk-near", near);
  card.classList.toggle("lk-unlimited", gauge.limit === null);
  set(bar, {
    "aria-label": `${gauge.title} in use`,
    "aria-valuenow": gauge.used ?? 0,
    "aria-valuemax": gauge.full ?? Math.max(1, gauge.used ?? 0),
    "aria-valuetext": `${gauge.used_said}, ${gauge.limit === null ? "no limit" : `limit ${gauge.limit_said}`}`,
  });
  bar.children[0].style.width = `${share * 100}%`;
  bar.children[0].hidden = gauge.used === null;
  const held = gauge.name === "cpu" && picture.throttled > 0.05;
  bar.children[1].hidden = !held;
  drawChart(paper.firstChild, paper, gauge, picture.history);
  at.textContent = held
    ? `held back in ${Math.round(picture.throttled * 100)}% of the kernel's periods`
    : gauge.limit === null ? `set one with ${gauge.option}` : `at the limit: ${gauge.at_limit}`;
}

/** The last minute, the newest at the right. The scale ends a little above the limit, or above the highest seen. */
function drawChart(svg, paper, gauge, history) {
  const [width, height] = CHART;
  const values = history.map((point) => point[gauge.name]);
  const highest = Math.max(...values.filter((value) => value !== null), 0);
  const top = (gauge.limit ?? Math.max(highest, 1)) * 1.15;
  const x = (n) => width - (history.length - 1 - n) * (width / (POINTS - 1));
  const y = (value) => height - 2 - (value / top) * (height - 4);
  const known = values.map((value, n) => (value === null ? null : [x(n), y(Math.min(value, top))])).filter(Boolean);
  const line = known.map(([px, py]) => `${px.toFixed(1)} ${py.toFixed(1)}`).join("L");
  svg.replaceChildren();
  if (known.length > 1) {
    const [left, right] = [known[0][0].toFixed(1), known.at(-1)[0].toFixed(1)];
    svg.append(shape("path", { class: "lk-area", d: `M${line}L${right} ${height}L${left} ${height}z` }));
    svg.append(shape("path", { class: "lk-trace", d: `M${line}` }));
  }
  if (gauge.limit !== null) svg.append(shape("path", { class: "lk-limit", d: `M0 ${y(gauge.limit).toFixed(1)}H${width}` }));
  for (const mark of [...paper.querySelectorAll(".lk-cross")]) mark.remove();
  if (gauge.name !== "memory") return;
  history.forEach((point, n) => {
    if (!point.oom) return;
    const mark = h("b.lk-cross", { title: "OOM kill" }, "×");
    mark.style.left = `${(x(n) / width) * 100}%`;
    mark.style.top = `${(y(gauge.limit ?? point.memory ?? 0) / height) * 100}%`;
    paper.append(mark);
  });
}

/** Numbers change each second, so they are not spoken; a state, an OOM kill and a nearly reached limit are. */
function whatChanged(before, now) {
  if (!before) return "";
  const words = [];
  const { container } = now;
  if (before.container.status !== container.status) words.push(`${container.name} is ${container.status}`);
  if (container.oom_killed && !before.container.oom_killed) words.push("OOM kill: a process wanted memory beyond the limit");
  const near = (gauge) => gauge.limit !== null && gauge.used !== null && gauge.used / gauge.limit >= NEARLY;
  now.gauges.forEach((gauge, n) => {
    if (near(gauge) && !near(before.gauges[n])) words.push(`${gauge.title} nearly at the limit`);
  });
  return words.join(". ");
}

export default { render };
