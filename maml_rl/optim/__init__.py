"""The trust-region step: conjugate gradient on exact Fisher-vector products, and a line search."""
