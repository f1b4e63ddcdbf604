"""The reinforcement-learning figures of the MAML paper, done again."""
