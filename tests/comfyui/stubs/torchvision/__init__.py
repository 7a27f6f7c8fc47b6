"""Replaces torchvision, which ComfyUI imports for classes that the tests never use: nothing is in it."""

from torchvision import models as models
from torchvision import transforms as transforms
