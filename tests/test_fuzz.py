"""Hostile input at the command line: one line, status 0, 1 or 2, nothing half-written, no code run, no hang.

About 200 seeded cases of arguments, YAML, run files, tables, pictures and archives. `MINITRAIN_FUZZ=2000` makes
more of them, `MINITRAIN_FUZZ_SEED` others."""
import hashlib, io, json, os, pickle, random, shutil, signal, tarfile, zipfile
from pathlib import Path

import pytest
import torch

from minitrain.cli import main
from minitrain.experiments.digits import DigitsConfig, digits
from minitrain.experiments.gaze import GazeConfig, gaze
from minitrain.experiments.reasoning import ReasoningConfig, reasoning
from minitrain.tasks import Curriculum

CASES, SEED = int(os.environ.get("MINITRAIN_FUZZ", 200)), int(os.environ.get("MINITRAIN_FUZZ_SEED", 0))
CPU, CLOCK = 20, 300  # seconds that a command may take
DIGITS = dict(epochs=1, width=1, batch_size=3500, affine=0., warp=0., device="cpu")
GAZE = dict(epochs=1, games=1, valid_games=1, play_games=2, play_steps=19, dim=4, heads=1, depth=1, mlp_dim=4, batch_size=400, device="cpu")
REASONING = dict(n_dims=2, n_positions=8, n_embd=4, n_layer=1, n_head=1, dims=Curriculum(2, 2), points=Curriculum(8, 8), steps=1, log_every=1,
                 batch_size=2, warmup=0, valid_size=2, device="cpu")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    "A finished run of three jobs"
    folder = tmp_path_factory.mktemp("fuzz")
    for job, config in ((digits, DigitsConfig(**DIGITS)), (gaze, GazeConfig(**GAZE)), (reasoning, ReasoningConfig(**REASONING))):
        job.run(config, folder/job.name.split()[0], progress=False)
    return folder


class Bomb:
    "Writes a file when it is unpickled"
    def __reduce__(self): return open, ("exploded", "w")


def bomb_bytes(): return pickle.dumps(Bomb())


# What is done to the bytes of a file

def flip(r, b):
    b = bytearray(b or b"\0")
    for _ in range(r.choice((1, 1, 20))): b[r.randrange(len(b))] ^= 1 << r.randrange(8)
    return bytes(b)

def cut(r, b): return b[:r.randrange(len(b) + 1)]
def splice(r, b): i = r.randrange(len(b) + 1); return b[:i] + r.randbytes(r.choice((1, 9, 300))) + b[i:]
def nothing(r, b): return b""
def zeros(r, b): return b"\0"*r.choice((1, 100, 5000))
def foreign(r, b): return b"\xff\xfe" + b.decode("latin-1").encode("utf-16-le")
def bomb(r, b): return bomb_bytes()

def torch_bomb(r, b):
    torch.save(dict(form=1, model=Bomb()), out := io.BytesIO())
    data = out.getvalue()
    return data + hashlib.blake2b(data, digest_size=16).digest()

DAMAGE = flip, flip, cut, splice, nothing, zeros, foreign, bomb, torch_bomb


# Values that no field should choke on. No large and valid numbers: the fuzz is not to train

VALUES = ["", " ", "-1", "0", "nan", "inf", "-inf", "1e400", "1e-400", "9"*5000, "0x10", "1_0", "true", "no", "null", "~", "[1]", "{}", "{a: 1}", "é", "\u202e",
          "../..", "/dev/null", "/dev/zero", "a\nb", "%s", "{0}", "$HOME", "--", "-", "'", '"', "*", "&a", "!!int x", "cpu:9", "cuda:99", "meta", "mps", "x"*300, "1.5", "True", "0.5", "1e-3"]
YAML = ["&a [*a]", "!!python/object/apply:os.mkdir [exploded]", "!!python/name:os.system", "2020-99-99", "!!bool x", "!!timestamp x", "!!binary x", "!!float x", "!!set {a}", "? [a]", "[" * 2000,
        "<<: 5", "\t", "---\n---", "%TAG ! x", "!<x> y", "0o9", "*b", "|\n  x", "'", "{a: {a: {a: {}}}}", "@", "`", "-1", ".inf", ".nan", "1e3", "yes", "''", "[]", "~", "\x07", "\ud7ff", "9"*5000]
BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 50))
SMALL = {"digits": DIGITS, "gaze train": GAZE, "reasoning train": {k: v for k, v in REASONING.items() if k not in ("dims", "points")} | {"dims.start": 2, "dims.end": 2, "points.start": 8, "points.end": 8}}
SIZES = {"width", "dim", "mlp_dim", "heads", "games", "valid_games", "play_games", "play_steps", "epochs", "steps", "size"}


def value(r, key): return r.choice([o for o in VALUES if key not in SIZES or not o.isdecimal() or len(o) > 10])
def line(options): return [w for k, o in options.items() for w in (f"--{k}", str(o))]


def options(r, made):
    "A job with some of its options spoilt"
    job = r.choice([*SMALL])
    given = dict(SMALL[job])
    for k in r.sample([*given], r.choice((1, 1, 2))): given[k] = value(r, k)
    if r.random() < 0.2: given[r.choice(("epoch", "conf", "", "resume", "final", "config", "out", "dims", "jobs", "data", "save_every"))] = value(r, "")
    return [*job.split(), *line(dict(out="new") | given)]


def words(r, made):
    "Words in any order"
    first = [] if r.random() < 0.2 else r.choice(("digits", "digits predict", "multilabel", "reasoning train", "reasoning evaluate", "reasoning predict", "gaze train", "gaze play",
        "gaze report", "gaze compare", "atari play", "lessons")).split()
    known = ["digits", "predict", "multilabel", "reasoning", "train", "evaluate", "gaze", "play", "report", "compare", "lessons", "atari", "record", "--help", "--version", "-h", "--out", "run", "--label", "y",
             "--resume", "--config", "--seed", "file", "digits_10s.yaml"]
    line = [*first, *(r.choice([*known, *VALUES]) for _ in range(r.randrange(1, 5)))]
    trains = line[0] in ("digits", "multilabel") and line[1] != "predict" or line[1:2] == ["train"] or line[1:2] == ["compare"]
    return [*line, "--epochs", "0"] if trains and "--resume" not in line else line


def configs(r, made):
    "A YAML file with a spoilt value, a spoilt byte, or another's content"
    job = r.choice(("digits", "gaze", "reasoning"))
    text = (made/job/"config.yaml").read_text()
    kind = r.randrange(5)
    if kind == 0: text = r.choice(DAMAGE[:7])(r, text.encode())
    elif kind == 1: text = BOMB
    elif kind == 2: text = f"base: {r.choice([*VALUES, 'c.yaml', '.', '[c.yaml]', '5', '/dev/zero', '/etc/passwd'])}\n{text}"
    else:
        lines = text.splitlines()
        i = r.randrange(len(lines))
        lines[i] = lines[i].partition(":")[0] + ": " + r.choice(YAML if lines[i].partition(":")[0].strip() in SIZES else [*YAML, *VALUES])
        text = "\n".join(lines)
    Path("c.yaml").write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    small = line(SMALL[job if job == "digits" else f"{job} train"])
    command = r.choice((["digits"], ["gaze", "train"], ["gaze", "compare"], ["reasoning", "train"])) if r.random() < 0.2 else [job] if job == "digits" else [job, "train"]
    return [*command, "--config", "c.yaml", *(small if kind == 0 and command[0] == job else []), "--out", "new"]


