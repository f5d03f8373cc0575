"""`--head yolo`: ultralytics' trainer in a process of its own; nothing outside of `child` imports it (AGPL-3.0)."""
