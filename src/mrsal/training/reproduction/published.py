"""The numbers that the paper reports, and what is known about its experiment."""

from dataclasses import dataclass

PAPER = "Liu, Han, Zhang, Wen and Liu, Predicting Eye Fixations using Convolutional Neural Networks, CVPR 2015"
PROTOCOL = "mrcnn"
METRIC = "sAUC"

# Left out of samples and scores. MIT1003's fixations are detected in gaze traces, which begin on the start marker: 99 % of
# the first ones are in the middle of the image, and with them it would be where most fixated samples are.
FIRST_FIXATION_LEFT_OUT = ("mit1003",)


@dataclass(frozen=True)
class PublishedScore:
    """A shuffled AUC of a publication.

    Parameters
    ----------
    value : float
        The score.
    source : str
        The publication that reports it.
    """

    value: float
    source: str


# by the name of the data set; a data set without an entry has no published number that we know of with certainty
PUBLISHED_SCORES = {"mit1003": PublishedScore(0.7190, PAPER)}
