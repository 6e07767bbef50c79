// Search while typing, in the dialog and on search.html, and marks on the page that a hit leads to. The index is a script, so
// that it can be read without a server; it is loaded when the search is opened.
(() => {
  const root = document.documentElement.dataset.content_root || "";
  let loading;
  const load = () => loading ||= new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = `${root}_static/search-index.js`;
    script.onload = () => done(sectionIndex);
    script.onerror = failed;
    document.head.append(script);
  });
  const element = (tag, name, ...inside) => {
    const out = document.createElement(tag);
    if (name) out.className = name;
    out.append(...inside);
    return out;
  };

  function entry(hit, pieces) {
    const link = element("a", "hit"), [, number, title] = hit.title.match(/^(\d\d) (.*)$/) || [null, "", hit.title];
    const words = [...hit.marks].filter(o => o.length > 2).map(o => o.replace(/[ie]$/, ""));
    link.href = `${root}${hit.path}${words.length ? `?mark=${encodeURIComponent(words.join("."))}` : ""}${hit.id && `#${hit.id}`}`;
    const head = element("span", "hit-page", ...number ? [element("b", "", number), " "] : [], title);
    const text = element("span", "hit-text", ...pieces.map(([o, mark]) => mark ? element("mark", "", o) : o));
    link.append(head, ...hit.id ? [element("span", "hit-section", hit.heading)] : [], text);
    return element("li", hit.kind, link);
  }

  const grouped = hits => hits.reduce((pages, o) => pages.set(o.path, [...pages.get(o.path) || [], o]), new Map());

  function attach(input, box) {
    const status = element("p", "hit-count"), list = element("ol", "hits"), rest = element("button", "hit-more");
    status.setAttribute("role", "status");
    rest.type = "button";
    rest.hidden = true;
    box.append(status, list, rest);
    let asked = "";
    async function show(all = false) {
      const text = input.value;
      if (text == asked && !all) return;
      asked = text;
      if (!text.trim()) { status.textContent = ""; list.replaceChildren(); rest.hidden = true; return; }
      let index;
      try { index = await load(); } catch { status.textContent = "The index of the search could not be loaded."; return; }
      if (text != input.value) return;
      const found = index.search(text), had = found.length, key = o => `${o.path}#${o.id}`;
      const weaker = all ? index.search(text, {all}).filter(o => !found.some(p => key(p) == key(o))) : [];
      const hits = [...[...grouped(found).values()].flat(), ...weaker];
      list.replaceChildren(...hits.map(o => entry(o, index.excerpt(o))));
      const plural = (n, what) => `${n} ${what}${n == 1 ? "" : "s"}`;
      status.textContent = hits.length ? `${plural(hits.length, "section")} on ${plural(new Set(hits.map(o => o.path)).size, "page")}` : "Nothing matches these words.";
      rest.hidden = all || !found.more;
      rest.textContent = `Show ${found.more} more, less close`;
      if (all) list.children[had]?.querySelector("a").focus();
    }
    let timer;
    rest.addEventListener("click", () => show(true));
    input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(show, 60); });
    input.addEventListener("focus", () => load().catch(() => {}), {once: true});
    box.parentElement.addEventListener("keydown", e => {
      const step = {ArrowDown: 1, ArrowUp: -1}[e.key], places = [input, ...list.querySelectorAll("a")];
      const at = places.indexOf(document.activeElement);
      if (!step || at < 0) return;
      e.preventDefault();
      places[Math.max(0, Math.min(places.length - 1, at + step))].focus();
    });
    return show;
  }

  const dialog = document.getElementById("pst-search-dialog"), page = document.getElementById("search-results");
  if (dialog) {
    const box = element("div", "hit-box");
    dialog.append(box);
    attach(dialog.querySelector("input"), box);
  }
  if (page) {
    const input = page.parentElement.querySelector("form input"), show = attach(input, page);
    input.value = new URLSearchParams(location.search).get("q") || "";
    input.focus();
    page.parentElement.querySelector("form").addEventListener("submit", e => { e.preventDefault(); show(); });
    show();
  }

  // The page that a hit leads to: its words are marked in the section, and Escape takes the marks away
  const words = new URLSearchParams(location.search).get("mark"), article = document.querySelector("article");
  if (!words || !article) return;
  const letters = o => [...o].map(c => c.replace(/[^\p{L}\p{N}]/u, "\\$&")).join("[-_. ]?");
  const found = new RegExp(`(?<![\\p{L}\\p{N}])(?:${words.split(".").filter(Boolean).map(letters).join("|")})[\\p{L}\\p{N}]*`, "giu");
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const section = target && (target.closest("section") || target);
  const walker = document.createTreeWalker(section || article, NodeFilter.SHOW_TEXT, o =>
    o.parentElement.closest("script, style, math, svg, button, .mt-widget") || section && o.parentElement.closest("section") != section
      ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT);
  const texts = [];
  while (walker.nextNode()) texts.push(walker.currentNode);
  const marks = [];
  for (const node of texts) {
    const parts = [];
    let at = 0;
    for (const m of node.data.matchAll(found)) {
      const mark = element("mark", "search-hit", m[0]);
      parts.push(node.data.slice(at, m.index), mark);
      marks.push(mark);
      at = m.index + m[0].length;
    }
    if (at) node.replaceWith(...parts, node.data.slice(at));
  }
  target?.closest("details")?.setAttribute("open", "");
  (target || marks[0])?.scrollIntoView(target ? {} : {block: "center"});
  addEventListener("keydown", e => {
    if (e.key != "Escape") return;
    for (const o of marks.splice(0)) { o.replaceWith(o.textContent); }
  });
  try { history.replaceState(null, "", location.pathname + location.hash); } catch { /* a page without a server */ }
})();
