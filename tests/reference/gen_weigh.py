#!/usr/bin/python3
"""Reference values of src/method/weigh.h from numpy, in float64: weights by interior-point and Newton's
methods, pseudo-labels and transport by their formulas.

Usage: gen_weigh.py  (writes weigh_values.h, label_values.h and transport_values.h in tests/method)"""
import numpy as np

from reference import doubles, integers, number, table, write

NS, MANY, NT, D = 40, 200, 30, 2


def float32(x):
    return x.astype(np.float32).astype(np.float64)


source = float32(3 * table(0, NS, D))
target = float32(2 * table(500, NT, D) + 0.25)
many = float32(3 * table(0, MANY, D))


def squares(a, b):
    return ((a[:, None] - b[None]) ** 2).sum(-1)


def barrier(gradient, hessian, rows, limits, x):
    """Minimises a convex function where rows x < limits by a log barrier, with damped Newton steps."""
    t = 1.0
    while len(limits) / t > 1e-12:
        for _ in range(100):
            slack = limits - rows @ x
            g = t * gradient(x) + rows.T @ (1 / slack)
            h = t * hessian(x) + rows.T @ (rows / slack[:, None] ** 2)
            step = -np.linalg.solve(h, g)
            decrement = np.sqrt(max(0, -g @ step))
            x = x + step / (1 + decrement if decrement > 0.1 else 1)
            if decrement < 1e-6:
                break
        t *= 3
    return x


# ---- KLIEP. Without the constraint: the maximum of mean log(phi a) - mean . a has mean . a = 1. ----


def kliep(phi, mean, start):
    phi = phi / mean
    b = phi.shape[1]

    def gradient(a):
        return 1 - (phi / (phi @ a)[:, None]).mean(0)

    def hessian(a):
        q = phi / (phi @ a)[:, None]
        return q.T @ q / len(phi)

    a = barrier(gradient, hessian, -np.eye(b), np.zeros(b), start)
    assert (phi / (phi @ a)[:, None]).mean(0).max() - 1 < 1e-9 and abs(a.sum() - 1) < 1e-9
    return a / a.sum()


def kernels(source, target, width, centres):
    mean = np.exp(-squares(source, centres) / (2 * width**2)).mean(0)
    return np.exp(-squares(target, centres) / (2 * width**2)), mean


def cross_validate(source, target):
    centres = target
    both = np.sqrt(np.concatenate([squares(source, centres), squares(target, centres)]))
    widths = np.median(both) * 2.0 ** (-3 + np.arange(11) / 2)
    reach = np.sqrt(max(squares(target, centres).min(1).max(), squares(source, centres).min(0).max())) / 3
    best = []
    for width in widths[widths >= reach]:
        phi, mean = kernels(source, target, width, centres)
        folds = np.arange(len(target)) % 5
        score = [np.log(phi[folds == f] / mean @ kliep(phi[folds != f], mean, np.full(len(centres), 1 / len(centres)))).mean() for f in range(5)]
        best.append((np.mean(score), width))
    ordered = sorted(best)
    assert best[0] != ordered[-1] != best[-1]  # neither the least nor the greatest
    assert ordered[-1][0] - ordered[-2][0] > 0.01  # more than the tolerance of folds
    return ordered[-1][1]


