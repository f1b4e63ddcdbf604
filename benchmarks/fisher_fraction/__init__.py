"""What a part of the episodes for the Fisher matrix saves and costs."""
