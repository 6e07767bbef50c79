"""What is done to the pages when Sphinx has written them: mathematics, scripts that wait, sizes, and what search engines and
links to a page show of it. Text in, text out; `finish` applies all of it to a folder."""
import json, re
from html import escape, unescape
from pathlib import Path

import maths
from PIL import Image

_PLAIN = re.compile(r'<span class="(?:p|w|n|nn)">([^<]*)</span>|<span class="o">([.=])</span>')  # names, dots and =, in the ink of the text
_SCRIPT = re.compile(r'\s*<script\b([^>]*)\bsrc="([^"]*)"[^>]*></script>')
UNUSED = ("fontawesome.js", "documentation_options.js", "doctools.js", "sphinx_highlight.js", "searchtools.js", "language_data.js",
    "searchindex.js")


_AS_IT_IS = re.compile(r"(<(pre|script|style|textarea|svg|math)\b.*?</\2>)", re.S)


def close_together(text):
    "A page without blank lines and indents, but for the parts in which they count"
    out, parts = [], _AS_IT_IS.split(text)  # text, part, its tag, text, ...
    for i in range(0, len(parts), 3): out += [re.sub(r"\n\s+", "\n", parts[i]), *parts[i + 1:i + 2]]
    return "".join(out)


def light(text, options):
    "A page whose scripts wait until it is read, without those that it does not need; `options` is the one they share, in the page"
    def script(m):
        if any(o in m[2] for o in UNUSED) or "design-tabs" in m[2] and "sd-tab-set" not in text: return ""
        return m[0] if "defer" in m[1] else m[0].replace("<script", "<script defer", 1)
    text = _SCRIPT.sub(script, text)
    text = re.sub(r'<link rel="preload" as="script"[^>]*>\s*', "", text)
    text = re.sub(r'(<meta name="viewport"[^>]*>)(.*?)(?=</head>)', lambda m: m[1] + re.sub(r'\s*<meta name="viewport"[^>]*>', "", m[2]),
        text, count=1, flags=re.S)
    text = re.sub(r'\s*<meta name="docsearch:[^>]*>', "", text).replace(' style="--indent:0"', "").replace("<pre><span></span>", "<pre>")
    text = _PLAIN.sub(r"\1\2", text).replace(' class="reference internal"', "")  # which no style asks for
    text = re.sub(r'<span class="pre">([^<]*)</span>', r"\1", text)
    text = text.replace('<summary aria-label="Toggle hidden content">', "<summary>")  # a fold is called by what it holds
    return text.replace("<script>DOCUMENTATION_OPTIONS", f"<script>{options}</script>\n    <script>DOCUMENTATION_OPTIONS", 1)


_FIGURE = re.compile(r'(<div class="mt-figure">)(.*?)(</svg>)', re.S)
_LONG = re.compile(r"(\d+\.\d\d)\d+")


def round_figures(text):
    "Matplotlib's figures with coordinates to a hundredth of a point, which no screen and no paper tells apart, and short styles"
    def attribute(m): return m[0].replace("; ", ";").replace(": ", ":") if m[0].startswith(" style") else _LONG.sub(r"\1", m[0])
    return _FIGURE.sub(lambda m: m[1] + re.sub(r' (?:d|x|y|points|style)="[^"]*"', attribute, m[2]) + m[3], text)


def sized_images(text, folder):
    "Images with the width and height that they have, so that nothing moves when they come; a width that is asked for scales both"
    def image(m):
        tag, src = m[0], re.search(r'src="([^"]*)"', m[0])[1]
        if " height=" in tag or src.startswith("data:") or src.endswith(".svg") or not (folder/src).is_file(): return tag
        with Image.open(folder/src) as picture: width, height = picture.size
        if asked := re.search(r' (?:style="width: |width=")([\d.]+)(?:px)?;?"', tag):
            width, height = round(float(asked[1])), round(height*float(asked[1])/width)
            tag = tag.replace(asked[0], "")
        return re.sub(r"\s*/?>$", f' width="{width}" height="{height}"/>', tag)
    return re.sub(r"<img\b[^>]*>", image, text)


def head_of(cfg, path, about, description):
    "Lines of a page's head for search engines and for links to it: `about` has title, kind, and for a lesson part and minutes"
    site = cfg["doc_host"] + cfg["doc_baseurl"]
    url = f"{site}/" + ("" if path == "index.html" else path)
    image = f"{site}/_static/card.png"
    def meta(key, value, attr="property"): return f'<meta {attr}="{key}" content="{escape(value)}"/>'
    lines = [f'<link rel="canonical" href="{url}"/>', meta("og:title", about["title"]), meta("og:description", description),
        meta("og:type", "website" if path == "index.html" else "article"), meta("og:url", url), meta("og:site_name", cfg["title"]),
        meta("og:image", image), meta("og:image:width", "1200"), meta("og:image:height", "630"),
        meta("og:image:alt", "minitrain: the training of neural networks from nothing, as notebooks that are also the package"),
        meta("twitter:card", "summary_large_image", "name")]
    if "markdown" in about: lines.append(f'<link rel="alternate" type="text/markdown" href="{about["markdown"]}"/>')
    if about["kind"] == "lesson":
        book = {"@type": "Course", "name": cfg["title"], "description": cfg["description"], "url": f"{site}/",
            "provider": {"@type": "Organization", "name": cfg["author"], "url": cfg["git_url"]}}
        work = {"@context": "https://schema.org", "@type": "LearningResource", "name": about["title"], "description": description,
            "url": url, "inLanguage": "en", "learningResourceType": "lesson", "isAccessibleForFree": True,
            "license": "https://www.apache.org/licenses/LICENSE-2.0", "isPartOf": book, "image": image,
            "author": {"@type": "Organization", "name": cfg["author"]}}
        if about.get("minutes"): work["timeRequired"] = f"PT{about['minutes']}M"
        if about.get("teaches"): work["teaches"] = about["teaches"]
        text = json.dumps(work, ensure_ascii=False).replace("</", "<\\/")
        lines.append(f'<script type="application/ld+json">{text}</script>')
    return lines


