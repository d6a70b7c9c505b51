"""A party's process: its Flower ClientApp, its own file, its reward store, and the commands that use a reward."""