def runs(r, made):
    "A run with a damaged, missing, swapped or strange file"
    job = r.choice(("digits", "gaze", "reasoning"))
    shutil.copytree(made/job, "run")
    files = sorted(o.name for o in Path("run").iterdir() if o.suffix in (".yaml", ".csv", ".json", ".safetensors", ".pt"))
    for name in r.sample(files, r.choice((1, 1, 2))):
        file, kind = Path("run")/name, r.random()
        if kind < 0.7: file.write_bytes(r.choice(DAMAGE)(r, file.read_bytes()))
        elif kind < 0.8: file.unlink()
        elif kind < 0.9 and (other := made/r.choice(("digits", "gaze", "reasoning"))/name).exists(): shutil.copy(other, file)
        else: shutil.copy(Path("run")/r.choice([o for o in files if o != name and (Path("run")/o).exists()]), file)
    picture(Path("p.png"), r)
    Path("t.csv").write_text("a,b,y\n1,2,u\n2,1,v\n3,3,u\n4,1,v\n")
    uses = dict(digits=["digits", "predict", "run", "p.png"], gaze=["gaze", "play", "run", "--steps", "2", "--pictures", "1"],
                reasoning=r.choice((["reasoning", "predict", "run", "t.csv", "t.csv", "--label", "y"], ["reasoning", "evaluate", "run", "--problems", "2", "--queries", "2"])))
    resume = [*(["digits"] if job == "digits" else [job, "train"]), "--resume", "run"]
    return r.choice((resume, uses[job], ["gaze", "report", "run"] if r.random() < 0.2 else uses[job]))


def picture(path, r):
    from PIL import Image
    Image.effect_noise((r.choice((9, 28, 60)), 40), 90).save(path)


def pictures(r, made):
    "Pictures that are damaged, none, or huge"
    picture(Path("p.png"), r)
    data = Path("p.png").read_bytes()
    kind = r.random()
    if kind < 0.6: data = r.choice((flip, *DAMAGE))(r, data)
    elif kind < 0.7:  # a header that promises 2**31 pixels
        data = data[:16] + (2**20).to_bytes(4, "big") + (2**11).to_bytes(4, "big") + data[24:]
    Path("p.png").write_bytes(data)
    return ["digits", "predict", str(made/"digits"), r.choice((*["p.png"]*9, "/dev/zero", ".", "no.png")), *r.choice(([], ["--show", "s.png"], ["--show", "no/s.png"], ["--out", "."]))]


def tables(r, made):
    "Tables that are damaged or odd"
    table = "a,b,y\n" + "".join(f"{i},{i % 3}.5,{'uv'[i % 2]}\n" for i in range(8))
    names = "train.csv", "test.csv"
    for name in names: Path(name).write_text(table)
    cells = ["", "?", "1,5", '"', '"\n"', "inf", "1e999", "\0", "é", "9"*400, "=cmd()", "NA", "u,v", " ", "\u202e", "-", "x"*200_000]
    lines = table.splitlines()
    for _ in range(r.choice((1, 1, 3))):
        i = r.randrange(len(lines))
        row = lines[i].split(",")
        row[r.randrange(len(row))] = r.choice(cells)
        lines[i] = ",".join(row)
    data = "\n".join(lines).encode()
    if r.random() < 0.3: data = r.choice(DAMAGE)(r, data)
    Path(r.choice(names)).write_bytes(data)
    if r.random() < 0.1: return ["gaze", "report", r.choice(names)]
    more = r.choice(([], ["--fill"], ["--id", "a"], ["--id", "none"], ["--out", "said.csv"], ["--out", "no/said.csv"], ["--out", "."]))
    return ["reasoning", "predict", str(made/"reasoning"), *names, "--label", r.choice((*"yyyyyyy", "a", "", "z")), *more]


