"""JavaScript in a user's repository: read by its tokens, for there is no parser here."""
