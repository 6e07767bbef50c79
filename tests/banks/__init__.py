"""Answers to the exercises, a file for each notebook 50 to 55: BANK maps a check's name to its right and its wrong answers.

    BANK["check_logmeanexp"] = Bank(right=[f, g], wrong=[(h, "a pattern of the hint that names the cause"), ...])
"""
from typing import NamedTuple


class Bank(NamedTuple):
    right: list  # two or more, differently written
    wrong: list  # five or more pairs: an answer that a student would write, a regular expression that the report must match
