#!/usr/bin/env python3
"""The Atari experiments of lesson 33 (minitrain/assets/configs/atari_protocol.md).

    python bench/atari.py [OUT] [JOBS]  runs what is not done yet, JOBS processes at a
                                        time (2), in OUT (runs/atari_experiment; the
                                        same command goes on after a kill)
    python bench/atari.py swap [OUT]    the second experiment, one process, in OUT
                                        (runs/atari_swap): `shuffle`, and what a clone
                                        does when another number is written
    python bench/atari.py clones [OUT] [SWAP]  packs clones of seed 0 for the lesson
    python bench/atari.py speed         frames per second of the pipeline

Rows are stored after each game and seed, or each run. Needs the extra `atari`.
"""
import json, sys, time
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import product
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml

from minitrain.atari import (AtariEnv, atari_expert, draw_actions, load_clone,
    play_atari, record_atari)
from minitrain.catch import lamp_swap
from minitrain.checkpoint import pack_weights
from minitrain.core import load_results
from minitrain.experiments.gaze import GazeConfig, gaze
from minitrain.experiments.job import one_run
from minitrain.gaze import stack_frames
from minitrain.gaze_files import load_gabril, save_gabril, split_episodes
from minitrain.gaze_training import clone_model
from minitrain.runs import atomic_write, load_config, save_results

RESULTS = Path(__file__).parents[1]/"minitrain"/"assets"/"results"
GAMES, SEEDS, DEMOS, PLAYED = ("breakout", "pong"), range(5), 30, 10
FILE = f"num_episodes_{DEMOS}_fs4_simulated.pt"
ARMS = {"bc": dict(gaze=False), "probs": {}, "shuffled": dict(target="shuffled"),
    "bc-no-glyph": dict(gaze=False)}
SWAP_ARMS = {"shuffle": dict(shuffle="attention"), "probs": {}, "bc": dict(gaze=False)}
NUMBERS = torch.tensor([0, 3, 4])  # NOOP, RIGHT, LEFT
KEPT = ("valid_accuracy", "switch_accuracy", "valid_loss", "gaze_kl", "repeats",
    "cpu_seconds")


def at_random(seed):
    "A player that presses NOOP, RIGHT and LEFT by chance"
    rng = np.random.default_rng(seed)
    return lambda info: int(rng.choice([0, 3, 4]))


def record(folder, game, seed):
    "The demonstrations of a seed, with and without the glyph, each in its own folder"
    if (folder/"done").exists(): return
    plain = record_atari(game, DEMOS, seed=seed)
    before = [torch.cat([o.actions.new_zeros(1), o.actions[:-1]]) for o in plain]
    glyph = [o._replace(frames=draw_actions(o.frames, a))
        for o, a in zip(plain, before)]
    for name, episodes in dict(plain=plain, glyph=glyph).items():
        (folder/name).mkdir(parents=True, exist_ok=True)
        save_gabril(folder/name/FILE, episodes)
    (folder/"done").touch()


def play(path, policy, game, glyph, seed, games=PLAYED):
    "Full games of a policy, kept in a file"
    if not path.exists():
        o = play_atari(policy, game, games, glyph=glyph, seed=seed)
        kept = dict(scores=o.scores.tolist(), steps=o.steps.tolist(),
            cut=o.cut.tolist(), repeats=o.repeats)
        with atomic_write(path) as f: json.dump(kept, f)
    return json.loads(path.read_text())


def train(folder, changes, data, seed):
    "A run on recorded games; its result"
    config = load_config("gaze_files", GazeConfig, **changes, data=str(data), seed=seed,
        device="cpu")
    return one_run(gaze, folder, config)


