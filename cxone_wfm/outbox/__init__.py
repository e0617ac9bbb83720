"""Durable delivery."""
