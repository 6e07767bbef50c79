"Answers to the exercises of part 0"
import os, random, tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch.utils._pytree import tree_leaves

from banks import Bank
from minitrain.core import set_seed

# ------------------------------------------------------------------- count_tensors


def with_a_stack(x):
    todo, n = [x], 0
    while todo:
        o = todo.pop()
        if isinstance(o, torch.Tensor): n += 1
        elif isinstance(o, dict): todo.extend(o.values())
        elif isinstance(o, (list, tuple)): todo.extend(o)
    return n


def as_numpy(x): return np.float32(with_a_stack(x))


def leaves(x): return sum(isinstance(o, torch.Tensor) for o in tree_leaves(x))


def no_tuples(x):
    if isinstance(x, torch.Tensor): return 1
    if isinstance(x, dict): return sum(map(no_tuples, x.values()))
    return sum(map(no_tuples, x)) if isinstance(x, list) else 0


def keys(x):
    if isinstance(x, torch.Tensor): return 1
    return sum(map(keys, x)) if isinstance(x, (list, tuple, dict)) else 0


def exact_types(x):
    if isinstance(x, torch.Tensor): return 1
    if type(x) is dict: return sum(map(exact_types, x.values()))
    return sum(map(exact_types, x)) if type(x) in (list, tuple) else 0


def exact_tensor(x):
    if type(x) == torch.Tensor: return 1
    if isinstance(x, dict): return sum(map(exact_tensor, x.values()))
    return sum(map(exact_tensor, x)) if isinstance(x, (list, tuple)) else 0


def everything_counts(x):
    if isinstance(x, dict): return sum(map(everything_counts, x.values()))
    return sum(map(everything_counts, x)) if isinstance(x, (list, tuple)) else 1


def containers_too(x):
    if isinstance(x, torch.Tensor): return 1
    if isinstance(x, dict): return 1 + sum(map(containers_too, x.values()))
    return 1 + sum(map(containers_too, x)) if isinstance(x, (list, tuple)) else 0


def items_of(x):
    if isinstance(x, dict): return list(x.values())
    return x if isinstance(x, (list, tuple)) else []


def one_level(x):
    if isinstance(x, torch.Tensor): return 1
    items = items_of(x)
    return sum(isinstance(o, torch.Tensor) for o in items)


def letters(x):
    if isinstance(x, torch.Tensor): return 1
    if isinstance(x, dict): x = x.values()
    try: return sum(map(letters, x))
    except TypeError: return 0


def rows(x):
    if isinstance(x, dict): return sum(map(rows, x.values()))
    if isinstance(x, (list, tuple)) or isinstance(x, torch.Tensor) and x.ndim > 1:
        return sum(map(rows, x))
    return int(isinstance(x, torch.Tensor))


def no_container_at_the_top(x):
    items = items_of(x)
    n = sum(isinstance(o, torch.Tensor) for o in items)
    return n + sum(no_container_at_the_top(o) for o in items)


def forgets_a_path(x):
    if isinstance(x, torch.Tensor): return 1
    if isinstance(x, dict): return sum(forgets_a_path(v) or 0 for v in x.values())
    if isinstance(x, (list, tuple)): return sum(forgets_a_path(v) or 0 for v in x)


def each_tensor_once(x):
    found = set()
    def walk(o):
        if isinstance(o, torch.Tensor): found.add(id(o))
        elif isinstance(o, dict): [walk(v) for v in o.values()]
        elif isinstance(o, (list, tuple)): [walk(v) for v in o]
    walk(x)
    return len(found)


def keeps_its_list(x, found=[]):
    if isinstance(x, torch.Tensor): found.append(x)
    elif isinstance(x, dict): [keeps_its_list(v) for v in x.values()]
    elif isinstance(x, (list, tuple)): [keeps_its_list(v) for v in x]
    return len(found)


def reads_the_repr(x): return str(x).count("tensor(")


def eats_the_batch(x):
    if isinstance(x, torch.Tensor): return 1
    if isinstance(x, dict): x = x.values()
    n = 0
    while isinstance(x, list) and x: n += eats_the_batch(x.pop())
    return n or (sum(map(eats_the_batch, x)) if isinstance(x, tuple) else n)


# ----------------------------------------------------------------------- temp_seed


class Seeded:
    "A context manager as a class"
    def __init__(self, seed): self.seed = seed
    def __enter__(self):
        self.state = torch.get_rng_state()
        torch.manual_seed(self.seed)
    def __exit__(self, *error): torch.set_rng_state(self.state)


