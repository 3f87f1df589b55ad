"""Strange and hostile mail, case by case, through the whole desk; `make hostile` prints what came of each."""
