"""Other people's models without what they ask for: vit_pytorch's files without its package, which wants
torchvision, and timm's ViTs with stand-ins for torchvision while they are imported."""
import importlib, importlib.util, sys, types
from unittest.mock import patch

import pytest
from torch import nn

TORCHVISION = ("", ".ops", ".ops.misc", ".transforms", ".transforms.functional", ".models", ".models.feature_extraction", ".datasets")


def theirs(name):
    "A module of vit_pytorch"
    spec = importlib.util.find_spec("vit_pytorch")
    if spec is None: pytest.skip("vit_pytorch is not installed")
    package = types.ModuleType("vit_alone")
    package.__path__ = [*spec.submodule_search_locations]
    sys.modules.setdefault("vit_alone", package)
    return importlib.import_module(f"vit_alone.{name}")


class Anything(types.ModuleType):
    "A module that has whatever class it is asked for"
    __path__ = []
    def __getattr__(self, name):
        if name.startswith("__"): raise AttributeError(name)
        kinds = "NEAREST", "BILINEAR", "BICUBIC", "BOX", "HAMMING", "LANCZOS"
        return type(name, (nn.Module,), {k: i for i, k in enumerate(kinds)})


def timm(name):
    "A module of timm.models; no stand-in stays behind, for others ask whether torchvision is there"
    if importlib.util.find_spec("timm") is None: pytest.skip("timm is not installed")
    if importlib.util.find_spec("torchvision") is not None: return importlib.import_module(f"timm.models.{name}")
    stand_ins = {f"torchvision{o}": Anything(f"torchvision{o}") for o in TORCHVISION}
    for o in TORCHVISION[1:]:
        parent, _, child = f"torchvision{o}".rpartition(".")
        setattr(stand_ins[parent], child, stand_ins[f"torchvision{o}"])
    before = set(sys.modules)
    with patch.dict(sys.modules, stand_ins):
        module = importlib.import_module(f"timm.models.{name}")
        kept = {k: v for k, v in sys.modules.items() if k not in before and k not in stand_ins}
    sys.modules.update(kept)  # patch.dict puts all back
    return module