def task(out, game, seed):
    "All arms of a game and a seed; what is there is not done again"
    torch.set_num_threads(1)
    folder, rows = Path(out)/game/f"seed-{seed}", []
    folder.mkdir(parents=True, exist_ok=True)
    players = ("expert", atari_expert, 2), ("random", at_random(seed), PLAYED)
    for arm, policy, n in players:
        played = play(folder/f"{arm}.json", policy, game, False, seed, n)
        rows.append(dict(game=game, arm=arm, seed=seed) | played)
    for arm, changes in ARMS.items():
        glyph = arm != "bc-no-glyph"
        if not (folder/arm/"result.json").exists(): record(folder/"demos", game, seed)
        data = folder/"demos"/("glyph" if glyph else "plain")
        result = train(folder/arm, changes, data, seed)
        clone = load_clone(folder/arm)
        played = play(folder/arm/"play.json", clone, game, glyph, seed)
        rows.append(dict(game=game, arm=arm, seed=seed) | result | played)
        print(game, seed, arm, np.mean(played["scores"]), flush=True)
    for o in (folder/"demos").glob("*/*.pt"): o.unlink()
    (folder/"demos"/"done").unlink(missing_ok=True)
    return rows


def store(rows):
    "Two tables: a row for each run, a row for each game"
    rows = sorted(rows, key=lambda o: (o["game"], o["seed"]))
    said = dict(command="python bench/atari.py", config="gaze_files",
        seeds=sorted({o["seed"] for o in rows}))
    runs, games = [], []
    for o in rows:
        name = {k: o[k] for k in ("game", "arm", "seed")}
        played = dict(score=np.mean(o["scores"]), games=len(o["scores"]),
            steps=np.mean(o["steps"]), cut=sum(o["cut"]))
        runs.append(name | played | {k: o.get(k, np.nan) for k in KEPT})
        games += [name | dict(number=i, score=s, steps=n)
            for i, (s, n) in enumerate(zip(o["scores"], o["steps"]))]
    save_results(pd.DataFrame(runs), RESULTS/"atari.csv", **said)
    save_results(pd.DataFrame(games), RESULTS/"atari_games.csv", **said)


def experiment(out="runs/atari_experiment", jobs=2):
    rows, fresh = [], dict(mp_context=get_context("spawn"), max_tasks_per_child=1)
    with ProcessPoolExecutor(int(jobs), **fresh) as pool:
        todo = [pool.submit(task, out, game, seed) for seed in SEEDS for game in GAMES]
        for o in as_completed(todo):
            rows += o.result()
            store(rows)


def obeys_number(clone, game, demos, seed):
    "What a clone does when somebody else writes the number"
    valid = split_episodes(load_gabril(demos), seed=seed)[1]
    x = torch.cat([stack_frames(o.frames, 2) for o in valid])
    did = torch.cat([o.actions for o in valid])
    some = torch.linspace(0, len(x) - 1, 2000).long()
    x, did = x[some], did[some]
    def policy(x): return clone(x.float()/255)[:, NUMBERS]
    def on_both(x, i): return draw_actions(x, NUMBERS[i])
    def on_last(x, i): return torch.cat([x[:, :1], on_both(x[:, 1:], i)], 1)
    both, last = (torch.cat([lamp_swap(policy, o, light) for o in x.split(500)])
        for light in (on_both, on_last))
    said, other = NUMBERS[both], did[:, None] != NUMBERS  # (n, 3): the expert disagrees
    figures = dict(changed=(both != both[:, :1]).any(1),
        changed_last=(last != last[:, :1]).any(1),
        disagree_accuracy=(said == did[:, None])[other],
        follows=(said == NUMBERS)[other])
    return {k: o.float().mean().item() for k, o in figures.items()}


