"""The JSON documents that commands print, as models that document themselves."""
