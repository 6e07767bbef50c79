"Answers to the exercises of part 0"
from banks import Bank

BANK = {}
