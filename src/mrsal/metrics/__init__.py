"""Measures of how well a saliency map predicts where people looked: pure functions, arrays in, a number out.

==================  ==================  =========  ===========================================================
function            range               better     rewards
==================  ==================  =========  ===========================================================
auc                 0 to 1              higher     ranking fixated locations above others; scale is ignored
nss                 unbounded           higher     high values exactly at fixations, in deviations from the mean
information_gain    unbounded           higher     probability at fixations, in bit/fixation over a baseline
log_likelihood      up to 0             higher     probability at fixations, in bit/fixation
cc                  -1 to 1             higher     a linear relation with the fixation density
sim                 0 to 1              higher     overlap with the fixation density
kl_divergence       0 to about 36       lower      no density missed; misses cost more than false alarms
agreement_score     about 0 to 0.95     higher     nothing useful; for comparison with older numbers only
==================  ==================  =========  ===========================================================

A map is indexed ``map[y, x]``. Torch tensors are accepted wherever arrays are.
"""

from mrsal.metrics.agreement import agreement_score
from mrsal.metrics.distribution import cc, kl_divergence, sim
from mrsal.metrics.location import auc, information_gain, log_likelihood, nss

__all__ = ["agreement_score", "auc", "cc", "information_gain", "kl_divergence", "log_likelihood", "nss", "sim"]
