"""The paper's network: encoder, hypercolumn, AGAM, language gate, AGIM, recovery (needs torch)."""
