"""What clouds offer to users who are logged in there: credentials and new repositories."""
