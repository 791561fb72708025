"""**Do the ways of asking “who takes from whom” agree: attention, attention norm and value zeroing?**

Three scores for the same clip, the same words and the same layer, as shares of each row on one colour scale.
*Attention* is how much is looked at, *attention norm* how long the vector is that is passed on, *value zeroing* how
far a word's output turns when the other word cannot be read.

*How to read it.* Rows are the words that read, columns the words that are read. The **rank correlation** of two scores
(Spearman, over all cells off the diagonal) says whether they order the pairs of words alike. The **mixing distance**
is how far a row looks, in milliseconds between the middles of words, weighted by shares; every head's own distance is
measured frame by frame. **Rollout** multiplies the layers up to the chosen one: what a word has taken in by then.
Attention and its norm leave out the residual stream, so half of each row is kept for the word itself, or as much as
the stream's length beside what attention adds to it (**measured**); value zeroing holds it already. The rows' entropy
against depth says how evenly a word's sources are spread.

**The whole model** rolls out a decoder's own attention, its cross-attention and the encoder below as one. A row is the
state that writes a token, and its shares of all words of the sound and all tokens read so far add up to 1; sound that
came by way of an earlier token counts as sound. Past each cross-attention the residual share of a row goes on, for
value zeroing too; the rest is what cross-attention reads, followed down the encoder to the words. With one half, the
sound has 1 − 1/2ˡ of every row after layer l *whatever the model does*: read how that is spread over the words, and
take “measured” to ask how much it is.

*What it cannot show.* None of the three is the truth about the other two, and all look at one layer at a time: rollout
multiplies as if layers were linear, leaves out the feed-forward, and its half for the residual is a convention (change
it and see what stays). With depth its rows grow alike, so a whole model tells less of single tokens than its last
cross-attention does. Attention and its norm are per frame by default, value zeroing takes away whole words, as
published; so long words weigh more in it, even with random weights. Compare with the random-weights maps.

*Source.* Mohebbi, Chrupała, Zuidema & Alishahi, EMNLP 2023 (arXiv 2310.09925), where the three are set side by side;
rollout: Abnar & Zuidema, Quantifying Attention Flow in Transformers, ACL 2020 (2020.acl-main.385).
"""

from methods.context_mixing.analysis import TITLES, analyse
from methods.context_mixing.figure import PANELS, curve_name, curve_values, draw_curves, panels, plot, views
from methods.context_mixing.three_scores import NO_DISTANCE, NO_ROLLOUT, SCORES, ContextMixing
from methods.context_mixing.whole_model import WholeModel

__all__ = [
    "NO_DISTANCE",
    "NO_ROLLOUT",
    "PANELS",
    "SCORES",
    "TITLES",
    "ContextMixing",
    "WholeModel",
    "analyse",
    "curve_name",
    "curve_values",
    "draw_curves",
    "panels",
    "plot",
    "views",
]
