#!/usr/bin/env python3
"""What five pages of the site weigh, and when a phone on a slow line paints them: compressed as a host sends them, 1.6 Mbit/s,
150 ms, in a headless Chromium.

    python bench/weight.py [FOLDER]
"""
import gzip, http.server, re, sys, threading
from functools import partial
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT/"tests"))
import chromium  # noqa: E402
from minitrain.runs import save_results  # noqa: E402

RESULT = ROOT/"minitrain"/"assets"/"results"/"weight.csv"
PAGES = ["index.html", "softmax.html", "learner.html", "gaze_training.html", "api/learner.html"]
PAINT = "new Promise(r => new PerformanceObserver(o => r(o.getEntries().pop().startTime)).observe({type: '%s', buffered: true}))"


class Compressed(http.server.SimpleHTTPRequestHandler):
    "Sends text as gzip"
    def do_GET(self):
        path = Path(self.translate_path(self.path))
        if path.suffix not in (".html", ".css", ".js", ".svg"): return super().do_GET()
        data = gzip.compress(path.read_bytes(), 6)
        self.send_response(200)
        for k, v in {"Content-Type": self.guess_type(path), "Content-Encoding": "gzip", "Content-Length": len(data)}.items():
            self.send_header(k, str(v))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args): pass


def without_figures(text: str) -> str:
    "A page without what it shows as pictures, and without the weights of the networks that play in it"
    return re.sub(r'<div class="mt-figure">.*?</div>|data:image/[^"]*|[A-Za-z0-9+/=]{5000,}', "", text, flags=re.S)


def measure(tab, base: str, folder: Path, page: str) -> dict:
    "One row: sizes in kB, paints in seconds"
    tab.call("Network.setCacheDisabled", cacheDisabled=True)
    tab.open("about:blank")
    tab.open(f"{base}/{page}", timeout=120)
    parts = tab.js("performance.getEntriesByType('resource').map(o => o.encodedBodySize).reduce((a, b) => a + b, 0)")
    text = (folder/page).read_text(encoding="utf-8")
    html, bare = (len(gzip.compress(o.encode(), 6)) for o in (text, without_figures(text)))
    first = tab.wait("performance.getEntriesByName('first-contentful-paint')[0]?.startTime")
    return dict(page=page, html_kb=round(len(text.encode())/1e3), html_gz_kb=round(html/1e3), all_gz_kb=round((html + parts)/1e3),
        without_figures_gz_kb=round((bare + parts)/1e3), first_paint_s=round(first/1e3, 1),
        largest_paint_s=round(tab.js(PAINT % "largest-contentful-paint")/1e3, 1),
        loaded_s=round(tab.js("performance.timing.loadEventEnd - performance.timing.navigationStart")/1e3, 1))


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT/"docs"
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Compressed, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with chromium.page() as tab:
        tab.window(390, 844, phone=True)
        tab.call("Network.emulateNetworkConditions", offline=False, latency=150, downloadThroughput=2e5, uploadThroughput=1e5)
        df = pd.DataFrame([measure(tab, f"http://127.0.0.1:{server.server_port}", folder, o) for o in PAGES])
    server.shutdown()
    print(df.to_string(index=False))
    save_results(df, RESULT, command="python bench/weight.py")


if __name__ == "__main__": main()
