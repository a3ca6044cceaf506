"""The double of tests/method/bench.c in PyTorch, float64: samples, blocks of layers, and the writer of headers of
expected losses and gradients."""
import ctypes
import math
import os

import torch

torch.set_default_dtype(torch.float64)
TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
BATCH, INPUTS, FEATURES, CLASSES = 8, 6, 4, 3
WHOLE = 9  # phases[].batch
SEED = 5  # of random draws; sample b has the id b
NONE, TANH, SIGMOID = (lambda v: v), torch.tanh, torch.sigmoid
BLOCKS = [("encoder", INPUTS, FEATURES, TANH), ("head", FEATURES, CLASSES, NONE), ("discriminator", FEATURES, 1, NONE),
          ("decoder", FEATURES, INPUTS, NONE), ("projector", FEATURES, 3, NONE), ("predictor", 3, 3, NONE),
          ("second", FEATURES, CLASSES, NONE), ("cdan", FEATURES * CLASSES, 1, NONE),
          ("code", INPUTS, 2 * FEATURES, NONE), ("units", INPUTS, FEATURES, SIGMOID), ("upper", FEATURES, 3, SIGMOID),
          ("lower", 3, FEATURES, NONE), ("whole", INPUTS, CLASSES, NONE)]


class Bench:
    """x, x2 [8, 6]; source: samples 0, 2, 4, 6, with labels; target: 1, 3, 5, 7."""

    def __init__(self):
        i = torch.arange(BATCH * INPUTS)
        self.x = (0.5 + 0.5 * torch.sin(0.9 * i)).reshape(BATCH, INPUTS)
        self.x2 = (0.5 + 0.5 * torch.cos(1.1 * i)).reshape(BATCH, INPUTS)
        self.set_domains(torch.arange(BATCH) % 2)
        self.tensors, self.teacher, self.activation = {}, {}, {}
        for k, (name, n_in, units, activation) in enumerate(BLOCKS):
            j = torch.arange(n_in * units + units)
            p = 0.5 * torch.sin(1.3 * j + k + 1)
            self.tensors[name + "/fc/weight"] = p[: n_in * units].reshape(n_in, units).clone().requires_grad_()
            self.tensors[name + "/fc/bias"] = p[n_in * units :].clone().requires_grad_()
            self.activation[name] = activation
            for part in ("/fc/weight", "/fc/bias"):
                self.teacher[name + part] = 0.8 * self.tensors[name + part].detach()

    def set_domains(self, domain):
        """0: source, 1: target, of each sample."""
        self.source, self.target = torch.as_tensor(domain) == 0, torch.as_tensor(domain) == 1
        self.y = torch.where(self.source, torch.arange(BATCH) // 2 % CLASSES, -1)

    def apply(self, block, x, tensors=None):
        t = tensors or self.tensors
        return self.activation[block](x @ t[block + "/fc/weight"] + t[block + "/fc/bias"])

    def follow(self, keep, *blocks):
        """What becomes of the teacher's tensors of these blocks."""
        with torch.no_grad():
            return {"teacher/" + n: keep * t + (1 - keep) * self.tensors[n] for n, t in self.teacher.items() if n.split("/")[0] in blocks}

    def classify(self, logits):
        """Cross-entropy, the mean over labelled samples."""
        return torch.nn.functional.cross_entropy(logits[self.source], self.y[self.source])


M32 = 0xFFFFFFFF


def philox(key, lo, hi):
    """Philox4x32-10 (src/base/philox.h): four words."""
    c = [lo & M32, lo >> 32, hi & M32, hi >> 32]
    k = [key & M32, key >> 32]
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 & M32, (p0 >> 32) ^ c[3] ^ k[1], p0 & M32]
        k = [(k[0] + 0x9E3779B9) & M32, (k[1] + 0xBB67AE85) & M32]
    return c


assert philox(0, 0, 0) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]  # Random123's kat_vectors


XXHASH = ctypes.CDLL("libxxhash.so.0")
XXHASH.XXH3_64bits.restype = ctypes.c_uint64


def stream(name):
    """ann_nn_stream."""
    text = name.encode()
    h = XXHASH.XXH3_64bits(text, ctypes.c_size_t(len(text)))
    return (h ^ h >> 32) & M32


def draw(name, columns, of):
    """[BATCH, columns] of the stream that belongs to a name; of(stream, sample, element)."""
    s = stream(name)
    return torch.tensor([[of(s, b, e) for e in range(columns)] for b in range(BATCH)])


def uniform_of(s, sample, element):
    return (philox(SEED, sample, s << 32 | element >> 2)[element & 3] >> 8) * 2.0**-24


def normal_of(s, sample, element):
    """Box and Muller, as ann_random_normal."""
    u, v = uniform_of(s, sample, 2 * element), uniform_of(s, sample, 2 * element + 1)
    return math.sqrt(-2 * math.log(1 - u)) * math.cos(2 * math.pi * v)


def uniform(name, columns):
    return draw(name, columns, uniform_of)


def normal(name, columns):
    return draw(name, columns, normal_of)


def array(name, values):
    rows = ["    " + ", ".join("%.17g" % v for v in values[i : i + 4]) for i in range(0, len(values), 4)]
    return "static const double %s[%d] = {\n%s};\n" % (name, len(values), ",\n".join(rows))


def write(name, cases, generator, more=""):
    """cases: {case: function of a Bench that returns the loss, or (loss, {tensor: value after the step})}. Writes
    tests/method/NAME_values.h: for each case CASE_loss and CASE_gradients, of every tensor that the loss depends on. more: further
    declarations."""
    text = "/* Made by tests/reference/%s with PyTorch %s. */\n%s" % (generator, torch.__version__, more)
    for case, function in cases.items():
        bench = Bench()
        result = function(bench)
        loss, states = result if isinstance(result, tuple) else (result, {})
        loss.backward()
        found = {n: t.grad for n, t in bench.tensors.items() if t.grad is not None}
        found.update(states)
        text += "\n/* %s */\nstatic const double %s_loss = %.17g;\n" % (case, case, loss.item())
        rows = []
        for i, (tensor, value) in enumerate(found.items()):
            text += array("%s_%d" % (case, i), value.detach().reshape(-1).tolist())
            rows.append('    {"%s", %d, %s_%d}' % (tensor, value.numel(), case, i))
        text += "static const bench_values %s_gradients[%d] = {\n%s};\n" % (case, len(rows), ",\n".join(rows))
    with open(os.path.join(TESTS, "method", name + "_values.h"), "w") as f:
        f.write(text)
