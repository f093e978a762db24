"""From a complete case to its answer: which images and facts, the model, and what was left out."""
