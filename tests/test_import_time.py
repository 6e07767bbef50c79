"Importing the whole book costs little over torch: what is heavy is imported when it is first needed."
import sys


def test_nothing_heavy_at_import(run_offline):
    code = "import minitrain.all, sys; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    done = run_offline(sys.executable, "-c", code)
    assert done.returncode == 0, done.stderr
    torch_alone = run_offline(sys.executable, "-c", code.replace("minitrain.all", "torch")).stdout.split()
    heavy = {"matplotlib", "pandas", "pooch", "requests", "sklearn", "jsonargparse", "IPython", "scipy", "tabulate"}
    assert not heavy & set(done.stdout.split()) - set(torch_alone)
