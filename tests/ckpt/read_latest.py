"""Reads DIR/latest.h5 as people would, and compares it with the checkpoint's whole.h5; then takes a shard away: what is missing must
not look like values.

usage: read_latest.py DIR. Exit code 0: all is as it should be."""
import os
import sys

import h5py
import numpy

folder = sys.argv[1]
with open(os.path.join(folder, "latest"), encoding="utf-8") as file:
    newest = os.path.join(folder, file.read().strip())
names = []


def take(path, node):
    if isinstance(node, h5py.Dataset):
        names.append(path)


with h5py.File(os.path.join(folder, "latest.h5"), "r") as latest, h5py.File(os.path.join(newest, "whole.h5"), "r") as whole:
    whole.visititems(take)
    assert len(names) == 12, names
    for name in names:
        assert latest[name][()].tobytes() == whole[name][()].tobytes(), name
        assert len(latest[name].attrs["xxh3"]) == len(latest[name].attrs["shard"]) > 0
    assert latest["body/fc1/weight"][:].shape == (64, 16)
    assert latest.attrs["step"] == 30 and b"annulus ckpt verify" in bytes(latest.attrs["check"])
shard = os.path.join(newest, "shard-0001.h5")
os.rename(shard, shard + ".away")
with h5py.File(os.path.join(folder, "latest.h5"), "r") as latest:
    values = latest["body/fc1/weight"][:].ravel()
os.rename(shard + ".away", shard)
missing = numpy.isnan(values)
assert missing.any() and not missing.all() and not (values == 0).all()
print(f"{len(names)} tensors, whole, then missing {missing.sum()} of {values.size} elements as NaN")
