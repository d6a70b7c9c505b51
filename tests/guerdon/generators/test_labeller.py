"""Labels name classes, or the party that sent others is named."""

import numpy as np
import pytest

from guerdon.generators import check_labels
from guerdon.generators.labeller import Labeller
from guerdon.types import Contribution


def contribution(labels):
    return Contribution("ada", np.arange(float(len(labels)))[:, None], labels)


@pytest.mark.parametrize("bad", [0.5, 2.0**53 + 2, -1e19, 1e300])
def test_labels_that_name_no_class_are_refused_with_the_party(bad):
    with pytest.raises(ValueError, match=r"whole numbers from -2\*\*53 to 2\*\*53, .* party 'ada' sent 1 others of"):
        check_labels(contribution([0.0, bad]))
    fine = Contribution("bob", np.zeros((1, 1)), [1.0])
    with pytest.raises(ValueError, match="party 'ada'"):
        Labeller.of([fine, contribution([0.0, bad])])


def test_what_names_classes_passes():
    for labels in ([0.0, -3.0], [2.0**53, -(2.0**53)], [-0.0], []):
        check_labels(contribution(labels))
    check_labels(Contribution("ada", np.zeros((2, 1))))


def test_the_largest_labels_come_back_as_they_were():
    labeller = Labeller.of([contribution([2.0**53, 2.0**53, -(2.0**53)])])
    assert labeller(np.zeros((1, 1))).tolist() == [2.0**53]
