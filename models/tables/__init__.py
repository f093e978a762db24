"""Real public tables of patients with a nodal label: what may be used of each, and what would leak."""
