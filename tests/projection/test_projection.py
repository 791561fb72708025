"""Projections: identities between methods, quality against scikit-learn, known maps, and the technique end to end."""

import numpy as np
import pytest
from scipy import stats
from scipy.spatial import procrustes
from scipy.spatial.distance import pdist, squareform
from sklearn.datasets import load_digits, make_blobs
from sklearn.decomposition import PCA

from methods import projection
from methods.core import corpus as corpora
from methods.core.audio import clip_from_samples
from methods.core.corpus import Corpus, Utterance
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.projection import embedding, umap
from methods.projection import points as projection_points
from page.tabs import projection as projection_tab

RNG = np.random.default_rng(0)
CLOUD = RNG.normal(size=(60, 8)) * np.arange(8, 0, -1)


def test_pca_equals_scikit_learns_up_to_sign_and_its_shares_sum_to_one():
    points, share = embedding.pca(CLOUD, 8)
    theirs = PCA(8, svd_solver="full").fit(CLOUD)
    np.testing.assert_allclose(np.abs(points), np.abs(theirs.transform(CLOUD)), atol=1e-10)
    np.testing.assert_allclose(share, theirs.explained_variance_ratio_)
    assert share.sum() == pytest.approx(1)


def test_classical_mds_of_euclidean_distances_is_pca():
    points, share = embedding.classical_mds(squareform(pdist(CLOUD)))
    scores, shares = embedding.pca(CLOUD)
    np.testing.assert_allclose(np.abs(points), np.abs(scores), atol=1e-8)
    np.testing.assert_allclose(share, shares, atol=1e-10)


def test_turning_space_changes_no_pca_map():
    turn = stats.ortho_group.rvs(8, random_state=1)
    before, after = embedding.pca(CLOUD)[0], embedding.pca(CLOUD @ turn)[0]
    assert procrustes(before, after)[2] == pytest.approx(0, abs=1e-12)


def test_stress_is_zero_for_a_scaled_copy_and_metric_mds_has_no_more_than_classical():
    flat = RNG.normal(size=(30, 2))
    assert embedding.stress(flat, 3 * flat) == pytest.approx(0, abs=1e-12)
    classical, metric = (embedding.embed(CLOUD, method) for method in ("mds", "smacof"))
    assert metric.stress <= classical.stress
    assert classical.stress == pytest.approx(embedding.stress(CLOUD, classical.points))


def test_lda_shows_held_out_items_only_and_parts_no_random_labels():
    vectors, labels = make_blobs(200, 50, centers=4, cluster_std=2.0, random_state=0)
    train = np.arange(200) % 2 == 0
    made = embedding.embed(vectors, "lda", labels=labels, train=train)
    assert made.points.shape == (100, 2)
    assert made.accuracy > 0.95
    # more dimensions than items: on its own training items LDA would be perfect even here
    noise, mixed = RNG.normal(size=(200, 150)), RNG.integers(0, 4, 200)
    made = embedding.embed(noise, "lda", labels=mixed, train=train)
    # 100 items of four labels by chance: .25 with a standard deviation of .043; four of them
    assert made.accuracy == pytest.approx(0.25, abs=0.18)
    assert made.shuffled == pytest.approx(0.25, abs=0.18)


@pytest.mark.parametrize("method", ["tsne", "umap"])
def test_neighbourhood_maps_keep_neighbours_and_repeat_with_a_seed(method):
    digits = load_digits()
    vectors, labels = digits.data[:250], digits.target[:250]
    first, second = (embedding.embed(vectors, method, seed=3).points for _ in range(2))
    np.testing.assert_array_equal(first, second)
    scores = dict(zip(embedding.QUALITY, embedding.quality(vectors, first, labels), strict=True))
    flat = embedding.quality(vectors, embedding.pca(vectors)[0], labels)
    assert scores["trustworthiness"] > 0.95 > flat[0]
    assert scores["neighbours in 2-D"] > flat[1] + 0.2


def test_umaps_memberships_follow_their_definition():
    distance = np.sort(RNG.random((20, 15)), axis=1)
    distance[:, 0] = 0  # itself
    distance[3, :2] = 0  # and a duplicate
    found = umap.memberships(distance)
    np.testing.assert_allclose(found[:, 1:].sum(1), np.log2(15), rtol=1e-6)
    np.testing.assert_allclose(found[:, 1], 1)  # the nearest other belongs entirely
    assert (np.diff(found[:, 1:], axis=1) <= 1e-12).all()


def test_umaps_curve_is_the_published_one():
    a, b = umap.curve(0.1)  # values that the reference implementation prints for min_dist 0.1
    assert a == pytest.approx(1.577, abs=0.01) and b == pytest.approx(0.895, abs=0.01)


