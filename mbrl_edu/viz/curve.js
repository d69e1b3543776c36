// Curves: y of every combination of slider values over a common x.
function player(data, out) {
  const all = new Float32Array(unpack(data.y)), n = data.x.length, m = data.labels.length;
  const lines = out.querySelectorAll(".mbrl-plot .mbrl-line");
  const dots = out.querySelectorAll(".mbrl-dot"), cursor = out.querySelector(".mbrl-cursor");
  const scale = data.log ? Math.log10 : v => v, [low, high] = data.ylim.map(scale);
  const top = v => 1000 * (high - scale(v)) / (high - low);
  const name = j => data.labels[j] ? data.labels[j] + ": " : "";

  function trace(y) {
    let path = "", pen = "M";
    y.forEach((v, i) => {
      if (isNaN(v)) { pen = "M"; return; }
      const height = Math.max(-1e5, Math.min(1e5, top(v)));
      path += pen + data.px[i] + " " + height.toFixed(1);
      pen = "L";
    });
    return path;
  }
  function best(y) {
    let k = -1;
    y.forEach((v, i) => {
      if (!isNaN(v) && (k < 0 || (data.mark === "min" ? v < y[k] : v > y[k]))) k = i;
    });
    return k;
  }
  return {
    draw(o) {
      const found = [];
      for (let j = 0; j < m; j++) {
        const y = all.subarray((o * m + j) * n, (o * m + j + 1) * n);
        lines[j].setAttribute("d", trace(y));
        const k = data.marked.includes(j) ? best(y) : -1;
        const inside = k >= 0 && top(y[k]) >= 0 && top(y[k]) <= 1000;
        hide(dots[j], !inside);
        if (k < 0) continue;
        dots[j].setAttribute("cx", data.px[k] / 10 + "%");
        if (inside) dots[j].setAttribute("cy", top(y[k]) / 10 + "%");
        found.push(`${name(j)}${data.mark} ${number(y[k])} at ${data.xlabel} = ` +
          number(data.x[k]));
      }
      return found.join("; ");
    },
    find(fx) {
      let k = 0;
      data.px.forEach((p, i) => {
        if (Math.abs(p - 1000 * fx) < Math.abs(data.px[k] - 1000 * fx)) k = i;
      });
      return k;
    },
    step(at, dx) { return Math.max(0, Math.min(n - 1, at + dx)); },
    read(at, o) {
      hide(cursor, at === null);
      if (at === null) return "";
      ["x1", "x2"].forEach(a => cursor.setAttribute(a, data.px[at] / 10 + "%"));
      const values = data.labels.map((label, j) => {
        const v = all[(o * m + j) * n + at];
        return name(j) + (isNaN(v) ? "no value" : number(v));
      });
      return `${data.xlabel} = ${number(data.x[at])}: ` + values.join("; ");
    },
  };
}
