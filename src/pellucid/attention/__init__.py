"""Attention that can do nothing: Value-State Gated Attention and its neighbours (needs torch)."""
