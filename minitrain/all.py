"Every public name of the book, in the order of its lessons: `from minitrain.all import *`"
from .core import *
from .softmax import *
from .likelihood import *
from .binary import *
from .data import *
from .loop import *
from .optim import *
from .multilabel import *
from .learner import *
from .metrics import *
from .callbacks import *
from .schedule import *
from .hooks import *
from .init import *
from .augment import *
from .checkpoint import *
from .scale import *
