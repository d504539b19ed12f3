"""Quadrat: from raw image samples to labelled objects, measured regions and served models."""
