// Draws the interactive figures of mbrl_edu.viz. Every value was computed in Python and
// travels in the figure; this script only looks values up and draws them.
const unpack = text => Uint8Array.from(atob(text), c => c.charCodeAt(0)).buffer;

// A number in print, as by plain() in figure.py: 4 digits, a true minus, powers of ten.
function number(v) {
  v = +v.toPrecision(4);
  if (v === 0 || Math.abs(v) >= 1e-4 && Math.abs(v) < 1e6) return String(v).replace("-", "\u2212");
  const [digits, power] = v.toExponential().split("e");
  const raised = [...power].map(c => "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079"[c]
    || (c === "-" ? "\u207b" : "")).join("");
  return (digits + "\u00b7").replace(/^(-?)1\u00b7$/, "$1").replace("-", "\u2212") + "10" + raised;
}

// A new element; attributes and text are set as such, never parsed as HTML.
function make(tag, attributes = {}, text = "") {
  const svg = ["svg", "path"].includes(tag);
  const el = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) el.setAttribute(name, value);
  el.append(text);
  return el;
}

function hide(el, yes) { el.style.display = yes ? "none" : ""; }

// In front of this file stands the player of the figure's kind (curve.js, grid.js or
// frames.js): player(data, out) returns
//   draw(o): shows combination o and returns a line of text;
// and, where single values can be read,
//   find(fx, fy): the position under a point, given as fractions of the drawing,
//   step(at, dx, dy): the neighbour of position at,
//   read(at, o): moves the cursor there and returns the values as text.

// A play button for one slider: runs to the last value, from there starts again.
function playButton(root, slider, range, changed) {
  const icon = make("path"), picture = make("svg", { viewBox: "0 0 16 16", "aria-hidden": true });
  const button = make("button", { type: "button", "aria-label": "Play " + slider.name });
  const note = root.querySelector(".mbrl-note");
  let timer = null;
  function set(on) {
    clearInterval(timer);
    timer = on ? setInterval(tick, slider.play) : null;
    button.setAttribute("aria-pressed", on);
    note.setAttribute("aria-live", on ? "off" : "polite");
    icon.setAttribute("d", on ? "M3 2h4v12H3zM9 2h4v12H9z" : "M4 1.5v13l10-6.5z");
  }
  function go(value) { range.value = value; changed(); }
  function tick() {
    if (!root.isConnected) return set(false);
    go(+range.value + 1);
    if (range.value === range.max) set(false);
  }
  function toggle() {
    if (!timer && range.value === range.max) go(0);
    set(!timer);
  }
  picture.append(icon);
  button.append(picture);
  button.addEventListener("click", toggle);
  root.addEventListener("keydown", event => {
    if (event.key !== " " || event.target.closest("button, a, video")) return;
    event.preventDefault();
    toggle();
  });
  set(false);
  return button;
}

// One row: name, range, value and, where the slider plays, its button.
function control(root, slider, changed) {
  const row = make("div", { class: "mbrl-row" }), shown = make("output");
  const range = make("input", { type: "range", min: 0, max: slider.values.length - 1, step: 1,
    "aria-label": slider.name, autocomplete: "off" });
  const update = () => {
    shown.textContent = slider.values[+range.value];
    range.setAttribute("aria-valuetext", shown.textContent);
    changed(+range.value);
  };
  range.value = slider.start;
  range.addEventListener("input", update);
  if (slider.play) {
    row.classList.add("mbrl-plays");
    row.append(playButton(root, slider, range, update));
  }
  row.append(make("span", {}, slider.name), range, shown);
  shown.textContent = slider.values[slider.start];
  range.setAttribute("aria-valuetext", shown.textContent);
  return row;
}

// Values are read by pointing, tapping, or with the arrow keys once the drawing has focus.
function reader(root, view, index) {
  const out = root.querySelector(".mbrl-out"), drawing = out.querySelector("svg[role=img]");
  const line = make("div", { class: "mbrl-read", "aria-live": "polite" });
  const keys = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const hint = "Point, tap or use the arrow keys to read values.";
  let at = null;
  const refresh = () => { line.textContent = view.read(at, index()) || hint; };
  const move = to => { at = to; refresh(); };
  const point = event => {
    const box = drawing.getBoundingClientRect();
    move(view.find((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height));
  };
  drawing.setAttribute("tabindex", 0);
  drawing.addEventListener("pointermove", point);
  drawing.addEventListener("pointerdown", point);
  drawing.addEventListener("pointerleave", e => { if (e.pointerType === "mouse") move(null); });
  drawing.addEventListener("blur", () => move(null));
  drawing.addEventListener("keydown", event => {
    if (!(event.key in keys)) return;
    event.preventDefault();
    move(at === null ? view.find(0.5, 0.5) : view.step(at, ...keys[event.key]));
  });
  root.querySelector(".mbrl-note").after(line);
  return refresh;
}

function start(root) {
  root.mbrlStarted = true;
  const data = JSON.parse(root.querySelector("script[type='application/json']").textContent);
  const ctl = root.querySelector(".mbrl-ctl"), note = root.querySelector(".mbrl-note");
  const at = data.sliders.map(s => s.start);
  const index = () => data.sliders.reduce((o, s, i) => o * s.values.length + at[i], 0);
  const view = player(data, root.querySelector(".mbrl-out"));
  root.querySelectorAll(".mbrl-read").forEach(el => el.remove());
  const refresh = view.read ? reader(root, view, index) : () => {};
  const redraw = () => {
    const text = view.draw(index());
    note.textContent = data.notes ? data.notes[index()] : text;
    hide(note, !note.textContent);
    refresh();
  };
  ctl.replaceChildren(...data.sliders.map((s, i) =>
    control(root, s, value => { at[i] = value; redraw(); })));
  redraw();
}

// A page may hold several figures, and each brings this script: whichever runs first starts
// every figure made by the same version that is there and not yet started.
for (const root of document.querySelectorAll(".mbrl-fig[data-script='@SCRIPT@']"))
  if (!root.mbrlStarted) start(root);
