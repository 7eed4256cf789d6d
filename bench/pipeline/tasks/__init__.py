"""What a farm starts: simulate, render, trace a part, put together. Each stands alone and can be started again."""
