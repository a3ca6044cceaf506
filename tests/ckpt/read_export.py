"""Compares exported files with the checkpoint they were made of, each through the reader that people would use.

usage: read_export.py CHECKPOINT FILE..., where FILE ends in .h5, .npz or .safetensors. Exit code 0: all are equal."""
import json
import os
import struct
import sys

import h5py
import numpy


def safetensors(path):
    """An independent reader, from the format's description."""
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack("<Q", data[:8])
    assert length % 8 == 0 and length + 8 <= len(data), "header length"
    header = json.loads(data[8 : 8 + length].decode("utf-8"))
    assert all(isinstance(v, str) for v in header.pop("__metadata__", {}).values()), "metadata are strings"
    types = {"F32": "<f4", "F64": "<f8", "I32": "<i4", "I64": "<i8", "U8": "u1"}
    tensors, runs = {}, []
    for name, about in header.items():
        begin, end = about["data_offsets"]
        width = numpy.dtype(types[about["dtype"]]).itemsize
        assert (8 + length + begin) % width == 0, f"{name} is not aligned"
        runs.append((begin, end))
        tensors[name] = numpy.frombuffer(data[8 + length + begin : 8 + length + end], types[about["dtype"]]).reshape(about["shape"])
    end = 0
    for run in sorted(runs):
        assert run[0] == end, "a gap between tensors"
        end = run[1]
    assert 8 + length + end == len(data), "bytes behind the last tensor"
    return tensors


def hdf5(path, export=True):
    tensors = {}

    def take(_, node):
        if isinstance(node, h5py.Dataset):
            name = node.attrs["name"]
            tensors[name.decode() if isinstance(name, bytes) else name] = node[()]

    with h5py.File(path, "r") as file:
        assert not export or file.attrs["format"] in ("annulus-export", b"annulus-export")
        file.visititems(take)
    return tensors


def npz(path):
    with numpy.load(path) as archive:
        return {name: archive[name] for name in archive.files}


want = hdf5(os.path.join(sys.argv[1], "whole.h5"), False)
readers = {".safetensors": safetensors, ".h5": hdf5, ".npz": npz}
for path in sys.argv[2:]:
    have = readers[os.path.splitext(path)[1]](path)
    assert have, f"{path}: nothing in it"
    for name, values in have.items():
        values = numpy.asarray(values)
        other = numpy.asarray(want[name])
        assert values.shape == other.shape and values.dtype == other.dtype, f"{path}: {name}: {values.shape} {values.dtype}"
        assert values.tobytes() == other.tobytes(), f"{path}: {name}: other values"
    print(f"{path}: {len(have)} of {len(want)} tensors, equal")
