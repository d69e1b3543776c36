// What a person would notice on a page, gathered in one call. Returns lists of faults.
() => {
  const article = document.querySelector("article");
  const faults = { overflow: [], alt: [], math: [], contrast: [] };
  const hidden = "mjx-assistive-mml, .visually-hidden, .sr-only, script, style, noscript";
  const say = el => `${el.tagName.toLowerCase()}.${el.getAttribute("class") || ""}: ` +
    (el.textContent || "").trim().slice(0, 60);
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth)
    faults.overflow.push(`the page is ${root.scrollWidth} px wide in ${root.clientWidth}`);

  // A text may leave the box of an ancestor only where that ancestor scrolls.
  function cut(el, box) {
    for (let up = el; up && up !== document.body; up = up.parentElement) {
      const flow = getComputedStyle(up).overflowX, edge = up.getBoundingClientRect();
      if (edge.width === 0) continue;
      if (["auto", "scroll"].includes(flow)) return false;
      if (["hidden", "clip"].includes(flow) && box.right > edge.right + 1.5) return true;
    }
    return box.right > root.clientWidth + 1.5 || box.left < -1.5;
  }
  const walker = document.createTreeWalker(article, NodeFilter.SHOW_TEXT);
  const range = document.createRange(), seen = new Set();
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const el = node.parentElement;
    if (!node.data.trim() || el.closest(hidden) || el.closest("mjx-container")) continue;
    range.selectNodeContents(node);
    const boxes = [...range.getClientRects()].filter(b => b.width > 0);
    if (!boxes.length) continue;
    if (boxes.some(b => cut(el, b)) && !seen.has(el)) {
      seen.add(el);
      faults.overflow.push(say(el));
    }
    if (/\$\$|\$[^$]*\\|\\[a-zA-Z]{2,}/.test(node.data) && !el.closest("code, pre"))
      faults.math.push("not set: " + say(el));
    const low = contrast(el);
    if (low) faults.contrast.push(`${low.toFixed(2)} ${say(el)}`);
  }
  for (const text of article.querySelectorAll(".mbrl-fig svg text")) {
    const box = text.getBoundingClientRect();
    const edge = text.closest("svg").getBoundingClientRect();
    if (box.width && (box.left < edge.left - 2 || box.right > edge.right + 2 ||
        box.top < edge.top - 2 || box.bottom > edge.bottom + 2))
      if (getComputedStyle(text.closest("svg")).overflow !== "visible")
        faults.overflow.push("svg " + say(text));
  }

  for (const img of article.querySelectorAll("img")) {
    const alt = (img.getAttribute("alt") || "").trim();
    if (!alt || /\.(png|jpe?g|svg|webp|gif)$/i.test(alt))
      faults.alt.push(`${img.getAttribute("src").slice(0, 60)} has alt "${alt}"`);
    if (img.complete && !img.naturalWidth) faults.alt.push("does not load: " + img.src);
  }

  for (const math of article.querySelectorAll(".math"))
    if (!math.querySelector("mjx-container")) faults.math.push(say(math));
  for (const error of article.querySelectorAll("[data-mml-node=merror], mjx-merror"))
    faults.math.push("error in " + say(error.closest("mjx-container")));

  function channels(colour) {
    const parts = (colour.match(/[\d.]+/g) || []).map(Number);
    return { rgb: parts.slice(0, 3), alpha: parts.length > 3 ? parts[3] : 1 };
  }
  function light(rgb) {
    const [r, g, b] = rgb.map(v => v / 255)
      .map(v => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }
  // The contrast of a text against its background where it is too low, else 0.
  function contrast(el) {
    const style = getComputedStyle(el);
    if (!/^rgb/.test(style.color) || style.visibility === "hidden") return 0;
    if (el.closest("svg, button, .headerlink, .linenos, pre")) return 0;
    let ground = [255, 255, 255], ink = channels(style.color), found = false;
    for (let up = el; up; up = up.parentElement) {
      const { backgroundColor, backgroundImage, opacity } = getComputedStyle(up);
      ink.alpha *= +opacity;
      if (found) continue;
      if (backgroundImage !== "none") return 0;
      if (!/^rgb/.test(backgroundColor)) continue;
      const back = channels(backgroundColor);
      if (back.alpha > 0.9) { ground = back.rgb; found = true; }
    }
    const seen = ink.rgb.map((v, i) => ink.alpha * v + (1 - ink.alpha) * ground[i]);
    const a = light(seen), b = light(ground);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const large = parseFloat(style.fontSize) >= 24 ||
      (parseFloat(style.fontSize) >= 18.6 && +style.fontWeight >= 700);
    return ratio < (large ? 3 : 4.5) ? ratio : 0;
  }
  return faults;
}
