"""Recurrent layers by hand: one step, the loop over time, the layers."""
