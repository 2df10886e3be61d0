"""Time and memory of a whole separation, from the photo's file to those of its layers."""
