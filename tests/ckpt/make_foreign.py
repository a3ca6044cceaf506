"""Files as other people write them: transposed weights, half precision, rows for vectors, tensors that we cannot take.

usage: make_foreign.py FILE..., where FILE ends in .npz (deflated unless its name has "stored"), .npy, .h5 or .safetensors."""
import json
import os
import struct
import sys

import numpy

random = numpy.random.default_rng(1)
tensors = {
    "fc.weight": random.normal(size=(16, 64)).astype("float16"),
    "fc.bias": random.normal(size=(1, 16)),
    "cls.bias": numpy.zeros(3, "float32"),
    "extra": numpy.arange(3, dtype="int16"),
}


def write_safetensors(path):
    types = {"float16": "F16", "float32": "F32", "float64": "F64", "int16": "I16"}
    header, data = {"__metadata__": {"format": "pt", "nested": '{"a": [1, 2]}'}}, b""
    for name, values in tensors.items():
        raw = values.tobytes()
        header[name] = {"dtype": types[str(values.dtype)], "shape": list(values.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


for path in sys.argv[1:]:
    kind = os.path.splitext(path)[1]
    if kind == ".safetensors":
        write_safetensors(path)
    elif kind == ".h5":
        import h5py

        with h5py.File(path, "w") as file:
            for name, values in tensors.items():
                file.create_dataset(name, data=values, compression="gzip" if values.size > 100 else None)
    elif kind == ".npy":
        numpy.save(path, tensors["fc.weight"])
    elif "stored" in path:
        numpy.savez(path, **tensors)
    else:
        numpy.savez_compressed(path, **tensors)
