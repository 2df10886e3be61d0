"""Mixtures from photos: blur, ghosting, Fresnel, panes, exposure, sensor (needs torch)."""
