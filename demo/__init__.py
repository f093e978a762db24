"""`make demo`: synthetic patients in, reports back, on one machine."""
