"""What the network is trained for."""
