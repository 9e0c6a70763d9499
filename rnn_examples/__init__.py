"""Readable recurrent networks in PyTorch, each proven equal to torch.nn."""
