#!/usr/bin/env python3
"""The Atari experiments of lesson 33 (protocol: minitrain/assets/configs/atari_protocol.md).

    python bench/atari.py [OUT] [JOBS]  runs what is not done yet, JOBS processes at a time (2), in OUT
                                        (runs/atari_experiment; the same command goes on after a kill)
    python bench/atari.py swap [OUT]    the second experiment, one process, in OUT (runs/atari_swap):
                                        `shuffle`, and what each clone does when another number is written
    python bench/atari.py clones [OUT] [SWAP]  packs the clones of seed 0 for the lesson to watch
    python bench/atari.py speed         frames per second of the pipeline

Rows are stored after each game and seed. Needs the extra `atari`.
"""
import json, sys, time
from itertools import product
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml
from safetensors.torch import load_file, save

from minitrain.atari import (AtariEnv, atari_expert, draw_actions, load_clone, play_atari,
    record_atari)
from minitrain.catch import lamp_swap
from minitrain.gaze import stack_frames
from minitrain.gaze_files import load_gabril, save_gabril, split_episodes
from minitrain.runs import atomic_write, load_config, save_results
from minitrain.experiments.gaze import GazeConfig, gaze
from minitrain.experiments.job import one_run
from minitrain.gaze_training import clone_model

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
        save_gabril(folder/name/f"num_episodes_{DEMOS}_fs4_simulated.pt", episodes)
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
        result = one_run(gaze, folder/arm, config)
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


ACTIONS, SWAP_ARMS = torch.tensor([0, 3, 4]), dict(shuffle=dict(shuffle="attention"), probs={}, bc=dict(gaze=False))


def obeys_number(clone, game, demos, seed):
    "What a clone does when somebody else writes the number"
    valid = split_episodes(load_gabril(demos), seed=seed)[1]
    x = torch.cat([stack_frames(o.frames, 2) for o in valid])
    did = torch.cat([o.actions for o in valid])
    some = torch.linspace(0, len(x) - 1, 2000).long()
    x, did = x[some], did[some]
    last = lambda x, i: torch.cat([x[:, :1], draw_actions(x[:, 1:], ACTIONS[i])], 1)
    policy = lambda x: clone(x.float()/255)[:, ACTIONS]
    both, newest = (torch.cat([lamp_swap(policy, o, light) for o in x.split(500)])
        for light in (lambda x, i: draw_actions(x, ACTIONS[i]), last))
    other = did[:, None] != ACTIONS  # (n, 3): the number and the expert disagree
    said = ACTIONS[both]
    figures = dict(changed=(both != both[:, :1]).any(1), changed_last=(newest != newest[:, :1]).any(1),
        disagree_accuracy=(said == did[:, None])[other], follows=(said == ACTIONS)[other])
    return {k: o.float().mean().item() for k, o in figures.items()}


