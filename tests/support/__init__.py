"""What several test files use: fakes, small scenes, records made by hand."""
