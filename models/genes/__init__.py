"""Expression and facts: a Transformer over gene tokens at linear cost, beside what it has to beat."""
