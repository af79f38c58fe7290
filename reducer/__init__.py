"""What events mean, as pure functions: no clock, no file, no network, no chance."""
