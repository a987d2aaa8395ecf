"""What lies between the pixels: the smooth map? Read nodes first, then kernel, then windows."""