def test_umaps_graph_is_symmetric_with_weights_up_to_one():
    heads, tails, weights = umap.graph(CLOUD, 10, "euclidean")
    pairs = {(i, j): w for i, j, w in zip(heads, tails, weights, strict=True)}
    assert all(pairs[j, i] == pytest.approx(w) for (i, j), w in pairs.items())
    assert weights.min() > 0 and weights.max() <= 1 + 1e-12
    assert all(i != j for i, j in pairs)


def test_label_agreement_is_one_for_separate_clusters_and_chance_for_labels_without_meaning():
    labels = np.repeat([0, 1], 40)
    tight = labels[:, None] * 100.0 + RNG.normal(size=(80, 3))
    assert embedding.agreement(tight, labels) == 1
    many, mixed = RNG.normal(size=(1500, 3)), RNG.integers(0, 5, 1500)
    assert embedding.agreement(many, mixed) == pytest.approx(embedding.agreement_by_chance(mixed), abs=0.02)
    assert embedding.agreement_by_chance(labels) == pytest.approx(39 / 79)


def test_chance_of_frames_is_what_tokens_without_meaning_reach():
    """Six frames of a token lie beside each other and share its label, which has nothing to do with where they lie."""
    beyond, left = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        token = np.repeat(np.arange(40), 6)
        vectors = rng.normal(size=(40, 3))[token] + 0.05 * rng.normal(size=(240, 3))
        labels = rng.choice(list("abcde"), 40)[token]
        found, by_frame = embedding.agreement(vectors, labels), embedding.agreement_by_chance(labels)
        chance = embedding.agreement_of_tokens_by_chance(vectors, labels, token, seed)
        left.append(found - chance)
        beyond.append(found - by_frame)
    assert min(beyond) > 0.15  # five of ten neighbours are of the same token
    assert abs(np.mean(left)) < 4 * np.std(left) / np.sqrt(60)


def test_labels_that_last_longer_than_others_are_no_more_than_chance_for_it():
    """8 long tokens of one label and 60 short ones of six others, none of which the vectors know of."""
    left, of_any_length = [], []
    kind, size = np.repeat(np.arange(7), [8, *[10] * 6]), np.repeat([15, 2], [8, 60])
    for seed in range(60):
        rng = np.random.default_rng(seed)
        token = np.repeat(np.arange(68), size)
        vectors = rng.normal(size=(68, 3))[token] + rng.normal(size=(240, 3))
        found = embedding.agreement(vectors, kind[token])
        left.append(found - embedding.agreement_of_tokens_by_chance(vectors, kind[token], token, seed))
        anew = [embedding.agreement(vectors, rng.permutation(kind)[token]) for _ in range(5)]
        of_any_length.append(found - np.mean(anew))
    assert abs(np.mean(left)) < 4 * np.std(left) / np.sqrt(60) < np.mean(of_any_length)


def test_chance_of_points_that_are_their_own_tokens_is_the_closed_form():
    labels = RNG.integers(0, 4, 300)
    found = embedding.agreement_of_tokens_by_chance(RNG.normal(size=(300, 2)), labels, np.arange(300))
    # 3,000 pairs of 20 shuffles: sd of a share of .25 is .0018; four of them
    assert found == pytest.approx(embedding.agreement_by_chance(labels), abs=0.0075)


def test_a_label_that_lda_has_not_learnt_is_on_its_map_and_not_in_its_accuracy():
    vectors, labels = make_blobs(200, 10, centers=4, cluster_std=0.5, random_state=0)
    train = (np.arange(200) % 2 == 0) & (labels != 3)
    made = embedding.embed(vectors, "lda", labels=labels, train=train)
    assert len(made.points) == 200 - train.sum()
    assert made.accuracy == 1  # four far blobs; .67 if the fourth counted
    with pytest.raises(UserError, match=r"None of the 4 labels .* each belongs to one recording"):
        embedding.embed(vectors, "lda", labels=labels + 10 * (np.arange(200) % 2), train=np.arange(200) % 2 == 0)


def test_alignment_undoes_turning_mirroring_moving_and_scaling():
    shape = RNG.normal(size=(40, 2))
    turned = 5 * shape @ np.array([[0.6, 0.8], [0.8, -0.6]]) + [3, -2]
    found = embedding.aligned([shape, turned])
    np.testing.assert_allclose(found[0], found[1], atol=1e-12)
    assert (found[1] ** 2).sum(1).mean() == pytest.approx(1)
    np.testing.assert_allclose(found.mean(1), 0, atol=1e-12)


