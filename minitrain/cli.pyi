"""`minitrain digits`, `multilabel`, `reasoning`, `gaze`, `atari`, `lessons`: typed
options, one clear line when something is wrong.
"""
# Made by tools/make_stubs.py: do not edit
from pathlib import Path

__all__ = ['parse_job', 'copy_lessons', 'main']

def parse_job(
    command:str,
    schema:type,
    argv:list[str],
    about:str='',
    more:dict | None=None,
    **alone,
)->tuple:
    """Read a job's options: the dataclass's defaults, then the file, then the line

    Args:
        command: Name of the command, for messages
        schema: The job's dataclass
        argv: Options as on the command line
        about: First line of --help
        more: Further options, not of the dataclass: help by name
        **alone: Options that take the place of all others: help by name

    Returns:
        The dataclass (None with one of `alone`), --out or None, other options
    """

def copy_lessons(folder:str | Path='lessons')->list[Path]:
    """Copy the book's notebooks to `folder`; a file that is there is never
    overwritten

    Args:
        folder: Where the notebooks go; made if it is not there

    Returns:
        The copies
    """

def main(argv:list[str] | None=None)->int:
    """Run one of the book's commands

    Args:
        argv: Words after `minitrain`; None: those of the command line

    Returns:
        0 done, 1 a run that failed, 2 a usage error, 130 stopped by Ctrl-C
    """
