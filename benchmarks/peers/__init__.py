"""Other servers and libraries, run by an interpreter of their own so that their needs never meet ours."""
