"""Take some frames of one store or several into a new one, or withdraw a patient from them."""
