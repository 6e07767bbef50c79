"""What tools see: stubs with every method of a class, for pyright and jedi; annotations
that resolve; help() at run time."""
import importlib, inspect, json, pydoc, re, shutil, subprocess, sys, tempfile, typing
from collections import defaultdict
from pathlib import Path

import gymnasium
import jedi
import pytest

import minitrain.all
from conftest import ROOT

STUBS = sorted((ROOT/"minitrain").rglob("*.pyi"))
jedi.settings.cache_directory = tempfile.mkdtemp()  # processes that share one read halves

SCRIPT = """\
# pyright: reportIncompatibleMethodOverride=true
import torch.nn.functional as F
from torch import nn
from minitrain.all import Accuracy, AdamW, Callback, DataLoaders, Dataset, Learner, MetricsCB, TrainCB, get_dls
from minitrain.core import load_digits
from minitrain.progress import HistoryCB

class Loud(Callback):
    def after_epoch(self, learn: Learner):
        print(learn.epoch, learn.metrics.rows[-1])

digits = load_digits()
train = Dataset(digits.x_train.flatten(1), digits.y_train)
valid = Dataset(digits.x_valid.flatten(1), digits.y_valid)
dls = DataLoaders(*get_dls(train, valid, 64))
history = HistoryCB()
learn = Learner(nn.Linear(784, 10), dls, F.cross_entropy, lr=0.01, opt_func=AdamW,
    cbs=[TrainCB(), MetricsCB(Accuracy()), history, Loud()])
learn.lr_find(plot=False)
learn.fit(2, lr=0.003)
learn.summary()
print(history.df.head(), history.best("accuracy", higher=True), learn.capture_preds())
learn.ft(1)
"""
TYPO = 'Cannot access attribute "ft" for class "Learner"'


def dotted(path):
    "The name of the module that a file belongs to"
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


@pytest.fixture(scope="module")
def without_stubs(tmp_path_factory):
    "A folder with minitrain as it was before it had stubs"
    folder = tmp_path_factory.mktemp("plain")
    shutil.copytree(ROOT/"minitrain", folder/"minitrain",
                    ignore=shutil.ignore_patterns("*.pyi", "py.typed", "assets"))
    return folder


@pytest.fixture(scope="module")
def told(tmp_path_factory, without_stubs):
    """What pyright says, by name: of a user's script, of questions of kind and of the
    stubs, and of the script in `old/` where minitrain has no stubs"""
    folder = tmp_path_factory.mktemp("told")
    kinds = ["from torch import nn", "from minitrain.all import *"]
    kinds += [f"reveal_type({o})" for o in KINDS]
    (folder/"old").mkdir()
    for name in ("user.py", "old/user.py"): (folder/name).write_text(SCRIPT)
    (folder/"kinds.py").write_text("\n".join(kinds))
    include = ["user.py", "old/user.py", "kinds.py", *map(str, STUBS)]
    config = dict(typeCheckingMode="standard", reportIncompatibleMethodOverride=False,
        include=include, extraPaths=[str(ROOT)],
        executionEnvironments=[dict(root="old", extraPaths=[str(without_stubs)])])
    (folder/"pyrightconfig.json").write_text(json.dumps(config))
    command = [sys.executable, "-m", "basedpyright", "--outputjson"]
    done = subprocess.run([*command, "--pythonpath", sys.executable, "-p", folder],
                          capture_output=True, text=True, cwd=folder)
    found = json.loads(done.stdout)
    assert found["summary"]["filesAnalyzed"] == len(include), done.stdout + done.stderr
    out = defaultdict(list)
    for o in found["generalDiagnostics"]:
        path = Path(o["file"])
        out["old/user.py" if path.parent.name == "old" else path.name].append(o["message"])
    return out


def test_one_typo_is_the_one_error(told):
    found = told["user.py"]
    assert len(found) == 1 and found[0].startswith(TYPO), found
    found = told["old/user.py"]  # the control
    assert len(found) > 5 and any(o.startswith(TYPO) for o in found), found


KINDS = {  # of a property, a classmethod, a dataclass, a named tuple, a function
    "Learner(nn.Linear(1, 1)).training": "bool",
    "ViT.from_weights({}, 8, 4, 2)": "ViT",
    "Curriculum(1, 2).end": "int",
    "load_digits().x_train": "Tensor",
    "HistoryCB().df": "DataFrame",
    "show_image([])": "Axes"}


