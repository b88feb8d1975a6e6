"""Measures of how well a saliency map predicts where people looked: pure functions, arrays in, a number out.

==================  ==================  =========  ===========================================================
function            range               better     rewards
==================  ==================  =========  ===========================================================
auc                 0 to 1              higher     ranking fixated locations above others; scale is ignored
nss                 unbounded           higher     high values exactly at fixations, in deviations from the mean
information_gain    unbounded           higher     probability at fixations, in bit/fixation over a baseline
log_likelihood      at most 0           higher     probability at fixations, in bit/fixation; depends on the image size
cc                  -1 to 1             higher     a linear relation with the fixation density
sim                 0 to 1              higher     overlap with the fixation density
kl_divergence       0 to about 36       lower      no density missed; misses cost more than false alarms
emd                 0 to the diagonal   lower      mass near where it should be, in pixels; needs ``mrsal[emd]``
agreement_score     about 0 to 0.95     higher     nothing useful; for comparison with older numbers only
==================  ==================  =========  ===========================================================

A map is indexed ``map[y, x]``. Torch tensors are accepted wherever arrays are. A map gives a float. A stack of B maps,
``(B, H, W)`` or a list of maps of different sizes, gives ``(B,)``; then positions are B arrays, one for each map, and a second
map is a stack as well or one that all share.

A constant map is chance: AUC 0.5, NSS 0, CC 0. Ties count one half. A NaN, no fixations, or a fixation outside the map
is an :class:`mrsal.errors.InputError`; repeated fixations count as often as they occur.

Conventions differ from paper to paper. :data:`PROTOCOLS` names the sets in use; :func:`score` gives all metrics of one.
"""

from mrsal.metrics.agreement import agreement_score
from mrsal.metrics.distribution import cc, kl_divergence, sim
from mrsal.metrics.emd import emd
from mrsal.metrics.information import information_gain, log_likelihood
from mrsal.metrics.location import auc, nss
from mrsal.metrics.optimal import optimal_map, score_optimal
from mrsal.metrics.protocols import HIGHER_IS_BETTER, PROTOCOLS, Protocol, protocol, score

__all__ = ["HIGHER_IS_BETTER", "PROTOCOLS", "Protocol", "agreement_score", "auc", "cc", "emd", "information_gain"]
__all__ += ["kl_divergence", "log_likelihood", "nss", "optimal_map", "protocol", "score", "score_optimal", "sim"]
