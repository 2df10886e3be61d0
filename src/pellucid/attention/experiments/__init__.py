"""The claims about attention without sinks, tried at the scale of a processor (needs torch).

`backcopy` is the synthetic task in which sinks grow within a minute, `mechanism` and `retrofit`
ask why and whether it can be mended, `language` and `masked` are small models of text. Each writes
one file a run, from which tables and figures are made; `pellucid attention experiment` is the
command.
"""
