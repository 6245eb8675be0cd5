"""What people, or programs, drew in images: one record of an annotated image, read and written in many formats."""
