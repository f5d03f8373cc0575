"""Room 0: a physics phantom that renders ultrasound clips whose truth is known."""
