"""What the choice of a baseline changes."""
