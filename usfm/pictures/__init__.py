"""Pictures: contact sheets, masks over frames, curves, matrices, and the one HTML page that all reports share."""
