#!/usr/bin/env python3
"""Cross-entropy, forward and backward: CPU time and peak memory of several forms against `F.cross_entropy`.

    python bench/losses.py [--quick] [--out FOLDER]
    python bench/losses.py --blocks        (CPU time by block size, from which `_BLOCK` was chosen; prints only)

Time is CPU time of the process (user and system, so the cost of fresh pages counts) on one thread. In each
repetition every form runs once, in an order drawn anew, so that noise of the machine meets all of them; the ratio is
that of the medians, its interval the 2.5 and 97.5 percentiles over 2,000 resamplings of whole repetitions.

What the C library does with freed memory decides how often the kernel must find and clear fresh pages, which can cost
more than the arithmetic; left alone it drifts between two states in the course of a run. So both are measured, each
in a process of its own, by glibc's mallopt: `pages` "kept" reuses the memory of the step before (the state that favours forms which allocate
much), "fresh" returns every large tensor to the system, as glibc always does above 32 MB.

Memory is measured twice. `peak` adds up every allocation and release that PyTorch's CPU allocator reports to the
profiler, in order, and takes the highest sum: what the form needs beyond its input, the gradient of the input
included, as a multiple of the scores. It is exact and the same on every run. `rss` is a check from outside: in a child
process of its own, how far the resident memory that Linux accounts rises above its level before the call (largest
size only; empty where /proc cannot tell).

Writes losses.csv (one row per form, size and spread of the scores) and losses_memory.csv (live memory after each
allocation, for the size 4096 x 1000), and prints whether the limits hold; the exit status is 1 when one does not.
"""
import argparse, ctypes, itertools, json, os, random, statistics, subprocess, sys, time
from pathlib import Path

os.environ.setdefault("KINETO_LOG_LEVEL", "5")
import torch
import torch.nn.functional as F

from minitrain import fast
from minitrain.core import set_seed
from minitrain.likelihood import cross_entropy
from minitrain.runs import save_results
from minitrain.fast import fused_cross_entropy

SIZES = [(64, 10), (4096, 1000), (256, 50257)]
CONDITIONS = [*((s, 1., "kept") for s in SIZES), *((s, 1., "fresh") for s in SIZES[1:]), *((s, 30., "kept") for s in SIZES[1:])]
SEED = 0
LIMITS = dict(peak=1.05, ratio=1.)


def max_trick(x, t):
    "The LogSumExp trick written out, labels picked by two lists of indices"
    a = x.max(1, keepdim=True)[0]
    log_p = x - a - (x - a).exp().sum(1, keepdim=True).log()
    return -log_p[range(len(t)), t].mean()


def lse_minus_score(x, t): return (x.logsumexp(1) - x.gather(1, t[:, None])[:, 0]).mean()
def log_softmax_gather(x, t): return -F.log_softmax(x, 1).gather(1, t[:, None]).mean()


FORMS = {"F.cross_entropy": F.cross_entropy, "max trick, two lists": max_trick, "logsumexp - score": lse_minus_score,
         "F.log_softmax, gather": log_softmax_gather, "cross_entropy": cross_entropy,
         "fused_cross_entropy": fused_cross_entropy}


def data(rows, classes, std):
    "Scores that want a gradient, and labels"
    set_seed(SEED)
    return (torch.randn(rows, classes)*std).requires_grad_(), torch.randint(classes, (rows,))


def keep_pages(keep):
    "Tell glibc to reuse freed memory (True) or to hand large blocks back (False); False where there is no glibc"
    try: mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError): return False
    trim, mmap_threshold, mmap_max = -1, -3, -4  # names of mallopt.h
    settings = {mmap_max: 0, trim: 2**31 - 1} if keep else {mmap_max: 65536, mmap_threshold: 2**17, trim: 2**17}
    return all([mallopt(k, v) for k, v in settings.items()])


def step(loss_func, x, t):
    "Forward and backward from no gradient"
    x.grad = None
    loss_func(x, t).backward()


def cpu_times(x, t, repetitions, inner):
    "CPU milliseconds of one step, by form; the first repetition is thrown away"
    order, times = list(FORMS), {name: [] for name in FORMS}
    draw = random.Random(SEED)
    for r in range(repetitions + 1):
        draw.shuffle(order)
        for name in order:
            x.grad = None
            start = time.process_time()
            for _ in range(inner): step(FORMS[name], x, t)
            if r: times[name].append(1000*(time.process_time() - start)/inner)
    return times


def ratio_interval(ours, theirs, draws=2000):
    "Ratio of medians, and its 95 % bootstrap interval over repetitions"
    draw, n, ratios = random.Random(SEED), len(ours), []
    for _ in range(draws):
        chosen = draw.choices(range(n), k=n)
        ratios.append(statistics.median(ours[i] for i in chosen)/statistics.median(theirs[i] for i in chosen))
    ratios.sort()
    return statistics.median(ours)/statistics.median(theirs), ratios[int(.025*draws)], ratios[int(.975*draws) - 1]


def live_memory(loss_func, x, t):
    "Bytes live after each allocation or release, with 'forward' or 'backward'; the input is not counted"
    from torch.profiler import ProfilerActivity, profile, record_function
    x.grad = None
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as prof:
        loss = loss_func(x, t)
        with record_function("backward begins"): pass
        loss.backward()
    events = sorted(prof.profiler.kineto_results.events(), key=lambda e: e.start_ns())
    begin = next(e.start_ns() for e in events if e.name() == "backward begins")
    memory = [e for e in events if e.name() == "[memory]"]
    live = itertools.accumulate(e.nbytes() for e in memory)
    return [(b, "backward" if e.start_ns() > begin else "forward") for b, e in zip(live, memory)]


