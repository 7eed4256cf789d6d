"""What a site has and how fast it is: one small task a worker, alone and all together, and the shared folder."""
