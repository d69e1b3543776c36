// Cell values over time, with optional arrows and an agent that walks.
function player(data, out) {
  const levels = new Uint16Array(unpack(data.q)), { w, h } = data, size = w * h;
  const top = 65533, wall = 65534, none = 65535; // the highest level; no level at all
  const masks = data.policy && new Uint8Array(unpack(data.policy));
  const cells = out.querySelectorAll(".mbrl-board .c"), cursor = out.querySelector(".mbrl-cell");
  const arrows = out.querySelectorAll(".mbrl-arrows"), agent = out.querySelector(".mbrl-agent");
  const trail = out.querySelector(".mbrl-trail"), steps = data.colors.length / 6 - 1;
  const column = i => i % w, row = i => Math.floor(i / w);
  const unit = 40, middle = k => k * unit + unit / 2; // side of a cell in the drawing
  const centre = i => middle(column(i)) + " " + middle(row(i));
  const beside = (i, j) => Math.abs(row(i) - row(j)) + Math.abs(column(i) - column(j)) <= 1;

  function paint(o) {
    cells.forEach((cell, i) => {
      const level = levels[o * size + i], k = 6 * Math.round(steps * level / top);
      cell.classList.toggle("w", level === wall);
      cell.classList.toggle("n", level === none);
      cell.setAttribute("fill", level > top ? "none" : "#" + data.colors.slice(k, k + 6));
    });
  }
  function point(o) {
    let path = "";
    for (let i = 0; i < size; i++)
      data.arrows.forEach((shape, a) => {
        const mask = masks[o * size + i], lone = mask === 1 << a;
        if (mask >> a & 1) path += "M" + centre(i) + (lone ? shape[0] : shape[1]);
      });
    arrows.forEach(el => el.setAttribute("d", path));
  }
  function walk(o) {
    const now = data.agent[o];
    let path = "", last = -1;
    for (let t = Math.max(0, o - data.trail); t <= o; t++) {
      const i = data.agent[t];
      if (i >= 0) path += (last >= 0 && beside(i, last) ? "L" : "M") + centre(i);
      last = i;
    }
    trail.setAttribute("d", path);
    hide(agent, now < 0);
    agent.setAttribute("cx", middle(column(now)));
    agent.setAttribute("cy", middle(row(now)));
  }
  return {
    draw(o) {
      paint(o);
      if (masks) point(o);
      if (data.agent) walk(o);
      return "";
    },
    find(fx, fy) {
      const margin = 0.05; // cells, around the board
      const c = Math.floor(fx * (w + 2 * margin) - margin);
      const r = Math.floor(fy * (h + 2 * margin) - margin);
      return c < 0 || r < 0 || c >= w || r >= h ? null : r * w + c;
    },
    step(at, dx, dy) {
      const c = Math.max(0, Math.min(w - 1, column(at) + dx));
      return Math.max(0, Math.min(h - 1, row(at) + dy)) * w + c;
    },
    read(at, o) {
      hide(cursor, at === null);
      if (at === null) return "";
      cursor.setAttribute("d", `M${unit * column(at)} ${unit * row(at)}h40v40h-40z`);
      const level = levels[o * size + at], [low, high] = data.range;
      const value = (low + (high - low) * level / top).toFixed(data.digits);
      const text = level === wall ? "wall" : level === none ? "no value"
        : value.replace("-", "\u2212") + data.units;
      return `cell ${at} (row ${row(at)}, column ${column(at)}): ${text}`;
    },
  };
}
