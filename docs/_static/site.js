// The current page in sight in the sidebar (the theme keeps the old scroll position), also when the phone's menu opens
function showHere() {
  const here = document.querySelector(".bd-docs-nav li.current > a");
  const bar = here && here.closest("dialog[open], .bd-sidebar-primary");
  if (!bar) return;
  const box = bar.getBoundingClientRect(), at = here.getBoundingClientRect();
  if (at.top < box.top || at.bottom > Math.min(box.bottom, innerHeight)) bar.scrollTop += at.top - box.top - innerHeight/3;
}
addEventListener("load", showHere);

// A copy button is called by the first line that it copies; what scrolls sideways can be focused
addEventListener("load", () => {
  for (const o of document.querySelectorAll("button.copybtn"))
    o.setAttribute("aria-label", "Copy to clipboard: " + o.parentElement.querySelector("pre").textContent.trim().split("\n")[0].slice(0, 50));
  const wide = new ResizeObserver(seen => seen.forEach(({ target: o }) => {
    for (const part of o.matches("pre") ? [o] : [o, ...o.children]) part.tabIndex = part.scrollWidth > part.clientWidth + 1 ? 0 : -1;
  }));
  document.querySelectorAll("div.math, .cell_output pre, .example-output pre").forEach(o => wide.observe(o));
});

// On paper every fold is open (not all browsers can do that by style alone)
addEventListener("beforeprint", () => document.querySelectorAll("article details:not([open])").forEach(o => {
  o.open = true;
  addEventListener("afterprint", () => o.open = false, { once: true });
}));

// Panels with scales that stand side by side stand one above the other on a phone, the left one first; a scale that they share is given to each
function stackPanels(svg, caption) {
  if (!svg.querySelector(".ay :is(use, text)")) return;  // pictures without scales
  const room = svg.viewBox.baseVal, on = svg.getBoundingClientRect(), unit = room.width/on.width;
  const around = parts => {
    const boxes = parts.map(o => o.getBoundingClientRect()).filter(o => o.width || o.height);
    const least = key => Math.min(...boxes.map(o => o[key])), most = key => Math.max(...boxes.map(o => o[key]));
    return {left: (least("left") - on.left)*unit, right: (most("right") - on.left)*unit, top: (least("top") - on.top)*unit,
      bottom: (most("bottom") - on.top)*unit};
  };
  const union = parts => ({left: Math.min(...parts.map(o => o.left)), right: Math.max(...parts.map(o => o.right)),
    top: Math.min(...parts.map(o => o.top)), bottom: Math.max(...parts.map(o => o.bottom))});
  const parts = [...svg.querySelector("g").children].filter(o => o.tagName == "g" && o.children.length), axes = [], rest = [];
  for (const g of parts) {
    if (!g.matches(".ax")) { rest.push({g, ...around([g])}); continue; }
    const inside = [...g.querySelectorAll("path, use, text, image")].filter(o => !o.closest("[clip-path], defs"));  // what is cut off may be far away
    axes.push({g, frame: around([g.firstElementChild]), ...around(inside)});
  }
  const columns = [];
  for (const o of axes.sort((a, b) => a.frame.left - b.frame.left)) {
    const last = columns.at(-1), narrow = o.frame.right - o.frame.left < 0.12*room.width;  // a bar of colours, beside its panel
    if (last && (narrow || o.frame.left < Math.max(...last.map(p => p.frame.right)) - 1)) last.push(o); else columns.push([o]);
  }
  const sizes = columns.map(o => o[0].frame.right - o[0].frame.left);
  if (columns.length < 2 || columns.length > 3 || Math.min(...sizes) < 0.15*room.width) return;
  for (const o of rest) if (o.bottom - o.top > 2*(o.right - o.left)) columns[0].push(o);  // a title of all vertical scales
  const wide = rest.filter(o => !columns[0].includes(o) && o.bottom - o.top < 0.5*room.height);
  const spans = columns.map(union), gap = columns[0][0].frame.left - union(columns[0].filter(o => o.frame)).left;
  const labels = o => o.g.querySelectorAll(".ay :is(use, text)").length;
  columns.slice(1).forEach((column, i) => column.forEach(o => {
    const twin = columns[0].find(p => p.frame && Math.abs(p.frame.top - o.frame.top) + Math.abs(p.frame.bottom - o.frame.bottom) < 2);
    if (!twin || labels(twin) < 1.5*labels(o) + 1) return;
    const copy = twin.g.querySelector(".ay").cloneNode(true);
    copy.setAttribute("transform", `translate(${o.frame.left - twin.frame.left} 0)`);
    o.g.querySelector(".ay")?.remove();
    o.g.append(copy);
    spans[i + 1].left = Math.min(spans[i + 1].left, o.frame.left - gap);
  }));
  const width = Math.max(...spans.map(o => o.right - o.left)), moves = [];
  let y = 4;
  const place = (parts, box) => {
    const scale = Math.min(1, width/(box.right - box.left));
    for (const o of parts) moves.push([o.g, `translate(${4 - box.left*scale} ${y - box.top*scale}) scale(${scale})`]);
    y += (box.bottom - box.top)*scale + 12;
  };
  const above = o => o.top < Math.min(...axes.map(p => p.frame.top));
  for (const o of wide.filter(above)) place([o], o);
  columns.forEach((o, i) => place(o, spans[i]));
  for (const o of wide.filter(o => !above(o))) place([o], o);
  for (const o of rest) if (!wide.includes(o) && !columns[0].includes(o)) o.g.remove();  // the ground of the whole
  for (const [g, move] of moves) g.setAttribute("transform", move);
  svg.setAttribute("viewBox", `${room.x} ${room.y} ${width + 8} ${y}`);
  svg.style.setProperty("--wide", "100%");
  caption?.append(" Here the panels stand one above the other, the left one first.");
}

