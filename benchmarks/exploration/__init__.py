"""Bandits and tabular MDPs: MAML beside what is known to explore well (Duan et al. 2016, section 3)."""
