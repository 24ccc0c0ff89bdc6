"""What saves memory or time and changes no result; one switch turns all of it off."""
