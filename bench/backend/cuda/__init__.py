"""What drives a CUDA device besides the back-end itself: parameters of launches, graphs, clocks, a held stream."""
