"""From what a hospital holds to the tensors of a bundle: the same code for training and serving, without torch."""
