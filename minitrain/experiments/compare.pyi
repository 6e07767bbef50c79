"""One job with several settings and several seeds, in parallel, resumable, with
intervals that say what was shown.
"""
# Made by tools/make_stubs.py: do not edit
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from matplotlib.figure import Figure
from minitrain.experiments.job import Job
from minitrain.runs import Config, setting
from pandas import DataFrame
from pathlib import Path
from typing import NamedTuple

__all__ = ['CompareConfig', 'planned_runs', 'compare', 'permutation_p', 'holm',
           'CompareReport', 'arm_table', 'difference_table', 'arms_figure', 'report']

@dataclass
class CompareConfig(Config):
    """Which arms a comparison runs: each is a name, and what it changes of `config`

    Args:
        config: Name or path of the configuration that all arms share
        common: What all arms change of it
        arms: The arms that are run first
        others: Run next, with as many seeds
        seeds: Runs of each of these
        sweeps: Arms that are run last
        sweep_seeds: Runs of each
        first_seed: Seeds count from here
        primary: The arm whose differences are the result
        against: What it is compared with, by seed
        measures: Kept of a result; [] keeps all
    """
    config: str = 'gaze'
    common: dict = field(default_factory=dict)
    arms: dict[str, dict] = field(default_factory=dict)
    others: dict[str, dict] = field(default_factory=dict)
    seeds: int = setting(10, ge=1)
    sweeps: dict[str, dict] = field(default_factory=dict)
    sweep_seeds: int = setting(5, ge=1)
    first_seed: int = setting(0, ge=0)
    primary: str = ''
    against: list[str] = field(default_factory=list)
    measures: list[str] = field(default_factory=list)
    def __post_init__(self)->None: ...

def planned_runs(job:Job, config:CompareConfig)->list:
    """All runs: seed by seed over the arms of a group

    Args:
        job: What is run
        config: Arms and seeds

    Returns:
        (group, arm, configuration) of each run, in the order in which they are
            run
    """

def compare(
    job:Job,
    config:CompareConfig,
    out:str | Path | None=None,
    jobs:int=2,
    progress:bool=True,
    on_row:Callable | None=None,
)->DataFrame:
    """Run arms times seeds in parallel processes; a killed one goes on where it was

    Args:
        job: What is run
        config: Arms and seeds
        out: Folder, new or of this one; None: runs/compare-<date>
        jobs: Processes at a time, one thread each
        progress: Print a line for each run, and the means at the end
        on_row: Called with the table of the runs so far after each

    Returns:
        pandas DataFrame: a run a row: group, arm, seed, what arms change,
            measures
    """

def permutation_p(differences:Sequence)->float:
    """Two-sided exact sign-flip test of a mean of 0; from 17 pairs on, of 65,536
    flips

    Args:
        differences: One for each pair

    Returns:
        From 2/2**n, or 1/65,537, to 1; nan for no pair
    """

def holm(p:Sequence)->list:
    """Holm's correction for the number of tests

    Args:
        p: p values of tests that are looked at together

    Returns:
        Corrected, in the same order
    """

class CompareReport(NamedTuple):
    """What a comparison has shown

    Args:
        arms: pandas DataFrame: by arm: group, runs, means with 95 % intervals
        differences: pandas DataFrame: of the primary arm to others, paired by
            seed
    """
    arms: DataFrame
    differences: DataFrame

def arm_table(df, measures:Sequence[str])->DataFrame:
    """Means and intervals by arm

    Args:
        df: Runs
        measures: Columns

    Returns:
        pandas DataFrame: by arm: group, runs, mean, low and high of each measure
    """

def difference_table(
    df,
    pairs:Sequence[tuple[str, str]],
    measures:Sequence[str],
)->DataFrame:
    """What one arm has more than another, by seed; `higher` counts seeds, Holm
    corrects

    Args:
        df: Runs
        pairs: Arms
        measures: Columns

    Returns:
        pandas DataFrame: arm, against, measure, seeds, difference, low, high, ...
    """

def arms_figure(df, measures:Mapping[str, str])->Figure:
    """Each run as a dot, each arm's mean with its interval

    Args:
        df: Runs
        measures: What to draw: label by column

    Returns:
        matplotlib Figure, a panel for each measure
    """

def report(
    results,
    primary:str='',
    against:Sequence[str]=(),
    out:str | Path | None=None,
)->CompareReport:
    """Means by arm and paired differences, with intervals over seeds

    Args:
        results: A folder of `compare`, its table, a CSV, or the name of a
            packaged table
        primary: The arm whose differences are looked at; "": as configured
        against: The arms it is compared with
        out: Folder for arms.csv, differences.csv and arms.png

    Returns:
        Tables `arms` and `differences`
    """