def test_direction_of_a_plane_is_its_gradient_and_missing_values_are_left_out():
    points = RNG.normal(size=(50, 2))
    values = 3 * points[:, 0] - 4 * points[:, 1] + 500
    values[::7] = np.nan
    way, share = embedding.direction(points, values)
    np.testing.assert_allclose(way, [0.6, -0.8])
    assert share == pytest.approx(1)
    slope = stats.linregress(points[:, 0], noisy := points[:, 0] + RNG.normal(size=50))
    flat = np.column_stack([points[:, 0], np.zeros(50)])
    assert np.isnan(embedding.direction(flat, noisy)[1])  # a line is no plane
    assert embedding.direction(points, noisy)[1] >= slope.rvalue**2
    assert np.isnan(embedding.direction(points, np.full(50, np.nan))[1])


def test_standardising_leaves_constant_dimensions_at_zero():
    found = embedding.standardised(np.column_stack([CLOUD, np.full(60, 7.3)]))
    np.testing.assert_allclose(found[:, :-1].std(0), 1)
    assert (found[:, -1] == 0).all()


@pytest.mark.parametrize(
    ("vectors", "method", "message"),
    [
        (CLOUD[:21], "pca", "21 points and at least 22 are needed"),
        (np.ones((40, 3)), "pca", "All points lie in one place"),
        (CLOUD, "sammon", "no projection “sammon”"),
    ],
)
def test_what_cannot_be_mapped_is_refused(vectors, method, message):
    with pytest.raises(UserError, match=message):
        embedding.embed(vectors, method)


def test_lda_needs_three_labels_and_held_out_items():
    labels = np.repeat(["a", "b"], 30)
    with pytest.raises(UserError, match="three labels with two items each"):
        embedding.embed(CLOUD, "lda", labels=labels, train=np.arange(60) % 2 == 0)
    with pytest.raises(UserError, match="Only 0 items are left"):
        embedding.embed(CLOUD, "lda", labels=np.repeat(list("abc"), 20), train=np.ones(60, bool))


# The technique


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """Two speakers, two recordings each, twelve phones of three kinds in each."""
    utterances = []
    for number in range(4):
        rng = np.random.default_rng(number)
        times = np.arange(19_200) / 16_000
        pitch = np.array([250.0, 600.0, 1500.0])[(times * 10).astype(int) % 3]
        samples = 0.3 * np.sin(2 * np.pi * pitch * times) + 0.02 * rng.normal(size=times.size)
        phones = tuple(Segment(("iy", "aa", "s")[i % 3], 0.1 * i, 0.1 * (i + 1)) for i in range(12))
        words = tuple(Segment(f"w{i % 4}", 0.2 * i, 0.2 * (i + 1)) for i in range(6))
        clip = clip_from_samples(samples, 16_000, f"u{number}")
        utterances.append(Utterance(clip, "st"[number % 2], "", "en", words, phones))
    return Corpus("tones", tuple(utterances))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"unit": "frames", "most": 100},
        {"unit": "words", "label": "speaker", "method": "mds", "metric": "cosine"},
        {"method": "lda"},
        {"unit": "vowels", "standardise": False},
        {"label": "manner"},
    ],
)
def test_every_kind_of_map_has_one_point_per_item_in_every_space(corpus, tiny_model, options):
    result = projection.analyse(corpus, tiny_model, random_seeds=(0, 1), **options)
    n = len(result.label)
    assert result.points.shape == (3, n, 2)
    assert result.controls.baseline_points.shape == (2, n, 2) and result.controls.random_points.shape == (2, 3, n, 2)
    assert result.all_points.shape == (len(result.spaces), n, 2)
    np.testing.assert_allclose((result.points**2).sum(2).mean(1), 1)
    assert len(result.table()) == n * len(result.spaces)
    assert result.complete
    assert len(projection.plot(result, space=len(result.spaces) - 1).axes) == 3


@pytest.mark.parametrize("speakers", [3, 4, 6])
def test_lda_of_speakers_who_take_turns_learns_and_hears_all_of_them(tiny_model, speakers):
    """Dealt by their numbers, an even number of speakers would be half in the one side and half in the other."""
    utterances = []
    times = np.arange(16_000) / 16_000
    for number in range(12):
        pitch = 200.0 * 1.6 ** (number % speakers)
        samples = 0.3 * np.sin(2 * np.pi * pitch * times) + 0.01 * np.random.default_rng(number).normal(size=16_000)
        phones = tuple(Segment("aa", 0.1 * i, 0.1 * (i + 1)) for i in range(10))
        clip = clip_from_samples(samples, 16_000, f"u{number}")
        utterances.append(Utterance(clip, f"s{number % speakers}", "", "en", (), phones))
    turns = Corpus("turns", tuple(utterances))
    result = projection.analyse(turns, tiny_model, method="lda", label="speaker", random_seeds=())
    assert set(result.speaker) == {f"s{number}" for number in range(speakers)}
    assert len(result.label) == 60
    assert result.accuracy[:, 0].max() > 0.9  # a tone each
    with pytest.raises(UserError, match="each belongs to one recording"):
        projection.analyse(turns, tiny_model, method="lda", label="utterance", random_seeds=())