def swap_run(out, game, arm, seed):
    "One clone, trained, asked and played; what is there is not done again"
    folder = Path(out)/game/f"seed-{seed}"
    done, demos = folder/f"{arm}.json", folder/"demos"/FILE
    if done.exists(): return json.loads(done.read_text())
    if not demos.exists(): record_atari(game, DEMOS, glyph=True, seed=seed, path=demos)
    packaged = seed == 0 and arm in ("bc", "probs")  # of the first experiment
    if packaged:
        clone = load_clone(f"{game}-{arm}")
        known = load_results("atari").set_index(["game", "arm", "seed"])
        result = known.loc[(game, arm, seed)].to_dict()
    else:
        result = train(folder/arm, SWAP_ARMS[arm], demos.parent, seed)
        clone = load_clone(folder/arm)
    played = play_atari(clone, game, PLAYED, glyph=True, seed=seed)
    row = dict(game=game, arm=arm, seed=seed, own=played.scores.mean().item())
    for number in NUMBERS.tolist():
        o = play_atari(clone, game, PLAYED//2, glyph=True, seed=seed, frozen=number)
        row[f"frozen_{number}"] = o.scores.mean().item()
    row["frozen"] = sum(row[f"frozen_{o}"] for o in NUMBERS.tolist())/3
    row |= obeys_number(clone, game, demos, seed)
    row |= {k: result[k] for k in KEPT if k in result}
    row |= dict(repeats=played.repeats, packaged=packaged)
    with atomic_write(done) as f: json.dump(row, f)
    return row


def swap(out="runs/atari_swap"):
    "The second experiment: runs in the order of the protocol, rows stored after each"
    torch.set_num_threads(1)
    rows = []
    for seed, game, arm in product(SEEDS, GAMES, SWAP_ARMS):
        rows.append(swap_run(out, game, arm, seed))
        df = pd.DataFrame(rows)
        save_results(df, RESULTS/"atari_swap.csv", config="gaze_files", runs=len(df),
            command="python bench/atari.py swap", seeds=sorted({*df.seed.tolist()}))
        print(df.tail(1).round(3).to_string(index=False), flush=True)


def clones(out="runs/atari_experiment", swapped="runs/atari_swap"):
    "Weights in half precision, and the configuration, of the runs of seed 0 there are"
    folder = RESULTS.parent/"clones"
    folder.mkdir(exist_ok=True)
    for game, arm in product(GAMES, ("bc", "probs", "shuffle")):
        run = Path(swapped if arm == "shuffle" else out)/game/"seed-0"/arm
        if not (run/"result.json").exists(): continue
        values = yaml.safe_load((run/"config.yaml").read_text())
        values |= dict(data=f"recordings of {game}")
        with atomic_write(folder/f"{game}-{arm}.yaml") as f:
            f.write(f"# The clone `{arm}` of {game}, seed 0 of the experiments of "
                "lesson 33, in half\n# precision: python bench/atari.py clones\n")
            f.write(yaml.safe_dump(values, sort_keys=False))
        with atomic_write(folder/f"{game}-{arm}.safetensors", "wb") as f:
            f.write(pack_weights(load_clone(run).half(), job=gaze.name, config=values))


def speed(repeats=5):
    "Emulator frames per CPU second: emulator, our frames, recording, a ViT at play"
    torch.set_num_threads(1)
    c, rows = load_config("gaze_files", GazeConfig), []
    model = clone_model(c, 18).eval()
    def ours(game):
        env, actions, done = AtariEnv(game, steps=700), [], False
        info = env.reset(seed=0)[1]
        while not done:
            actions.append(atari_expert(info))
            *_, over, cut, info = env.step(actions[-1])
            done = over or cut
        return actions
    asked = {game: ours(game) for game in GAMES}  # the emulator alone does the same
    def emulator(game):
        env = AtariEnv(game)
        env.reset(seed=0)
        for action in asked[game]:
            env._act(action)
            env._serve()
        return asked[game]
    def plays(game):
        return torch.cat(play_atari(model, game, 10, glyph=True, steps=150).actions)
    def records(game):
        return torch.cat([o.actions for o in record_atari(game, 2, 350, glyph=True)])
    ways = {"emulator": emulator, "AtariEnv, expert": ours, "record_atari": records,
        "ViT plays ten games": plays}
    for repeat, game, (name, fn) in product(range(repeats), GAMES, ways.items()):
        start = time.process_time()
        n = 4*len(fn(game))
        rows.append(dict(game=game, way=name, repeat=repeat, frames=n,
            frames_per_second=n/(time.process_time() - start)))
    df = pd.DataFrame(rows)
    save_results(df, RESULTS/"atari_speed.csv", seeds=[0],
        command="python bench/atari.py speed")
    rate = df.groupby(["game", "way"], sort=False).frames_per_second
    print(rate.agg(["median", "min", "max"]).round(0).to_string())


if __name__ == "__main__":
    commands, words = dict(speed=speed, clones=clones, swap=swap), sys.argv[1:]
    if words[:1] and words[0] in commands: commands[words[0]](*words[1:])
    else: experiment(*words)
