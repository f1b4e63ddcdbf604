"""Pictures: pure functions from data to matplotlib figures."""
