"""The built-in engine `sketch`: a small convolutional network in numpy that redraws a start image per frame."""
