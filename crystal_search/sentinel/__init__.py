"""The sentinel: what is out of the ordinary for an imager, image by image and over time; numpy only, no files."""
