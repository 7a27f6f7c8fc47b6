"""Who may: tokens, their roles, and the answers that were promised to be given again."""