@contextmanager
def forked(seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


@contextmanager
def no_finally(seed):
    state = torch.get_rng_state()
    torch.manual_seed(seed)
    yield
    torch.set_rng_state(state)


@contextmanager
def reseeds_zero(seed):
    torch.manual_seed(seed)
    try: yield
    finally: torch.manual_seed(0)


@contextmanager
def reseeds_the_old_seed(seed):
    old = torch.initial_seed()
    torch.manual_seed(seed)
    try: yield
    finally: torch.manual_seed(old)


@contextmanager
def swallows(seed):
    state = torch.get_rng_state()
    torch.manual_seed(seed)
    try: yield
    except Exception: pass
    finally: torch.set_rng_state(state)


@contextmanager
def only_exceptions(seed):
    state = torch.get_rng_state()
    torch.manual_seed(seed)
    try: yield
    except Exception:
        torch.set_rng_state(state)
        raise
    torch.set_rng_state(state)


@contextmanager
def never_puts_back(seed):
    torch.manual_seed(seed)
    yield


@contextmanager
def reads_too_late(seed):
    torch.manual_seed(seed)
    state = torch.get_rng_state()
    try: yield
    finally: torch.set_rng_state(state)


@contextmanager
def never_seeds(seed):
    state = torch.get_rng_state()
    try: yield
    finally: torch.set_rng_state(state)


@contextmanager
def one_seed_for_all(seed):
    state = torch.get_rng_state()
    torch.manual_seed(0)
    try: yield
    finally: torch.set_rng_state(state)


def not_a_manager(seed):
    state = torch.get_rng_state()
    torch.manual_seed(seed)
    try: yield
    finally: torch.set_rng_state(state)


class Early(Seeded):
    "Reads the state when it is made"
    def __init__(self, seed): self.seed, self.state = seed, torch.get_rng_state()
    def __enter__(self): torch.manual_seed(self.seed)


@contextmanager
def seeds_everything(seed):
    state = torch.get_rng_state()
    set_seed(seed)
    try: yield
    finally: torch.set_rng_state(state)


class ExitSaysTrue(Seeded):
    def __exit__(self, *error):
        torch.set_rng_state(self.state)
        return True


SAVED = {}


@contextmanager
def one_place_for_all(seed):
    SAVED["state"] = torch.get_rng_state()
    torch.manual_seed(seed)
    try: yield
    finally: torch.set_rng_state(SAVED["state"])


@contextmanager
def yields_twice(seed):
    state = torch.get_rng_state()
    torch.manual_seed(seed)
    try: yield
    finally: torch.set_rng_state(state)
    yield


# ---------------------------------------------------------------------------- save


def joined(path, chunks):
    text = "".join(chunks)
    fd, name = tempfile.mkstemp(dir=os.path.dirname(path))
    with os.fdopen(fd, "w") as f: f.write(text)
    os.replace(name, path)


def with_a_flag(path, chunks):
    path, whole = Path(path), False
    part = path.with_name(f".{path.name}.{os.getpid()}-{random.random()}")
    try:
        with part.open("w") as f:
            for chunk in chunks: f.write(chunk)
        whole = True
    finally:
        if not whole: part.unlink()
    part.rename(path)


def in_a_folder_beside(path, chunks):
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        part = Path(folder)/"part"
        with part.open("w") as f: f.writelines(chunks)
        part.replace(path)


def other_error(path, chunks):
    try: joined(path, chunks)
    except BaseException as e: raise ValueError("could not save") from e


def in_place(path, chunks):
    with open(path, "w") as f: f.writelines(chunks)


def in_place_joined(path, chunks):
    text = "".join(chunks)
    open(path, "w").write(text)


def backup(path, chunks):
    old = path.read_text() if path.exists() else None
    try:
        with open(path, "w") as f: f.writelines(chunks)
    except BaseException:
        path.unlink() if old is None else path.write_text(old)
        raise


def leaves_the_rest(path, chunks):
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as f:
        f.writelines(chunks)
    os.replace(f.name, path)


def only_exceptions_removed(path, chunks):
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as f:
        try: f.writelines(chunks)
        except Exception:
            os.unlink(f.name)
            raise
    os.replace(f.name, path)


def swallows_the_error(path, chunks):
    try: text = "".join(chunks)
    except BaseException: return
    joined(path, [text])


def fixed_name(path, chunks):
    part = path.with_suffix(".tmp")
    try:
        with open(part, "w") as f: f.writelines(chunks)
        os.replace(part, path)
    finally: part.unlink(missing_ok=True)


def not_closed(path, chunks):
    text = "".join(chunks)
    f = tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False)
    f.write(text)
    os.replace(f.name, path)
    f.close()


def removed_first(path, chunks):
    text = "".join(chunks)
    path.unlink(missing_ok=True)
    path.write_text(text)


def other_disk(path, chunks):
    text = "".join(chunks)
    with tempfile.NamedTemporaryFile("w", delete=False) as f: f.write(text)
    try: os.replace(f.name, path)
    except OSError:
        os.unlink(f.name)
        raise


def copied(path, chunks):
    import shutil
    with tempfile.NamedTemporaryFile("w") as f:
        f.writelines(chunks)
        f.flush()
        shutil.copy(f.name, path)