// A figure as large as the window: by its button, or a tap on it
addEventListener("DOMContentLoaded", () => {
  document.querySelector(".primary-toggle")?.addEventListener("click", () => setTimeout(showHere));
  const zoom = document.createElement("dialog");
  zoom.className = "mt-zoom";
  zoom.addEventListener("click", e => { if (!e.target.closest("p")) zoom.close(); });
  zoom.addEventListener("close", () => zoom.replaceChildren());
  document.body.append(zoom);

  function enlarge(picture, caption) {
    const room = document.createElement("div"), close = document.createElement("button"), box = picture.getBoundingClientRect();
    close.textContent = "×";
    close.setAttribute("aria-label", "Close");
    room.className = picture.closest(".plate") ? "plate" : "";
    room.style.setProperty("--ratio", box.width/box.height);
    room.append(picture.cloneNode(true));
    zoom.setAttribute("aria-label", caption ? caption.querySelector("strong")?.textContent ?? "Figure" : "Figure");
    zoom.replaceChildren(close, room);
    if (caption) {
      const text = document.createElement("p");
      text.append(...[...caption.childNodes].filter(o => o.className != "mt-enlarge").map(o => o.cloneNode(true)));
      zoom.append(text);
    }
    zoom.showModal();
  }
  const drawn = document.querySelectorAll("article :is(.mt-figure > svg, .mt-diagram > div > svg, .cell_output .output.image_png img)");
  for (const picture of drawn) {
    const next = picture.closest(".cell")?.nextElementSibling;
    const caption = next?.matches(".figure-caption") ? next : null;
    if (innerWidth < 600 && picture.closest(".mt-figure")) stackPanels(picture, caption);
    const button = document.createElement("button");
    button.className = "mt-enlarge";
    button.textContent = "Enlarge";
    const name = caption?.querySelector("strong")?.textContent.replace(/\.$/, "");
    button.setAttribute("aria-label", "Enlarge " + (name ? name.toLowerCase() : "the figure: " + (picture.alt || picture.ariaLabel || "")));
    for (const o of [button, picture]) o.addEventListener("click", () => enlarge(picture, caption));
    if (caption) caption.append(" ", button); else picture.closest(".output").append(button);
  }
});
