"""Compares a checkpoint's whole.h5, as h5py sees it, with the raw bytes of each tensor.

usage: read_whole.py CHECKPOINT EXPECTED, where EXPECTED holds, for tensor number N, a file N.raw with its bytes and a
file N.txt of three lines: name, numpy dtype, extents separated by spaces. Exit code 0: all are equal."""
import os
import sys

import h5py
import numpy


def attribute(value):
    return value.decode() if isinstance(value, bytes) else value


checkpoint, expected = sys.argv[1:3]
file = h5py.File(os.path.join(checkpoint, "whole.h5"), "r")
assert attribute(file.attrs["format"]) == "annulus-checkpoint"
names = {}
file.visititems(
    lambda path, node: names.__setitem__(attribute(node.attrs["name"]), path) if isinstance(node, h5py.Dataset) else None
)
count = 0
for raw in sorted(os.listdir(expected)):
    if not raw.endswith(".raw"):
        continue
    with open(os.path.join(expected, raw[:-3] + "txt"), encoding="utf-8") as text:
        name, dtype, extents = text.read().split("\n")[:3]
    shape = tuple(int(n) for n in extents.split())
    want = numpy.fromfile(os.path.join(expected, raw), dtype=dtype).reshape(shape)
    have = file[names[name]]
    assert have.shape == shape and have.dtype == want.dtype, f"{name}: {have.shape} {have.dtype}"
    assert have[()].tobytes() == want.tobytes(), f"{name}: other values"
    count += 1
assert count == len(names), f"{len(names)} datasets, {count} expected"
for name, path in names.items():
    plain = not name.startswith("#") and all(part not in ("", ".") for part in name.split("/"))
    group = any(other.startswith(name + "/") for other in names)
    assert (path == name) == (plain and not group), f"{name} is at {path}"

# A shard alone tells what it is.
shard = h5py.File(os.path.join(checkpoint, "shard-0000.h5"), "r")
assert attribute(shard.attrs["format"]) == "annulus-checkpoint-shard" and shard.attrs["shard"] == 0
print(f"{count} tensors, {shard.attrs['shards']} shards, equal")
