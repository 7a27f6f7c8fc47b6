"""What we made, with proof: takes, receipts, and the questions they answer."""
