"""Slow, independent definitions of CKA, CCA and RSA, written from the papers; nothing of the product is imported."""

import itertools

import numpy as np


def centring(n: int) -> np.ndarray:
    return np.eye(n) - np.ones((n, n)) / n


def linear_kernel(x: np.ndarray) -> np.ndarray:
    return x @ x.T


def rbf_kernel(x: np.ndarray, tau: float = 1.0) -> np.ndarray:
    """exp(-|x - y|² / (2 tau² median)), the median over all entries of the matrix of squared distances."""
    distances = np.array([[np.sum((a - b) ** 2) for b in x] for a in x])
    return np.exp(-distances / (2 * tau**2 * np.median(distances)))


def biased_cka(k: np.ndarray, m: np.ndarray) -> float:
    """HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)) with HSIC = tr(K H L H)."""
    h = centring(len(k))

    def hsic(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.trace(a @ h @ b @ h))

    return hsic(k, m) / np.sqrt(hsic(k, k) * hsic(m, m))


def unbiased_hsic(k: np.ndarray, m: np.ndarray) -> float:
    """Song et al. 2012, equation 5, as sums over distinct indices: no centring, no matrix identity.

    (1 / (n)_4) sum over distinct i, j, q, r of K_ij (L_ij + L_qr - 2 L_iq).
    """
    n, total, count = len(k), 0.0, 0
    for i, j, q, r in itertools.permutations(range(n), 4):
        total += k[i, j] * (m[i, j] + m[q, r] - 2 * m[i, q])
        count += 1
    return total / count


def debiased_cka(k: np.ndarray, m: np.ndarray) -> float:
    return unbiased_hsic(k, m) / np.sqrt(unbiased_hsic(k, k) * unbiased_hsic(m, m))


def u_centred_cka(k: np.ndarray, m: np.ndarray) -> float:
    """The steps of Kornblith et al.'s published code, one entry at a time (n³-free, for n in the hundreds)."""

    def centred(gram: np.ndarray) -> np.ndarray:
        n = len(gram)
        out = gram.astype(float).copy()
        for i in range(n):
            out[i, i] = 0.0
        means = np.array([sum(row) for row in out]) / (n - 2)
        means -= means.sum() / (2 * (n - 1))
        for i in range(n):
            for j in range(n):
                out[i, j] = 0.0 if i == j else out[i, j] - means[i] - means[j]
        return out

    a, b = centred(k), centred(m)
    return float(np.sum(a * b) / np.sqrt(np.sum(a * a) * np.sum(b * b)))


def published_grid(first: list[np.ndarray], second: list[np.ndarray], debiased: bool = True) -> np.ndarray:
    """A loop over pairs with the steps of Kornblith et al.'s published code: check symmetry, copy, sums in float64."""

    def centred(gram: np.ndarray) -> np.ndarray:
        if not np.allclose(gram, gram.T):
            raise ValueError("not symmetric")
        gram, n = gram.copy(), len(gram)
        if debiased:
            np.fill_diagonal(gram, 0)
            means = np.sum(gram, 0, dtype=np.float64) / (n - 2)
            means -= np.sum(means) / (2 * (n - 1))
        else:
            means = np.mean(gram, 0, dtype=np.float64)
            means -= np.mean(means) / 2
        gram -= means[:, None]
        gram -= means[None, :]
        if debiased:
            np.fill_diagonal(gram, 0)
        return gram

    def cka(x: np.ndarray, y: np.ndarray) -> float:
        a, b = centred(x.dot(x.T)), centred(y.dot(y.T))
        return a.ravel().dot(b.ravel()) / (np.linalg.norm(a) * np.linalg.norm(b))

    return np.array([[cka(x, y) for y in second] for x in first])


def naive_grid(first: list[np.ndarray], second: list[np.ndarray], debiased: bool = True) -> np.ndarray:
    """The leanest loop over pairs: Gram matrices anew for every pair, changed in place."""

    def prepared(x: np.ndarray) -> np.ndarray:
        gram, n = x @ x.T, len(x)
        if not debiased:
            means = gram.mean(0)
            return gram - means[:, None] - means[None] + means.mean()
        np.fill_diagonal(gram, 0)
        means = gram.sum(0) / (n - 2)
        means -= means.sum() / (2 * (n - 1))
        gram -= means[:, None]
        gram -= means[None]
        np.fill_diagonal(gram, 0)
        return gram

    found = np.empty((len(first), len(second)))
    for i, x in enumerate(first):
        for j, y in enumerate(second):
            a, b = prepared(x), prepared(y)
            found[i, j] = a.ravel() @ b.ravel() / (np.linalg.norm(a) * np.linalg.norm(b))
    return found


# CCA


def canonical_correlations(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Cosines of the principal angles between the column spaces (Björck & Golub 1973): no covariance is inverted."""
    x, y = x - x.mean(0), y - y.mean(0)
    return np.linalg.svd(np.linalg.qr(x)[0].T @ np.linalg.qr(y)[0], compute_uv=False)


def pwcca(x: np.ndarray, y: np.ndarray) -> float:
    """Morcos et al. 2018, with the variates of the view with fewer dimensions (the first if equal), item by item."""
    x, y = x - x.mean(0), y - y.mean(0)
    small, large = (x, y) if x.shape[1] <= y.shape[1] else (y, x)
    q_small, q_large = np.linalg.qr(small)[0], np.linalg.qr(large)[0]
    left, rho, _ = np.linalg.svd(q_small.T @ q_large, full_matrices=False)
    variates = q_small @ left  # (n, m), unit length
    alpha = [sum(abs(variates[:, i] @ small[:, j]) for j in range(small.shape[1])) for i in range(len(rho))]
    return float(np.dot(alpha, rho) / np.sum(alpha))


def svcca(x: np.ndarray, y: np.ndarray, kept: float = 0.99) -> float:
    """Raghu et al. 2017: the singular directions with 99% of the variance of each view, then the mean correlation."""

    def reduced(view: np.ndarray) -> np.ndarray:
        left, sizes, _ = np.linalg.svd(view - view.mean(0), full_matrices=False)
        count = int(np.argmax(np.cumsum(sizes**2) / np.sum(sizes**2) >= kept)) + 1
        return left[:, :count] * sizes[:count]

    return float(canonical_correlations(reduced(x), reduced(y)).mean())


# RSA


def edit_distance(first, second) -> int:
    """The textbook recursion."""
    if not first or not second:
        return len(first) + len(second)
    same = first[-1] == second[-1]
    return min(
        edit_distance(first[:-1], second) + 1,
        edit_distance(first, second[:-1]) + 1,
        edit_distance(first[:-1], second[:-1]) + (not same),
    )


def count_common_subtrees(first, second) -> int:
    """Collins & Duffy's kernel with λ = 1, by writing down every subtree of both: nested tuples (label, children…).

    A subtree has whole productions: each child is either cut off (its label remains) or expanded.
    """

    def fragments(node) -> list:
        """All fragments rooted here."""
        label, *children = node
        choices = []
        for child in children:
            choices.append([child] if isinstance(child, str) else [child[0], *fragments(child)])
        return [(label, *combination) for combination in itertools.product(*choices)]

    def everywhere(node) -> list:
        if isinstance(node, str):
            return []
        return fragments(node) + [f for child in node[1:] for f in everywhere(child)]

    a, b = everywhere(first), everywhere(second)
    return sum(a.count(fragment) * b.count(fragment) for fragment in set(a))
