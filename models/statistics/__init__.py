"""How well probabilities tell cases apart and how far they can be believed, with intervals."""
