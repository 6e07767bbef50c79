"Trials of Atari-HEAD, written for tests"
import io, tarfile

import numpy as np
import torch
from PIL import Image

HEAD = "frame_id,episode_id,score,duration(ms),unclipped_reward,action,gaze_positions\n"


def png(image):
    "An array (hgt, wid, 3) of bytes as the bytes of a PNG file"
    file = io.BytesIO()
    Image.fromarray(image).save(file, "png")
    return file.getvalue()


def write_archive(path, files):
    "A .tar.bz2 of (name, bytes)"
    with tarfile.open(path, "w:bz2") as tar:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def write_episodes(path, episodes):
    "A trial of whole episodes; gaze in pixels, nan and the action -100 as null"
    lines, files = [], []
    for i, e in enumerate(episodes):
        for frame, action, gaze in zip(e.frames, e.actions.tolist(), e.gaze):
            seen = gaze[gaze.isfinite().all(-1)]*torch.tensor([160, 210])
            points = ",".join(f"{o:.4f}" for o in seen.flatten().tolist()) or "null"
            action = "null" if action < 0 else action
            lines.append(f"XY_1_{len(lines)},{i},0,50,0,{action},{points}")
            files.append((f"XY_1_{len(files)}.png", png(frame.numpy()[..., None].repeat(3, -1))))
    path.with_name(path.name.replace(".tar.bz2", ".txt")).write_text(HEAD + "\n".join(lines))
    write_archive(path, files)
