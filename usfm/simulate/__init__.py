"""Room: make ultrasound clips by physics, with the truth beside them."""
