"""The length of training: its ranges, told without torch."""

import pytest

from vpp.core.errors import InvalidInputError
from vpp.forecasting.models.training_length import Training


@pytest.mark.parametrize(("field", "value"), [("steps", 0), ("batch", 0), ("learning_rate", 0.0)])
def test_a_training_without_length_is_refused(field, value):
    with pytest.raises(InvalidInputError, match=field):
        Training(**{field: value})
