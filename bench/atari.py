#!/usr/bin/env python3
"""The Atari experiment of lesson 25, as its protocol says (minitrain/assets/configs/atari_protocol.md).

    python bench/atari.py [OUT] [JOBS]      runs what is not done yet, JOBS processes at a time (2), in OUT
                                            (runs/atari_experiment; go on with a killed experiment by the same command)
    python bench/atari.py speed             frames per second of the pipeline

Rows are stored after each game and seed. Needs the extra `atari`.
"""
import json, sys, time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from minitrain.atari import AtariEnv, atari_expert, draw_actions, load_clone, play_atari, record_atari
from minitrain.core import atomic_write, load_config, save_results
from minitrain.gaze import _save_gabril
from minitrain.gaze_training import GazeConfig, _one_run

RESULTS = Path(__file__).parents[1]/"minitrain"/"assets"/"results"
GAMES,SEEDS,DEMOS,PLAYED = ("breakout", "pong"),range(5),30,10
ARMS = {"bc": dict(gaze=False), "probs": {}, "shuffled": dict(target="shuffled"), "bc-no-glyph": dict(gaze=False)}


def at_random(seed):
    "A player that presses NOOP, RIGHT and LEFT by chance"
    rng = np.random.default_rng(seed)
    return lambda info: int(rng.choice([0, 3, 4]))


def record(folder, game, seed):
    "The demonstrations of a seed, with and without the glyph, each in a folder of its own"
    if (folder/"done").exists(): return
    episodes = record_atari(game, DEMOS, seed=seed)
    for name in ("plain", "glyph"):
        (folder/name).mkdir(parents=True, exist_ok=True)
        if name == "glyph":
            episodes = [o._replace(frames=draw_actions(o.frames, torch.cat([o.actions.new_zeros(1), o.actions[:-1]]))) for o in episodes]
        _save_gabril(folder/name/f"num_episodes_{DEMOS}_fs4_simulated.pt", episodes)
    (folder/"done").touch()


def play(path, policy, game, glyph, seed, games=PLAYED):
    "Full games of a policy, kept in a file"
    if not path.exists():
        o = play_atari(policy, game, games, glyph=glyph, seed=seed)
        with atomic_write(path) as f: json.dump(dict(scores=o.scores.tolist(), steps=o.steps.tolist(), cut=o.cut.tolist(), repeats=o.repeats), f)
    return json.loads(path.read_text())


def task(out, game, seed):
    "All arms of a game and a seed; what is there is not done again"
    torch.set_num_threads(1)
    folder,rows = Path(out)/game/f"seed-{seed}",[]
    folder.mkdir(parents=True, exist_ok=True)
    for arm,policy,n in (("expert", atari_expert, 2), ("random", at_random(seed), PLAYED)):
        rows.append(dict(game=game, arm=arm, seed=seed) | play(folder/f"{arm}.json", policy, game, False, seed, n))
    for arm,changes in ARMS.items():
        glyph,begin = arm != "bc-no-glyph",time.process_time()
        if not (folder/arm/"result.json").exists(): record(folder/"demos", game, seed)
        data = str(folder/"demos"/("glyph" if glyph else "plain"))
        config = load_config("gaze_files", GazeConfig, **changes, data=data, seed=seed, device="cpu")
        result = _one_run(folder/arm, config)
        rows.append(dict(game=game, arm=arm, seed=seed) | result | play(folder/arm/"play.json", load_clone(folder/arm), game, glyph, seed))
        print(f"{game:<9} seed {seed}  {arm:<12} valid {result['valid_accuracy']:.3f}  switch {result['switch_accuracy']:.3f}  score {np.mean(rows[-1]['scores']):7.2f}"
            f"  repeats {rows[-1]['repeats']:.3f}  {time.process_time() - begin:.0f} CPU s", flush=True)
    for o in (folder/"demos").glob("*/*.pt"): o.unlink()
    (folder/"demos"/"done").unlink(missing_ok=True)
    return rows


def store(rows):
    "Two tables: a row for each run, a row for each game"
    rows = sorted(rows, key=lambda o: (o["game"], o["seed"]))
    said = dict(command="python bench/atari.py", config="gaze_files", seeds=sorted({o["seed"] for o in rows}))
    kept = "valid_accuracy","switch_accuracy","valid_loss","gaze_kl","repeats","cpu_seconds"
    runs = [{k: o[k] for k in ("game", "arm", "seed")} | dict(score=np.mean(o["scores"]), games=len(o["scores"]), steps=np.mean(o["steps"]), cut=sum(o["cut"]))
        | {k: o.get(k, np.nan) for k in kept} for o in rows]
    games = [dict(game=o["game"], arm=o["arm"], seed=o["seed"], number=i, score=s, steps=n) for o in rows for i,(s,n) in enumerate(zip(o["scores"], o["steps"]))]
    save_results(pd.DataFrame(runs), RESULTS/"atari.csv", **said)
    save_results(pd.DataFrame(games), RESULTS/"atari_games.csv", **said)


def experiment(out="runs/atari_experiment", jobs=2):
    rows = []
    with ProcessPoolExecutor(int(jobs), mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        for o in as_completed([pool.submit(task, out, game, seed) for seed in SEEDS for game in GAMES]):
            rows += o.result()
            store(rows)


def speed(repeats=5):
    "Emulator frames per CPU second: the emulator alone, our frames, a ViT that plays ten games, recording"
    from minitrain.gaze_training import _ClsViT
    torch.set_num_threads(1)
    c,rows = load_config("gaze_files", GazeConfig),[]
    model = _ClsViT(84, c.patch_size, c.frames, 18, c.dim, c.depth, c.heads, c.mlp_dim, patch_norm=c.patch_norm).eval()
    def emulator(game):
        env = AtariEnv(game)
        env.reset(seed=0)
        for _ in range(500):
            if not env._left or env._ale.game_over(): env.reset()
            env._act(0)
        return 500
    def ours(game):
        env = AtariEnv(game)
        env.reset(seed=0)
        for _ in range(500):
            if env.step(0)[2]: env.reset()
        return 500
    def plays(game): return int(play_atari(model, game, 10, glyph=True, steps=50).steps.sum())
    def records(game): return sum(len(o.actions) for o in record_atari(game, 2, 250, glyph=True))
    ways = {"emulator": emulator, "AtariEnv": ours, "ViT plays ten games": plays, "record_atari": records}
    for repeat in range(repeats):
        for game in GAMES:
            for name,fn in ways.items():
                start = time.process_time()
                n = 4*fn(game)
                rows.append(dict(game=game, way=name, repeat=repeat, frames=n, frames_per_second=n/(time.process_time() - start)))
    df = pd.DataFrame(rows)
    save_results(df, RESULTS/"atari_speed.csv", command="python bench/atari.py speed", seeds=[0])
    print(df.groupby(["game", "way"], sort=False).frames_per_second.agg(["median", "min", "max"]).round(0).to_string())


if __name__ == "__main__": speed() if sys.argv[1:] == ["speed"] else experiment(*sys.argv[1:])
