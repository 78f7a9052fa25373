"""How a registry is entered: challenges, tokens, and the credentials that answer them."""
