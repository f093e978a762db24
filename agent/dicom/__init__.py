"""Dataset to core values and back; pixels; every UID we mint; every coded concept."""
