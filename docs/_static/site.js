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
    const button = document.createElement("button");
    button.className = "mt-enlarge";
    button.textContent = "Enlarge";
    const name = caption?.querySelector("strong")?.textContent.replace(/\.$/, "");
    button.setAttribute("aria-label", "Enlarge " + (name ? name.toLowerCase() : "the figure: " + (picture.alt || picture.ariaLabel || "")));
    for (const o of [button, picture]) o.addEventListener("click", () => enlarge(picture, caption));
    if (caption) caption.append(" ", button); else picture.closest(".output").append(button);
  }
});
