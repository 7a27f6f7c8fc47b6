"""Reproductions: a receipt rendered again, and the similarity of the result to the original."""
