"""What is kept for people: quarantined objects."""
