"""Measure how well a saliency map predicts where people looked. All metrics are pure functions of arrays.

==================  ==================  =========  ===========================================================
function            range               better     rewards
==================  ==================  =========  ===========================================================
auc                 0 to 1              higher     ranking fixated locations above others; scale is ignored
nss                 unbounded           higher     high values exactly at fixations, in standard deviations
information_gain    unbounded           higher     probability at fixations, in bit/fixation over a baseline
log_likelihood      at most 0           higher     probability at fixations, in bit/fixation; depends on the image size
cc                  -1 to 1             higher     a linear relation with the fixation density
sim                 0 to 1              higher     overlap with the fixation density
kl_divergence       0 to about 36       lower      covering all of the density; misses cost more than false alarms
emd                 0 to the diagonal   lower      mass near where it should be, in pixels; needs ``mrsal[emd]``
agreement_score     about 0 to 0.95     higher     nothing useful; only for comparison with older numbers
==================  ==================  =========  ===========================================================

A map is indexed ``map[y, x]``. Torch tensors are accepted as well as arrays. For one map, a metric returns a float. For a stack
of B maps, ``(B, H, W)`` or a list of maps of different sizes, it returns ``(B,)``. The positions are then B arrays, one for
each map, and a second map is either a stack too or a single map for all.

A constant map scores at chance: AUC 0.5, NSS 0, CC 0. Ties count one half. Repeated fixations count as often as they occur. A
NaN, missing fixations, or a fixation outside the map raise :class:`mrsal.errors.InputError`.

Papers differ in their conventions. :data:`PROTOCOLS` lists sets of conventions, and :func:`score` computes all metrics of a
set.
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