def test_colours_are_manners_where_the_phones_are_known_and_words_elsewhere():
    auto, place = {"label": projection_tab.CLASS, "unit": "phones"}, {"label": "place", "unit": "phones"}
    assert projection_tab.label_of(auto, corpora.bundled("voices")) == "manner"
    assert projection_tab.label_of(auto | {"unit": "words"}, corpora.bundled("voices")) == "own"
    assert projection_tab.label_of(place, corpora.bundled("voices")) == "place"
    clip = clip_from_samples(0.1 * np.sin(np.arange(16_000) / 9), 16_000, "u")
    strange = Corpus("mine", (Utterance(clip, "s", "", "fr", (), (Segment("x1", 0.1, 0.2), Segment("x2", 0.2, 0.3))),))
    assert projection_tab.label_of(auto, strange) == "own"


def test_chance_is_of_whole_phones_for_frames_and_said_so(corpus, tiny_model):
    frames = projection.analyse(corpus, tiny_model, unit="frames", most=150, random_seeds=(0,))
    phones = projection.analyse(corpus, tiny_model, random_seeds=(0,))
    by_frame = embedding.agreement_by_chance(np.array(frames.label))
    assert (frames.chance > by_frame).all() and (frames.controls.random_chance != by_frame).all()
    np.testing.assert_allclose(phones.chance, embedding.agreement_by_chance(np.array(phones.label)))
    assert phones.chance.shape == (3, 2) and frames.controls.baseline_chance.shape == (2, 2)
    for result, said in ((frames, "with whole phones' labels shuffled"), (phones, "by chance")):
        line = projection_tab.status_line(result, projection_tab.fitted(result, {"layer": 1, "of": "trained"}))
        assert f"{result.chance[1, 1]:.0%} {said}" in line
        assert said in projection_tab.summary(result)


def test_points_are_where_the_items_are(corpus, tiny_model):
    result = projection.analyse(corpus, tiny_model, random_seeds=())
    for i in (0, 17, 40):
        phones = corpus.utterances[result.utterance[i]].phones
        assert any(p.label == result.name[i] and p.start == result.start[i] for p in phones)
    assert np.isnan(result.formants[np.array(result.name) == "s"]).all()


def test_rare_labels_are_thinned_least():
    label = np.array(["a"] * 50 + ["b"] * 5 + ["c"] * 20)
    kept = label[projection_points._thinned(label, 30, 0)]
    assert {name: int((kept == name).sum()) for name in "abc"} == {"a": 12, "b": 5, "c": 12}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unit": "syllables"}, "no “syllables” for “unit”"),
        ({"method": "sammon"}, "no “sammon” for “method”"),
        ({"label": "mood"}, "no label “mood”"),
        ({"most": 5}, "“most” cannot be 5; give a number from 22 to 3000"),
    ],
)
def test_options_without_meaning_are_refused(corpus, tiny_model, options, message):
    with pytest.raises(UserError, match=message):
        projection.analyse(corpus, tiny_model, random_seeds=(), **options)


def test_recordings_without_phones_are_refused(corpus, tiny_model):
    bare = Corpus("bare", (Utterance(corpus.utterances[0].clip, "s"),))
    with pytest.raises(UserError, match="have no phones"):
        projection.analyse(bare, tiny_model, random_seeds=())


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("manner", "Of none of these items the manner is known: .* ARPAbet"),
        ("language", "None of these .* “language”"),
    ],
)
def test_a_colour_that_no_item_has_is_refused(corpus, tiny_model, label, message):
    """Phones of an alphabet that is unknown have no manner; nothing can be drawn of nothing."""
    renamed = [Segment(f"<{phone.label}>", phone.start, phone.end) for phone in corpus.utterances[0].phones]
    strange = Corpus("strange", (Utterance(corpus.utterances[0].clip, "s", phones=tuple(renamed)),))
    with pytest.raises(UserError, match=message):
        projection.analyse(strange, tiny_model, label=label, random_seeds=())
