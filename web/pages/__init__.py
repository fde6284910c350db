"""Pages: the same truth as the calls, in a browser. `shared` is how, `staff` are the screens of the console."""
