"""A headless Chromium driven over its own debugging protocol, for the tests of the site (and for looking at its pages).

    python tests/chromium.py FOLDER PAGE.html PICTURE.png [--width 1280] [--height 900] [--dark] [--full]

Needs the program (`apt-get install chromium`, or a path in MINITRAIN_CHROMIUM) and the package websocket-client.
"""
import argparse, base64, http.server, json, os, shutil, subprocess, tempfile, threading, time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
    --disable-component-update --disable-sync --disable-dev-shm-usage --hide-scrollbars --mute-audio""".split()


def find():
    "Path of a Chromium, or None"
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return os.environ.get("MINITRAIN_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


class Page:
    "One tab: open addresses in it, run scripts, take pictures; what went wrong is kept in `problems`"
    def __init__(self, socket):
        self.socket, self.count = socket, 0
        self.problems, self.requests, self.loading = [], [], False
        for domain in ("Page", "Runtime", "Network", "Log"): self.call(f"{domain}.enable")

    def call(self, method, **params):
        "Send a command and wait for its answer; events that come in between are noted"
        self.count += 1
        self.socket.send(json.dumps(dict(id=self.count, method=method, params=params)))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == self.count:
                if "error" in message: raise RuntimeError(f"{method}: {message['error']['message']}")
                return message["result"]
            self.note(message)

    def note(self, message):
        "Keep what an event tells: console errors, exceptions, requests, failures"
        kind, p = message.get("method"), message.get("params", {})
        if kind == "Runtime.exceptionThrown":
            detail = p["exceptionDetails"]
            self.problems.append(f"exception: {detail.get('exception', {}).get('description') or detail['text']}")
        elif kind == "Runtime.consoleAPICalled" and p["type"] in ("error", "assert"):
            self.problems.append("console: " + " ".join(str(o.get("value", o.get("description", ""))) for o in p["args"]))
        elif kind == "Log.entryAdded" and p["entry"]["level"] == "error":
            self.problems.append(f"log: {p['entry']['text']} {p['entry'].get('url', '')}")
        elif kind == "Network.requestWillBeSent": self.requests.append(p["request"]["url"])
        elif kind == "Network.responseReceived" and p["response"]["status"] >= 400:
            self.problems.append(f"status {p['response']['status']}: {p['response']['url']}")
        elif kind == "Network.loadingFailed" and not p.get("canceled"): self.problems.append(f"failed request: {p['errorText']}")
        elif kind == "Runtime.executionContextsCleared":  # the page before has gone, and what its scripts said
            self.problems = [o for o in self.problems if not o.startswith(("exception:", "console:"))]
        elif kind == "Page.loadEventFired": self.loading = False

    def open(self, url, timeout=30):
        "Go to an address and wait for its load event"
        self.problems, self.requests, self.loading = [], [], True
        error = self.call("Page.navigate", url=url).get("errorText")
        if error: raise RuntimeError(f"{url}: {error}")
        end = time.monotonic() + timeout
        while self.loading:
            if time.monotonic() > end: raise TimeoutError(f"{url} did not load in {timeout} s")
            self.note(json.loads(self.socket.recv()))

    def visit(self, url):
        "Open a page and wait for all of it; gives what went wrong, and requests to other hosts"
        self.open(url)
        self.wait("document.readyState == 'complete'")
        host = "{0.scheme}://{0.netloc}/".format(urlsplit(url))
        outside = [o for o in self.requests if not o.startswith((host, "data:", "blob:"))]
        return self.problems + [f"asked another host: {o}" for o in outside]

    def js(self, script):
        "Value of a script; a promise is awaited"
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result: raise RuntimeError(str(result["exceptionDetails"]))
        return result["result"].get("value")

    def wait(self, script, timeout=20):
        "Ask until a script gives something true"
        end = time.monotonic() + timeout
        while not (value := self.js(script)):
            if time.monotonic() > end: raise TimeoutError(f"never true in {timeout} s: {script}")
            time.sleep(0.05)
        return value

    def window(self, width, height=900, dark=False, phone=False):
        "Size of the window, and whether the reader prefers dark"
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        self.call("Emulation.setEmulatedMedia", features=[dict(name="prefers-color-scheme", value="dark" if dark else "light")])

    def picture(self, path):
        "Save what is shown as a PNG"
        Path(path).write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))


@contextmanager
def page(program=None):
    "Start a Chromium with an empty profile, give its tab, and end it"
    import websocket
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        child = subprocess.Popen([program or find(), *FLAGS, "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            port = _port(child, Path(profile)/"DevToolsActivePort")
            tabs = json.load(urlopen(f"http://127.0.0.1:{port}/json/list", timeout=30))
            address = next(o["webSocketDebuggerUrl"] for o in tabs if o["type"] == "page")
            socket = websocket.create_connection(address, timeout=60, suppress_origin=True, enable_multithread=False)
            try: yield Page(socket)
            finally: socket.close()
        finally:
            child.terminate()
            try: child.wait(10)
            except subprocess.TimeoutExpired: child.kill(); child.wait()


def _port(child, path, timeout=60):
    "The port that Chromium chose, from the file that it writes"
    end = time.monotonic() + timeout
    while not (path.exists() and path.read_text().strip()):
        if child.poll() is not None: raise RuntimeError(f"chromium ended with status {child.returncode}")
        if time.monotonic() > end: raise TimeoutError(f"chromium did not start in {timeout} s")
        time.sleep(0.05)
    return path.read_text().split()[0]


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args): pass


@contextmanager
def serve(folder):
    "Serve a folder on localhost; gives its address"
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try: yield f"http://127.0.0.1:{server.server_port}"
    finally: server.shutdown(); server.server_close()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", help="folder of a built site, such as docs")
    p.add_argument("page", help="a page in it, with an anchor if you like")
    p.add_argument("picture", type=Path)
    p.add_argument("--width", type=int, default=1280)
    p.add_argument("--height", type=int, default=900)
    p.add_argument("--dark", action="store_true")
    p.add_argument("--full", action="store_true", help="the whole page")
    p.add_argument("--js", help="a script to run first")
    args = p.parse_args()
    with page() as tab, serve(args.folder) as base:
        tab.window(args.width, args.height, args.dark, phone=args.width < 600)
        tab.open(f"{base}/{args.page}")
        tab.wait("document.readyState == 'complete'")
        tab.js("new Promise(r => setTimeout(r, 1500))")
        if args.js: print(tab.js(args.js)); tab.js("new Promise(r => setTimeout(r, 500))")
        if args.full: tab.window(args.width, tab.js("document.documentElement.scrollHeight"), args.dark, phone=args.width < 600)
        tab.picture(args.picture)
    for o in tab.problems: print(o)


if __name__ == "__main__": main()
