"""No model is here: a node that asks for one fails, and says for what."""
