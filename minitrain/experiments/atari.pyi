"""`minitrain atari record` and `atari play`: record an expert, train on the file
with `minitrain gaze train`, and let the clone play to the end.
"""
# Made by tools/make_stubs.py: do not edit
from pathlib import Path

__all__ = ['judge_clone']

def judge_clone(
    clone:str | Path,
    game:str,
    games:int=10,
    glyph:bool=False,
    seed:int=0,
    out:str | Path | None=None,
)->Path:
    """Let a clone play full games; keep each one's score, and a strip and a clip of
    the first

    Args:
        clone: As for `load_clone`
        game: As for `play_atari`
        games: Full games
        glyph: Write on each frame what the clone did last
        seed: Of the games
        out: Folder for games.csv, play.png and play.gif; None makes
            runs/atari-<date>-<time>

    Returns:
        The folder
    """
