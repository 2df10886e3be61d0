from __future__ import annotations

import pytest
import torch

from pellucid.attention import KVCache, StaticKVCache
from pellucid.errors import ConfigError

from ..faults import fault
from .helpers import heads


def test_growing_cache():
    cache = KVCache()
    assert cache.length == 0
    cache.append(heads(1, 2, 3, 4), heads(1, 2, 3, 4))
    key, _ = cache.append(heads(1, 2, 2, 4, seed=1), heads(1, 2, 2, 4, seed=1))
    assert cache.length == 5
    assert key.shape == (1, 2, 5, 4)
    assert cache.positions(2, torch.device("cpu")).tolist() == [5, 6]


def test_static_cache_masks_what_is_empty_and_what_is_later():
    cache = StaticKVCache(1, 2, 5, 4)
    cache.append(heads(1, 2, 1, 4), heads(1, 2, 1, 4))
    cache.append(heads(1, 2, 2, 4), heads(1, 2, 2, 4))
    assert cache.visible(2, True).int().tolist() == [[1, 1, 0, 0, 0], [1, 1, 1, 0, 0]]
    assert cache.visible(2, False).int().tolist() == [[1, 1, 1, 0, 0]] * 2


def test_static_cache_keeps_its_tensors():
    cache = StaticKVCache(1, 1, 3, 2)
    place = cache.key.data_ptr()
    key, _ = cache.append(heads(1, 1, 2, 2), heads(1, 1, 2, 2))
    assert key.data_ptr() == place
    torch.testing.assert_close(key[:, :, :2], heads(1, 1, 2, 2))
    assert (key[:, :, 2] == 0).all()


@fault("attention", "a cache that is full", "refused; the cache unchanged")
def test_full_static_cache_is_an_error_and_stays_whole():
    cache = StaticKVCache(1, 1, 3, 2)
    cache.append(heads(1, 1, 2, 2), heads(1, 1, 2, 2))
    before = cache.key.clone()
    with pytest.raises(ConfigError, match="holds 2 of at most 3"):
        cache.append(heads(1, 1, 2, 2, seed=1), heads(1, 1, 2, 2, seed=1))
    assert torch.equal(cache.key, before)
    assert cache.length == 2