def swap_run(out, game, arm, seed):
    "One clone, trained, asked and played; what is there is not done again"
    folder = Path(out)/game/f"seed-{seed}"
    done = folder/f"{arm}.json"
    if done.exists(): return json.loads(done.read_text())
    demos = folder/"demos"/f"num_episodes_{DEMOS}_fs4_simulated.pt"
    if not demos.exists(): record_atari(game, DEMOS, glyph=True, seed=seed, path=demos)
    config = load_config("gaze_files", GazeConfig, **SWAP_ARMS[arm], data=str(demos.parent),
        seed=seed, device="cpu")
    result = one_run(gaze, folder/arm, config)
    clone = load_clone(folder/arm)
    played = play_atari(clone, game, PLAYED, glyph=True, seed=seed)
    row = dict(game=game, arm=arm, seed=seed, own=played.scores.mean().item())
    for number in ACTIONS.tolist():
        o = play_atari(clone, game, PLAYED//2, glyph=True, seed=seed, frozen=number)
        row[f"frozen_{number}"] = o.scores.mean().item()
    row["frozen"] = sum(row[f"frozen_{o}"] for o in ACTIONS.tolist())/3
    row |= obeys_number(clone, game, demos, seed) | dict(repeats=played.repeats)
    for k in ("valid_accuracy", "switch_accuracy", "gaze_kl", "cpu_seconds"): row[k] = result[k]
    with atomic_write(done) as f: json.dump(row, f)
    return row


def swap(out="runs/atari_swap"):
    "The second experiment: runs in the order of the protocol, rows stored after each"
    torch.set_num_threads(1)
    rows = []
    for arms in (("shuffle", "probs"), ("bc",)):
        for game, seed, arm in product(GAMES, SEEDS, arms):
            rows.append(swap_run(out, game, arm, seed))
            df = pd.DataFrame(rows)
            save_results(df, RESULTS/"atari_swap.csv", command="python bench/atari.py swap",
                config="gaze_files", seeds=sorted(df.seed.unique().tolist()), runs=len(df))
            print({k: round(v, 3) if isinstance(v, float) else v for k, v in rows[-1].items()}, flush=True)


def clones(out="runs/atari_experiment"):
    "Weights in half precision, and the configuration, of seed 0"
    folder = RESULTS.parent/"clones"
    folder.mkdir(exist_ok=True)
    for game in GAMES:
        for arm in ("bc", "probs"):
            run = Path(out)/game/"seed-0"/arm
            values = yaml.safe_load((run/"config.yaml").read_text()) | dict(data=f"recordings of {game}")
            with atomic_write(folder/f"{game}-{arm}.yaml") as f:
                f.write(f"# The clone `{arm}` of {game}, seed 0 of the experiment of lesson 33, in half precision.\n# Packed by: python bench/atari.py clones\n")
                f.write(yaml.safe_dump(values, sort_keys=False))
            with atomic_write(folder/f"{game}-{arm}.safetensors", "wb") as f:
                f.write(save({k: v.half().contiguous() for k,v in load_file(run/"model.safetensors").items()}))


def speed(repeats=5):
    "Emulator frames per CPU second: the emulator alone, our frames, recording, a ViT that plays ten games"
    torch.set_num_threads(1)
    c,rows = load_config("gaze_files", GazeConfig),[]
    model = clone_model(c, 18).eval()
    def ours(game):
        env,actions,done = AtariEnv(game, steps=700),[],False
        info = env.reset(seed=0)[1]
        while not done:
            actions.append(atari_expert(info))
            *_,over,cut,info = env.step(actions[-1])
            done = over or cut
        return actions
    def emulator(game):
        env = AtariEnv(game)
        env.reset(seed=0)
        for action in asked[game]:
            env._act(action)
            env._serve()
        return asked[game]
    asked = {game: ours(game) for game in GAMES}  # the emulator alone is asked for the same
    def plays(game): return torch.cat(play_atari(model, game, 10, glyph=True, steps=150).actions)
    def records(game): return torch.cat([o.actions for o in record_atari(game, 2, 350, glyph=True)])
    ways = {"emulator": emulator, "AtariEnv, expert": ours, "record_atari": records, "ViT plays ten games": plays}
    for repeat in range(repeats):
        for game in GAMES:
            for name,fn in ways.items():
                start = time.process_time()
                n = 4*len(fn(game))
                rows.append(dict(game=game, way=name, repeat=repeat, frames=n, frames_per_second=n/(time.process_time() - start)))
    df = pd.DataFrame(rows)
    save_results(df, RESULTS/"atari_speed.csv", command="python bench/atari.py speed", seeds=[0])
    print(df.groupby(["game", "way"], sort=False).frames_per_second.agg(["median", "min", "max"]).round(0).to_string())


if __name__ == "__main__":
    if sys.argv[1:] == ["speed"]: speed()
    elif sys.argv[1:2] == ["clones"]: clones(*sys.argv[2:])
    elif sys.argv[1:2] == ["swap"]: swap(*sys.argv[2:])
    else: experiment(*sys.argv[1:])
