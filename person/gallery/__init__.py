"""Galleries: people who are enrolled, asked for, and forgotten."""
