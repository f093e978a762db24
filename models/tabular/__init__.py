"""Systems on tables of facts: trained, tuned and judged inside the same folds, linear ones beside deep ones."""
