"""Estimators of the derivatives of a policy's value, beside the exact ones (Farquhar et al. 2019)."""
