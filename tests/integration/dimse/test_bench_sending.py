"""The benchmark of sending, in small: it measures all four ways, whatever the figures are."""

from bench.sending import bench


def test_every_way_is_measured() -> None:
    """Three objects, one round."""
    found = bench(count=3, kilobytes=1, latency_ms=1, rounds=1)
    assert found["objects"] == 3
    assert min(found[name] for name in found if name.endswith(("_ms", "_ratio"))) > 0
    assert found["one_at_a_time_ms"] >= 3
