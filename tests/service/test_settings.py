import pytest

from pellucid.errors import ConfigError
from pellucid.service.settings import ServiceSettings


@pytest.mark.parametrize("wrong", [{"max_bytes": 0}, {"answer_seconds": -1.0}, {"waiting": -1}])
def test_settings_that_serve_no_one(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        ServiceSettings(**wrong)


def test_limits_reach_the_reader():
    limits = ServiceSettings(max_pixels=7, max_bytes=9).read_limits
    assert (limits.max_pixels, limits.max_bytes) == (7, 9)
