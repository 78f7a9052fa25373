"""Where credentials are found and stored; nothing here uses them."""