def test_definitions_keep_their_kind(told):
    assert [o.partition(" is ")[2].strip('"') for o in told["kinds.py"]] == list(KINDS.values())


def test_stubs_are_sound(told):
    "Every name in a stub resolves and every type is one"
    assert {o: found for o, found in told.items() if o.endswith(".pyi")} == {}


def completed(code, package):
    "The public names that an editor offers at the end of some code"
    path = [str(package), *(o for o in sys.path if o and o != str(ROOT))]
    project = jedi.Project(str(package), sys_path=path, smart_sys_path=False)
    found = jedi.Script(code, path=package/"user.py", project=project).complete()
    return {o.name for o in found if not o.name.startswith("_")}


def test_editors_complete(without_stubs):
    imports = "from torch import nn\nfrom minitrain.all import *\n"
    learner = f"{imports}Learner(nn.Linear(2, 2))."
    assert {"fit", "lr_find", "summary"} <= completed(learner, ROOT)
    assert {"set_epoch", "state_dict"} <= completed(f"{imports}DataLoader([1]).", ROOT)
    assert "set_title" in completed(f"{imports}show_image([]).", ROOT)  # matplotlib's
    assert not {"lr_find", "summary"} & completed(learner, without_stubs)  # the control


def shown(name):
    "The docstring that an editor shows when a call of a name of minitrain.all begins"
    code = f"from minitrain.all import *\n{name}("
    script = jedi.Script(code, project=jedi.Project(str(ROOT)))
    return script.get_signatures()[0].docstring()


def test_parameters_are_told():
    "Comments on parameters and results, in a method that another module adds too"
    assert "epochs: How often to go through the data" in shown("Learner.fit")
    assert "opt_func: Called with (parameters, lr)" in shown("Learner")
    assert "start_lr: The first learning rate" in shown("Learner.lr_find")
    assert "Returns:\n    The suggestion" in shown("Learner.lr_find")


def own_methods(cls):
    "The public methods and properties that modules of minitrain give a class"
    for name, o in vars(cls).items():
        o = getattr(o, "fget", None) or getattr(o, "__func__", o)
        ours = (getattr(o, "__module__", "").startswith("minitrain")
            and not hasattr(o, "hooked"))  # torch wraps `step` when an optimizer is made
        if inspect.isfunction(o) and ours and not name.startswith("_"): yield name


def test_stubs_and_modules_name_the_same():
    "Each public class has the public methods in its stub that it has at run time"
    for path in STUBS:
        module = importlib.import_module(dotted(path))
        stub = path.read_text(encoding="utf-8")
        for o in map(vars(module).get, getattr(module, "__all__", ())):
            if not inspect.isclass(o): continue
            body = stub.partition(f"\nclass {o.__name__}")[2].partition("\nclass ")[0]
            found = {*re.findall(r"^    (?:def )?(\w+)", body, re.M)}
            assert {*own_methods(o)} <= found, o


def test_help_shows_signature_and_docstring():
    """The comments on parameters are in the source, which `Learner.fit??` shows; help()
    has the signature and the docstring"""
    text = pydoc.plain(pydoc.render_doc(minitrain.all.Learner.fit))
    assert inspect.getdoc(minitrain.all.Learner.fit) in text
    assert all(f"{o}:" in text for o in ("n_epochs", "train", "valid", "lr"))


def hinted(o):
    "A class or function, and the methods and properties of a class"
    yield o
    for method in vars(o).values() if inspect.isclass(o) else ():
        method = getattr(method, "fget", None) or getattr(method, "__func__", method)
        if inspect.isfunction(method): yield method


@pytest.mark.parametrize("name", [dotted(o) for o in STUBS if o.stem != "all"])
def test_annotations_resolve(name):
    module = importlib.import_module(name)
    for o in map(vars(module).get, module.__all__):
        for part in hinted(o) if inspect.isclass(o) or inspect.isfunction(o) else ():
            foreign = inspect.isclass(part) and issubclass(part, gymnasium.Env)
            if not foreign: typing.get_type_hints(part)
    with pytest.raises(NameError): typing.get_type_hints(gymnasium.Env)  # it is its own