def with_head(cfg, path, text, about):
    "A page with its title, description and the lines of `head_of`"
    found = re.search(r'<meta (?=[^>]*name="description")[^>]*content="([^"]*)"[^>]*>', text)
    description = unescape(found[1]) if found else about["description"]
    title = about["title"] if path == "index.html" else f"{about['title']} · {cfg['title']}"
    lines = head_of(cfg, path, about, description)
    if not found: lines.insert(0, f'<meta name="description" content="{escape(description)}"/>')
    if path == "404.html": lines = ['<meta name="robots" content="noindex"/>']
    lines.append(f'<link rel="apple-touch-icon" href="{"../"*path.count("/")}_static/favicon.png"/>')
    text = re.sub(r"<title>.*?</title>", lambda m: f"<title>{escape(title, quote=False)}</title>", text, count=1, flags=re.S)
    return text.replace("</title>", "</title>\n    " + "\n    ".join(lines), 1)


def absolute(text, base):
    "A page whose links to the site hold at any depth: the host shows it for each address that is not there"
    text = re.sub(r'\b(href|src|action)="(?![a-z]+:|#|/)(?:\./)?([^"]*)"', lambda m: f'{m[1]}="{base}/{m[2]}"', text)
    return text.replace('data-content_root="./"', f'data-content_root="{base}/"')


def finish(cfg, out, about):
    "Finish every page of a folder; `about` describes them by path"
    options = re.sub(r"\s*\n\s*", " ", (out/"_static"/"documentation_options.js").read_text(encoding="utf-8")).strip()
    pages = {o.relative_to(out).as_posix(): o.read_text(encoding="utf-8") for o in sorted(out.rglob("*.html"))}
    for path, text in maths.typeset(pages).items():
        text = round_figures(sized_images(close_together(light(text, options)), (out/path).parent))
        text = with_head(cfg, path, text, about[path])
        if path == "404.html": text = absolute(text, cfg["doc_baseurl"])
        (out/path).write_text(text, encoding="utf-8")
    for o in UNUSED:
        for file in out.rglob(o): file.unlink()
    for file in out.rglob("*.css"): file.write_text(plain_css(file.read_text(encoding="utf-8")), encoding="utf-8")
    drop_unused(out)


def plain_css(text):
    "A style sheet without the icons of Font Awesome: its fonts and the letter of each"
    text = re.sub(r"@font-face\s*\{[^{}]*Font Awesome[^{}]*\}", "", text)
    return re.sub(r'(?<=[}/,])\.fa-[\w-]+(?:::?before)?(?:,\s*\.fa-[\w-]+(?:::?before)?)*\{(?:--fa:|content:)"[^"]*"[^{}]*\}', "", text)


def drop_unused(out):
    "Remove each file of _static that no page asks for, by itself or by a style or script that it asks for"
    files = [o for o in sorted((out/"_static").rglob("*")) if o.is_file()]
    read = "\n".join(o.read_text(encoding="utf-8") for o in sorted(out.rglob("*.html")))
    used, grown = set(), True
    while grown:
        grown = [o for o in files if o not in used and (o.name in read or o.suffix == ".txt" or o.name == "search-index.js")]
        used.update(grown)
        read = "\n".join(o.read_text(encoding="utf-8") for o in grown if o.suffix in (".css", ".js", ".svg"))
    for o in files:
        if o not in used: o.unlink()
    for o in sorted((o for o in out.rglob("*") if o.is_dir()), reverse=True):
        if not any(o.iterdir()): o.rmdir()


def write_site_files(cfg, out, about):
    "sitemap.xml and robots.txt for the pages that are worth finding, llms.txt and the lessons as markdown"
    site = cfg["doc_host"] + cfg["doc_baseurl"]
    (out/"llms.txt").write_text(about["index.html"]["llms"], encoding="utf-8")
    for o in about.values():
        if "markdown" in o: (out/o["markdown"]).write_text(o["text"], encoding="utf-8")
    urls = "\n".join(f"  <url><loc>{site}/{'' if path == 'index.html' else path}</loc></url>" for path, o in about.items()
        if o["kind"] not in ("search", "missing"))
    (out/"sitemap.xml").write_text('<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{urls}\n</urlset>\n', encoding="utf-8")
    (out/"robots.txt").write_text(f"User-agent: *\nAllow: /\n\nSitemap: {site}/sitemap.xml\n", encoding="utf-8")