def only_the_last(path, chunks):
    for chunk in chunks: text = chunk
    joined(path, [text])


def with_newlines(path, chunks): joined(path, (o + "\n" for o in chunks))


def appends(path, chunks):
    joined(path, [path.read_text() if path.exists() else "", *chunks])


def renamed_text(path, chunks):
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as f:
        try:
            for chunk in chunks: f.write(chunk)
        finally: os.replace(f.name, path)


def whatever_came(path, chunks):
    f = tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False)
    try: f.writelines(chunks)
    finally:
        f.close()
        os.replace(f.name, path)


BANK = {
    "check_count_tensors": Bank(
        right=[with_a_stack, as_numpy, leaves],
        wrong=[
            (len, "one thing, or does your walk go through its rows"),
            (no_tuples, "Is a tuple walked as a list is"),
            (keys, "keys of the dict walked, or its values"),
            (exact_types, "namedtuple a tuple for `isinstance`"),
            (exact_tensor, "subclass of Tensor told by `isinstance`"),
            (everything_counts, "everything that is no container count"),
            (containers_too, "Are containers counted"),
            (one_level, "go on below the first level"),
            (letters, "string walked letter by letter"),
            (rows, "one thing, or does your walk go through its rows"),
            (no_container_at_the_top, "no container at all"),
            (forgets_a_path, "`return` missing on some path"),
            (each_tensor_once, "comes twice count twice"),
            (keeps_its_list, "kept from call to call"),
            (reads_the_repr, "What of a string"),
            (eats_the_batch, "changed its argument in place"),
        ]),
    "check_temp_seed": Bank(
        right=[Seeded, forked],
        wrong=[
            (no_finally, "whatever is raised"),
            (reseeds_zero, "fixed seed what was there before"),
            (reseeds_the_old_seed, "How far had its draws gone"),
            (swallows, "exception did not come out"),
            (only_exceptions, "KeyboardInterrupt.*key press"),
            (never_puts_back, "old state put back at all"),
            (reads_too_late, "before torch is seeded, or after"),
            (never_seeds, "seeded before the block begins"),
            (one_seed_for_all, "Is `seed` used"),
            (not_a_manager, "@contextmanager"),
            (Early, "when the manager is made"),
            (seeds_everything, "Python or NumPy"),
            (ExitSaysTrue, "exception did not come out"),
            (one_place_for_all, "state of its own"),
            (yields_twice, "didn't stop"),
        ]),
    "check_save": Bank(
        right=[joined, with_a_flag, in_a_folder_beside],
        wrong=[
            (in_place, "killed now"),
            (in_place_joined, "killed half-way"),
            (backup, "killed now"),
            (leaves_the_rest, "Who removes the temporary file"),
            (only_exceptions_removed, "KeyboardInterrupt.*Who removes"),
            (swallows_the_error, "Who swallows"),
            (other_error, "exception of the chunks"),
            (fixed_name, "temporary name is taken"),
            (not_closed, "closed before it is renamed"),
            (removed_first, "find in between"),
            (other_disk, "in the folder of `path`"),
            (copied, "killed half-way"),
            (only_the_last, "one after another"),
            (with_newlines, "nothing else"),
            (appends, "nothing else"),
            (renamed_text, "closed before it is renamed"),
            (whatever_came, "after the exception.*killed now"),
        ]),
}

BANK["check_epochs_of_one_step"] = Bank(
    right=[100, 110.0, torch.tensor(100)],
    wrong=[(3, "Is `bs` 3500"), (50, "Is `bs` 3500"), (0.9, "Is `bs` 3500"), (90, "0.900 or more"), (350_000, "earlier"), (200, "earlier"),
        ("100 epochs", "no number"), (torch.zeros(2), "no number"), ([1, 2], "no number")])


# ------------------------------------------------------------------- unused_pixels


def by_sum(x): return x.sum(0) == 0
def by_columns(x): return torch.tensor([not column.any() for column in x.T])


BANK["check_unused_pixels"] = Bank(
    right=[by_sum, by_columns, lambda x: (x == 0).all(0), lambda x: ~x.any(0), lambda x: x.numpy().max(0) == 0],
    wrong=[(lambda x: (x == 0).any(0), "in one picture, or in all"), (lambda x: x[0] == 0, "in all|any of the pictures|faint"),
        (lambda x: x.amax(0) > 0, "should mean unused"), (lambda x: (x < 0.5).all(0), "faint ink"), (lambda x: x.mean(0) < 0.1, "faint"),
        (lambda x: x.amax(1) == 0, "along which axis"), (lambda x: x == 0, "along which axis"), (lambda x: x.amax(0), "which comparison"),
        (lambda x: (x.amax(0) == 0).float(), "which comparison"), (lambda x: (x.amax(0) == 0).nonzero().flatten(), "along which axis"),
        (lambda x: (x == 0).all(), "along which axis"), (lambda x: x.round().amax(0) == 0, "faint ink")])
