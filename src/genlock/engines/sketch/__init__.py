"""The built-in engine `sketch`: a small convolution network in numpy that redraws a start image, frame by frame."""
