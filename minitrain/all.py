"Every public name of the book, in the order of its lessons: `from minitrain.all import *`"
from .core import *
from .softmax import *
from .likelihood import *
from .binary import *
from .data import *
from .loop import *
from .optim import *
from .multilabel import *
