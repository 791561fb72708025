"""How alike are two parse trees? The kernel of Collins & Duffy 2001 counts the subtrees that they share.

    trees = read("(S (NP (PRP you)) (VP (VBP are) (ADJP (JJ muted))))")
    kernel(trees[0], trees[1])          # 0 to 1, normalised

C(a, b) is 0 if the productions of two nodes differ, λ if they are equal pre-terminals, and λ ∏ (1 + C(children))
otherwise; K sums C over all pairs of nodes and is divided by sqrt(K(t, t) K(u, u)).
Collins & Duffy, NIPS 2001; used for RSA by Chrupała & Alishahi, ACL 2019 (arXiv 1906.01543).
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from methods.core.errors import UserError

WORD = "*"  # stands for every word where only the structure counts
DEEPEST = 60  # nested brackets; deeper ones are a lost closing bracket, not a sentence
MOST_CHARACTERS = 200_000  # of all parses together


@dataclass(frozen=True)
class Tree:
    """A node with children, or a word."""

    label: str
    children: tuple["Tree", ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """The leaves from left to right."""
        if not self.children:
            return (self.label,)
        return tuple(word for child in self.children for word in child.words)

    @property
    def production(self) -> tuple[str, ...]:
        """The node's label and those of its children."""
        return (self.label, *(child.label for child in self.children))

    def nodes(self) -> list["Tree"]:
        """All nodes with children, itself among them."""
        return [self, *(node for child in self.children for node in child.nodes())] if self.children else []

    def without_words(self) -> "Tree":
        """The same structure over nameless words."""
        return Tree(self.label, tuple(c.without_words() for c in self.children)) if self.children else Tree(WORD)


def read(text: str) -> tuple[Tree, ...]:
    """Bracketed parses, one after the other; line breaks do not matter. Raises UserError for unmatched brackets."""
    if len(text) > MOST_CHARACTERS:
        raise UserError(f"The parses are longer than {MOST_CHARACTERS} characters; give fewer of them.")
    tokens = re.findall(r"[()]|[^\s()]+", text)
    trees, place = [], 0
    while place < len(tokens):
        tree, place = _node(tokens, place, 0)
        trees.append(tree)
    return tuple(trees)


def _node(tokens: Sequence[str], place: int, depth: int) -> tuple[Tree, int]:
    if tokens[place] != "(":
        raise UserError(
            f"A parse begins with “{tokens[place][:20]}”; write brackets: (S (NP (PRP you)) (VP (VBP are)))."
        )
    if depth > DEEPEST:
        raise UserError(f"A parse is nested more than {DEEPEST} deep; a closing bracket is lacking somewhere.")
    place += 1
    label = ""
    if place < len(tokens) and tokens[place] not in "()":
        label, place = tokens[place], place + 1
    children: list[Tree] = []
    while place < len(tokens) and tokens[place] != ")":
        if tokens[place] == "(":
            child, place = _node(tokens, place, depth + 1)
        else:
            child, place = Tree(tokens[place]), place + 1
        children.append(child)
    if place >= len(tokens):
        raise UserError(f"The parse that begins with “({label[:20]}” is never closed; add “)” where it ends.")
    if not children:
        raise UserError(f"“({label[:20]})” has nothing in it; write the word after its tag, such as (NN call).")
    # Penn Treebank files wrap every sentence in a nameless pair of brackets.
    return (children[0] if not label and len(children) == 1 else Tree(label, tuple(children))), place + 1


def shared(first: Tree, second: Tree, decay: float = 0.5) -> float:
    """K(first, second): the number of common subtrees, larger ones counted less if `decay` (λ) is below 1."""
    left, right = first.nodes(), second.nodes()
    known: dict[tuple[int, int], float] = {}

    def common(a: Tree, b: Tree) -> float:
        if a.production != b.production or not a.children:
            return 0.0
        key = (id(a), id(b))
        if key not in known:
            pairs = zip(a.children, b.children, strict=True)
            known[key] = decay * math.prod(1 + common(x, y) for x, y in pairs)
        return known[key]

    by_production: dict[tuple[str, ...], list[Tree]] = {}
    for node in right:
        by_production.setdefault(node.production, []).append(node)
    return sum(common(a, b) for a in left for b in by_production.get(a.production, ()))


def kernel(first: Tree, second: Tree, decay: float = 0.5, structure_only: bool = True) -> float:
    """The normalised kernel, 0 to 1."""
    return float(similarities([first, second], decay, structure_only)[0, 1])


def similarities(trees: Sequence[Tree], decay: float = 0.5, structure_only: bool = True) -> np.ndarray:
    """(n, n) normalised kernel of every pair; `structure_only` forgets the words."""
    if not 0 < decay <= 1:
        raise UserError(f"The decay of a tree kernel lies above 0 and at most at 1, and it is {decay:g}; give 0.5.")
    trees = [tree.without_words() if structure_only else tree for tree in trees]
    found = np.empty((len(trees), len(trees)))
    for i, first in enumerate(trees):
        for j in range(i + 1):
            found[i, j] = found[j, i] = shared(first, trees[j], decay)
    own = np.sqrt(np.diag(found))
    return found / np.outer(own, own)
