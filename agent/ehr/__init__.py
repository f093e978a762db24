"""Read-only clinical queries of the hospital."""