def peak(loss_func, x, t): return max(b for b, _ in live_memory(loss_func, x, t))/x.nbytes


def _status(key):
    "A figure in bytes from /proc/self/status"
    line = next(o for o in Path("/proc/self/status").read_text().splitlines() if o.startswith(key))
    return 1024*int(line.split()[1])


def rss_child(name, rows, classes):
    "In a fresh process: rise of the resident memory above its level before the call, as a multiple of the scores"
    torch.set_num_threads(1)
    step(FORMS[name], *data(8, 100, 1.))  # load what the first call loads
    x, t = data(rows, classes, 1.)
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark begins anew
    before = _status("VmRSS")
    step(FORMS[name], x, t)
    return (_status("VmHWM") - before)/x.nbytes


def condition_child(n, k, std, pages, quick):
    "One condition, in a process of its own, since the C library cannot forget how it treated earlier memory"
    torch.set_num_threads(1)
    if not keep_pages(pages == "kept"): pages = "default"
    x, t = data(n, k, std)
    repetitions, inner = (5, 1) if quick else (50, 1) if n*k > 10**6 else (200, 20)
    times, rows, timeline = cpu_times(x, t, repetitions, inner), [], []
    for name, func in FORMS.items():
        ratio, low, high = ratio_interval(times[name], times["F.cross_entropy"])
        rows.append(dict(form=name, rows=n, classes=k, std=std, pages=pages, repetitions=repetitions,
            cpu_ms=round(statistics.median(times[name]), 4), ratio=round(ratio, 3), low=round(low, 3), high=round(high, 3),
            peak=round(peak(func, x, t), 3)))
        timeline += [dict(form=name, event=i, phase=phase, live=round(b/x.nbytes, 4))
                     for i, (b, phase) in enumerate(live_memory(func, x, t), 1)]
    return rows, timeline


def child(kind, args):
    "Run a function of this file in a fresh process; None where it fails"
    out = subprocess.run([sys.executable, __file__, "--child", json.dumps([kind, args])], capture_output=True, text=True)
    return json.loads(out.stdout.splitlines()[-1]) if out.returncode == 0 else None


def measure(quick):
    "The two tables"
    import pandas as pd
    rows, timeline = [], []
    for (n, k), std, pages in CONDITIONS:
        new, live = child("condition", [n, k, std, pages, quick])
        if (n, k) == SIZES[1] and pages == "kept" and std == 1: timeline = live
        for row in new:
            check = (n, k) == SIZES[-1] and pages == "fresh" and not quick
            rss = child("rss", [row["form"], n, k]) if check else None
            rows.append(row | dict(rss=float("nan") if rss is None else round(rss, 3)))
            print("{form:24} {rows:5} x {classes:<6} std {std:<3g} {pages:7} {cpu_ms:9.3f} ms  ratio {ratio:.3f} "
                  "[{low:.3f}, {high:.3f}]  peak {peak:.3f}  rss {rss:.3f}".format(**rows[-1]), flush=True)
    return pd.DataFrame(rows), pd.DataFrame(timeline)


def block_sizes(repetitions=30):
    "Print the CPU time of the fused form by block size, interleaved with `F.cross_entropy`"
    keep_pages(True)
    sizes, usual = [2**i for i in range(14, 25, 2)], fast._BLOCK
    for n, k in SIZES[1:]:
        (x, t), times, draw = data(n, k, 1.), {size: [] for size in (0, *sizes)}, random.Random(SEED)
        for _ in range(repetitions):
            for size in draw.sample(list(times), len(times)):
                fast._BLOCK = size or usual
                start = time.process_time()
                step(fused_cross_entropy if size else F.cross_entropy, x, t)
                times[size].append(time.process_time() - start)
        for size in sizes:
            print("{} x {}: block of {:>8} numbers, ratio {:.3f} [{:.3f}, {:.3f}]".format(n, k, size, *ratio_interval(times[size], times[0])))
    fast._BLOCK = usual


def verdict(df):
    "Print each limit and whether it holds; give back whether all do"
    fused, good = df[(df.form == "fused_cross_entropy") & (df.rows*df.classes > 10**6)], True
    for o in fused.itertuples():
        for what, value, limit in [("peak", o.peak, LIMITS["peak"]), ("upper end of the ratio", o.high, LIMITS["ratio"])]:
            good &= value < limit
            print(f"fused at {o.rows} x {o.classes}, std {o.std:g}, {o.pages} pages: {what} {value:.3f}, limit {limit}: "
                  f"{'holds' if value < limit else 'BROKEN'}")
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1]/"minitrain/assets/results",
                        help="folder for the tables (default: the package's own)")
    parser.add_argument("--quick", action="store_true", help="few repetitions: a look, not a measurement; writes only to --out")
    parser.add_argument("--blocks", action="store_true", help="print CPU time by block size instead")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        kind, values = json.loads(args.child)
        return print(json.dumps(dict(rss=rss_child, condition=condition_child)[kind](*values)))
    torch.set_num_threads(1)
    if args.blocks: return block_sizes()
    df, timeline = measure(args.quick)
    if not args.quick or args.out != parser.get_default("out"):
        args.out.mkdir(parents=True, exist_ok=True)
        cpu = next((o.split(":")[1].strip() for o in Path("/proc/cpuinfo").read_text().splitlines()
                    if o.startswith("model name")), "") if Path("/proc/cpuinfo").exists() else ""
        meta = dict(command="python bench/losses.py" + " --quick"*args.quick, seeds=[SEED], cpu=cpu)
        save_results(df, args.out/"losses.csv", **meta)
        save_results(timeline, args.out/"losses_memory.csv", **meta)
    sys.exit(not verdict(df))


if __name__ == "__main__": main()
