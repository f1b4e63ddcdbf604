"""Environments that were made for other libraries."""