def write_kliep():
    width, b = 0.4, 6
    centres = target[np.arange(b) * NT // b]
    phi, mean = kernels(source, target, width, centres)
    a = kliep(phi, mean, np.full(b, 1 / b))
    basis = np.exp(-squares(source, centres) / (2 * width**2)) / mean
    q = phi / mean / (phi / mean @ a)[:, None]
    plane = np.linalg.svd(np.ones((1, b)))[2][1:]
    curvature = np.linalg.eigvalsh(plane @ (q.T @ q / NT) @ plane.T)[0]
    return [
        doubles("kliep_weight", basis @ a),
        number("kliep_objective", np.log(phi / mean @ a).mean()),
        number("kliep_curvature", curvature),
        number("kliep_basis", np.linalg.norm(basis, axis=1).max()),
        number("kliep_width", cross_validate(many, target)),
    ]


# ---- kernel mean matching ----


def write_kmm():
    width, bound, slack = 0.3, 3.0, 0.05
    k = np.exp(-squares(source, source) / (2 * width**2))
    q = NS / NT * np.exp(-squares(source, target) / (2 * width**2)).sum(1)
    eye, one = np.eye(NS), np.ones((1, NS))
    rows = np.concatenate([-eye, eye, -one, one])
    limits = np.r_[np.zeros(NS), np.full(NS, bound), -NS * (1 - slack), NS * (1 + slack)]
    x = barrier(lambda x: k @ x - q, lambda x: k, rows, limits, np.ones(NS))
    # Karush, Kuhn and Tucker: with the multiplier of the sum, the gradient is 0 inside, >= 0 at 0, <= 0 at the bound.
    g = k @ x - q
    inside = (x > 1e-6) & (x < bound - 1e-6)
    g -= g[inside].mean()
    assert np.abs(g[inside]).max() < 1e-6 and g[x <= 1e-6].min() > 0 and g[x >= bound - 1e-6].max() < 0
    assert (x <= 1e-6).sum() > 3 and (x >= bound - 1e-6).sum() > 3 and inside.sum() > 5
    return [
        doubles("kmm_weight", x * NS / x.sum()),
        number("kmm_sum", x.sum()),
        number("kmm_curvature", np.linalg.eigvalsh(k)[0]),
    ]


# ---- the domain discriminator ----


def write_ratio():
    l2 = 0.1
    both = np.concatenate([source, target])
    x = np.c_[(both - both.mean(0)) / both.std(0), np.ones(NS + NT)]
    y = np.r_[np.zeros(NS), np.ones(NT)]
    penalty = l2 * np.diag(np.r_[np.ones(D), 0])
    v = np.zeros(D + 1)
    for _ in range(20):
        p = 1 / (1 + np.exp(-x @ v))
        h = x.T @ (x * (p * (1 - p))[:, None]) / len(x) + penalty
        v -= np.linalg.solve(h, x.T @ (p - y) / len(x) + penalty @ v)
    w = np.exp(x[:NS] @ v)
    return [
        doubles("ratio_weight", w * NS / w.sum()),
        "/* The greatest |x| over the least curvature: of a log weight, per gradient that is left. */\n",
        number("ratio_per_gradient", np.linalg.norm(x[:NS], axis=1).max() / np.linalg.eigvalsh(h)[0]),
    ]


write("weigh", "gen_weigh.py", write_kliep() + write_kmm() + write_ratio())

# ---- pseudo-labels ----

N, CLASSES, WIDTH = 50, 4, 6
logits = float32(4 * table(2000, N, CLASSES))
features = float32(table(3000, N, WIDTH) + 0.1)
p = np.exp(logits) / np.exp(logits).sum(1)[:, None]
f = features / np.linalg.norm(features, axis=1)[:, None]


def nearest(share):
    centre = (share.T @ features) / share.sum(0)[:, None]
    cosine = f @ (centre / np.linalg.norm(centre, axis=1)[:, None]).T
    ordered = np.sort(cosine, axis=1)
    assert (ordered[:, -1] - ordered[:, -2]).min() > 1e-6
    return cosine.argmax(1)


first = nearest(p)
shot = nearest(np.eye(CLASSES)[first])
assert (first != shot).any()


def balanced(share):
    best = p.argmax(1)
    threshold = np.array([np.sort(p[best == c, c])[::-1][int(np.ceil(share * (best == c).sum())) - 1] for c in range(CLASSES)])
    ratio = p / threshold
    return np.where(ratio.max(1) >= 1 - 1e-12, ratio.argmax(1), -1)


assert np.abs(p.max(1) - 0.6).min() > 1e-6
write(
    "label",
    "gen_weigh.py",
    [
        integers("label_shot", shot),
        integers("label_confident", np.where(p.max(1) >= 0.6, p.argmax(1), -1)),
        integers("label_balanced", balanced(0.3)),
    ],
)

# ---- transport: Sinkhorn's own iterations, on factors ----

ROWS, COLUMNS, EPSILON = 6, 5, 0.1
cost = float32(table(4000, ROWS, COLUMNS) + 0.5)


def sinkhorn(iterations):
    kernel, v = np.exp(-cost / EPSILON), np.ones(COLUMNS)
    for _ in range(iterations):
        u = 1 / ROWS / (kernel @ v)
        v = 1 / COLUMNS / (kernel.T @ u)
    return u[:, None] * kernel * v


early, late = sinkhorn(3), sinkhorn(3000)
assert np.abs(late.sum(1) - 1 / ROWS).max() < 1e-15
write(
    "transport",
    "gen_weigh.py",
    [
        doubles("transport_early", early),
        number("transport_early_error", np.abs(early.sum(1) - 1 / ROWS).sum()),
        doubles("transport_late", late),
        number("transport_late_cost", (late * cost).sum()),
    ],
)