def archives(r, made):
    "A folder of games whose archive, or file, is somebody's prank"
    Path("data").mkdir()
    kind = r.randrange(5)
    if kind == 0:
        torch.save(r.choice((Bomb(), dict(a=Bomb()), [1], dict(observations=torch.zeros(3)))), "data/num_episodes_1_fs4_human.pt")
    elif kind == 1: Path("data/num_episodes_1_fs4_human.pt").write_bytes(r.choice(DAMAGE)(r, bomb_bytes()))
    elif kind == 2:
        with zipfile.ZipFile("data/a.pt", "w") as z: z.writestr("../../x", "x"); z.writestr("archive/data.pkl", bomb_bytes())
    else:
        with tarfile.open("data/t.tar.bz2", "w:bz2") as t:
            for name in r.sample(["../x.png", "/x.png", "a/" + "n"*300 + ".png", "a.png", "a\n.png"], 2):
                info = tarfile.TarInfo(name)
                info.size = r.choice((0, 9, 10**6))
                if r.random() < 0.3: info.type, info.linkname, info.size = tarfile.SYMTYPE, "/etc/passwd", 0
                t.addfile(info, io.BytesIO(b"\0"*info.size))
        Path("data/t.txt").write_bytes(r.choice((b"", b"frame_id,episode_id,score,duration,unclipped,action,gaze\na,0,0,1,0,0,1,2\n", b"\xff\xfe", b"x"*1000)))
        if kind == 4: data = Path("data/t.tar.bz2"); data.write_bytes(r.choice(DAMAGE)(r, data.read_bytes()))
    return ["gaze", "train", *line(GAZE), "--data", "data", "--out", "new"]


KINDS = dict(options=4, words=2, configs=4, runs=5, pictures=2, tables=2, archives=1)


def digests(): return {str(o): hashlib.md5(o.read_bytes()).hexdigest() if o.is_file() else "" for o in Path(".").rglob("*")}
def is_whole(folder): return {"config.yaml", "versions.json", "metrics.csv", "model.safetensors", "result.json"} <= {o.name for o in folder.iterdir()}


class Late(BaseException): "A command took too long"


def call(args, capfd):
    "Exit status and what a command says on standard error"
    def late(*_): raise Late
    old = [signal.signal(o, late) for o in (signal.SIGALRM, signal.SIGPROF)]
    signal.alarm(CLOCK)
    signal.setitimer(signal.ITIMER_PROF, CPU)
    try: status = main(args)
    except SystemExit as e: status = e.code or 0
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
        for o, handler in zip((signal.SIGALRM, signal.SIGPROF), old): signal.signal(o, handler)
    return status, capfd.readouterr().err


def trial(kind, number, made, capfd):
    "One case, in the empty current folder"
    r = random.Random(f"{SEED} {kind} {number}")
    args = globals()[kind](r, made)
    before = digests()
    status, err = call(args, capfd)
    about = f"{kind} {number}: minitrain {args!r}"[:600]
    assert status in (0, 1, 2), about
    assert "Traceback" not in err and not list(Path(".").rglob("exploded")), about
    if status: assert err.strip().splitlines()[-1].startswith("minitrain") and len(err.strip().splitlines()) <= 3, (about, err)
    after = digests()
    assert not [o for o in after if o.endswith(".tmp") or "x.png" in o], about
    changed = sorted(o for o in before | after if before.get(o) != after.get(o))
    if status == 2: assert not changed, (about, changed, err)
    if status == 1 and Path("new").exists(): assert not list(Path("new").glob("result.json")), about
    if status == 0 and Path("new").exists(): assert is_whole(Path("new")), about
    return status


@pytest.mark.parametrize("kind", KINDS)
def test_fuzz(kind, made, tmp_path, monkeypatch, capfd, recwarn):
    mine, statuses, failed = digests_of(made), [], []
    for number in range(max(1, CASES*KINDS[kind]//sum(KINDS.values()))):
        (folder := tmp_path/str(number)).mkdir()
        monkeypatch.chdir(folder)
        try: statuses.append(trial(kind, number, made, capfd))
        except (Exception, Late) as e: failed.append(f"{kind} {number}: {type(e).__name__}: {e}"[:2000])
        shutil.rmtree(folder, ignore_errors=True)
    if "MINITRAIN_FUZZ" in os.environ:
        counts = ", ".join(f"{o}: {statuses.count(o)}" for o in (0, 1, 2))
        with capfd.disabled(): print(f"{kind}: {len(statuses) + len(failed)} cases, {len(failed)} failed, status {counts}", *failed, sep="\n", flush=True)
    assert not failed, "\n".join(failed)
    assert 2 in statuses, "a fuzz in which nothing is refused tries nothing"
    assert digests_of(made) == mine, "a case has written outside its folder"


def digests_of(folder): return {o: o.read_bytes() for o in folder.rglob("*") if o.is_file()}
