#!/usr/bin/env python3
"""Make README.md from nbs/index.ipynb and its stored outputs.

    build_readme.py            write README.md and the pictures that it shows (nbs/images/)
    build_readme.py --check    exit status 1, saying what differs, when they are not what the notebook gives

Links lead to the notebooks on GitHub, which shows them, and pictures to the repository: PyPI shows this page, too, and
knows no file beside it. Of a widget the README has the still, and of an output in HTML and Markdown the Markdown.
"""
import argparse, base64, json, re, sys
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT/"tools"/"site"))
from convert import is_hidden, map_links, source_link, split_options, text_of  # noqa: E402


cfg = ConfigParser(delimiters=["="])
cfg.read(ROOT/"settings.ini", encoding="utf-8")
cfg = cfg["DEFAULT"]
RAW = f"https://raw.githubusercontent.com/{cfg['user']}/{cfg['repo']}/{cfg['branch']}"
STILL = re.compile(r'<img class="mt-still"[^>]*src="data:image/svg\+xml;base64,([^"]*)" alt="([^"]*)"')


def github_link(target):
    "A link of a notebook in nbs/ as an address: `01_softmax.ipynb` lies in the repository, in nbs/"
    return target if re.match(r"[a-z]+:|#|/", target) else source_link(cfg, f"{cfg['nbs_path']}/{target}")


def output_markdown(output, alt, path):
    "Markdown of one stored output, and its picture as path -> bytes; `path` is that of a picture, without its ending"
    if output["output_type"] == "stream": return f"```\n{text_of(output['text']).rstrip()}\n```", {}
    data = {k: text_of(v) for k, v in output.get("data", {}).items()}
    def shown(words, ending, content): return f"![{words}]({RAW}/{path}.{ending})", {f"{path}.{ending}": content}
    if "image/svg+xml" in data: return shown(alt, "svg", data["image/svg+xml"].encode())
    if "image/png" in data: return shown(alt, "png", base64.b64decode(data["image/png"]))
    if still := STILL.search(data.get("text/html", "")): return shown(" ".join(still[2].split()), "svg", base64.b64decode(still[1]))
    if "text/markdown" in data: return map_links(data["text/markdown"], github_link), {}
    return (f"```\n{data['text/plain']}\n```" if "text/plain" in data else ""), {}


def readme(cells):
    "The text of README.md, and its pictures as path -> bytes"
    parts, pictures = [], {}
    for cell in cells:
        source = text_of(cell["source"])
        if cell["cell_type"] == "markdown": parts.append(map_links(source, github_link))
        if cell["cell_type"] != "code": continue
        options, code = split_options(source)
        if is_hidden(options, code): continue
        if options.get("echo") != "false": parts.append(f"```python\n{code}\n```")
        for i, o in enumerate(cell["outputs"] if options.get("output") != "false" else []):
            path = f"nbs/images/index-{cell['id']}" + (f"-{i}" if i else "")
            text, made = output_markdown(o, options.get("fig-alt", ""), path)
            pictures |= made
            parts += [text, f"*{options['fig-cap']}*" if "fig-cap" in options else ""]
    note = "<!-- Made from nbs/index.ipynb by tools/build_readme.py: edit the notebook. -->"
    return "\n\n".join([note, *(o.strip() for o in parts if o.strip())]) + "\n", pictures


def wanted(root=ROOT):
    "Path -> bytes of README.md and of each of its pictures"
    cells = json.loads((root/"nbs"/"index.ipynb").read_text(encoding="utf-8"))["cells"]
    text, pictures = readme(cells)
    return {"README.md": text.encode(), **pictures}


def stale(root=ROOT):
    "Paths that are not what the notebook gives: changed, missing, or pictures that it no longer has"
    new = wanted(root)
    extra = [o.relative_to(root).as_posix() for o in (root/"nbs"/"images").glob("index-*.*")]
    return sorted({k for k, v in new.items() if not (root/k).is_file() or (root/k).read_bytes() != v} | (set(extra) - set(new)))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--check", action="store_true", help="compare, write nothing")
    args, changed, new = p.parse_args(), stale(), wanted()
    if args.check:
        print("\n".join(f"out of step with nbs/index.ipynb: {o}" for o in changed) or "README.md is in step with nbs/index.ipynb")
        sys.exit(bool(changed))
    for o in changed:
        (ROOT/o).parent.mkdir(parents=True, exist_ok=True)
        if o in new: (ROOT/o).write_bytes(new[o])
        else: (ROOT/o).unlink()
    print("\n".join(f"wrote {o}" if o in new else f"removed {o}" for o in changed) or "nothing to change")


if __name__ == "__main__": main()
