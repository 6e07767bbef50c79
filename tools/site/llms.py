"Lessons as plain markdown, with outputs as text, and llms.txt, which lists them: for programs that read, and for people who grep"
import re

import convert


def output_text(output, alt=""):
    "An output as markdown: text in a fence, a figure as the words that say what it shows"
    data = output.get("data", {})
    if any(o.startswith("image/") for o in data): return f"*Figure: {alt}*" if alt else ""
    if "text/markdown" in data: return convert.text_of(data["text/markdown"]).strip()
    text = convert.text_of(data.get("text/plain", output.get("text", ""))).strip("\n")
    if alt and "text/html" in data: return f"*Figure: {alt}*"  # a drawing or a widget
    return f"```text\n{text}\n```" if text.strip() else ""


def lesson_text(cells, pages):
    "A lesson's cells as markdown, links to other lessons leading to their markdown; `pages` are the pages of the site"
    def link(target):
        path, _, anchor = target.partition("#")
        if not path.endswith(".ipynb") or convert.page_name(path) not in pages: return target
        return f"{convert.page_name(path)}.md" + (f"#{convert.slug(anchor)}" if anchor else "")
    out = []
    for cell in cells:
        if cell["cell_type"] == "markdown": out.append(convert.map_links(cell["source"], link))
        if cell["cell_type"] != "code": continue
        options, code = convert.split_options(cell["source"])
        if convert.is_hidden(options, code): continue
        outputs = cell.get("outputs", []) if options.get("output") != "false" else []
        if (entry := convert.show_doc_text(code, outputs)) is not None: out.append(entry); continue
        if options.get("echo") != "false": out.append(f"```python\n{code}\n```")
        out += [text for o in outputs if (text := output_text(o, options.get("fig-alt", "")))]
        if "fig-cap" in options: out.append(f"*{options['fig-cap']}*")
    return re.sub(r"\n{3,}", "\n\n", "\n\n".join(o.strip("\n") for o in out)) + "\n"


def llms_text(cfg, sections, about):
    "llms.txt: what the site is, then each lesson's markdown by part, then the reference; `sections` are (caption, paths)"
    site = cfg["doc_host"] + cfg["doc_baseurl"]
    lines = [f"# {cfg['title']}", "", f"> {cfg['description']}.", "", f"Notebooks and source: {cfg['git_url']}. Each lesson below is "
        "a notebook as markdown, with its outputs as text; the page of the same name with .html has the figures."]
    for caption, paths in sections:
        lines += ["", f"## {caption}", ""]
        lines += [f"- [{about[o]['title']}]({site}/{about[o]['markdown']}): {about[o]['description']}" for o in paths]
    lines += ["", "## Reference", ""]
    lines += [f"- [{o['title']}]({site}/{path}): {o['description']}" for path, o in about.items() if o["kind"] == "reference"]
    return "\n".join(lines) + "\n"
