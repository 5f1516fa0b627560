"""Figures, drawn with seaborn and matplotlib."""
