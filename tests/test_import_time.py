"Importing the whole book costs little over torch: what is heavy is imported when it is first needed."
import sys


def test_nothing_heavy_at_import(run_offline):
    code = """import torch, sys
torch_alone = {*sys.modules}
import minitrain.all
print(*{o.split(".")[0] for o in {*sys.modules} - torch_alone}, "minitrain.compose" in sys.modules)"""
    done = run_offline(sys.executable, "-c", code)
    assert done.returncode == 0, done.stderr
    heavy = {"matplotlib", "pandas", "pooch", "requests", "sklearn", "jsonargparse", "IPython", "scipy", "tabulate"}
    brought = {*done.stdout.split()}
    assert {"minitrain", "False"} <= brought and not heavy & brought
